"""The three ways in which memorizing can fail to be what was asked for."""

__all__ = ["ConflictingLabelsWarning", "InterpolationError", "InterpolationWarning"]


class ConflictingLabelsWarning(UserWarning):
    """Identical rows carry different labels; one of the labels was chosen.

    No function of the rows can return several labels for one row, so the
    estimators memorize the label with the largest total weight.
    """


class InterpolationWarning(UserWarning):
    """A size that was fixed by the user does not suffice to memorize the data."""


class InterpolationError(RuntimeError):
    """Data that ought to be memorized could not be.

    Raised when an adaptive construction has reached its cap or the limits of its
    arithmetic. The message names the reason and the parameter to change.
    """

    # Positions in the training set of the samples that are in each other's way.
    _positions = None

    def about(self, positions):
        """Note which samples it is about; `fit` adds their row numbers."""
        self._positions = positions
        return self
