"""How many samples the neurons of the second layer cover."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._style import BESIDE, COLORS, check_matplotlib, color, get_axes

# A column of the legend has at most so many lines.
_LEGEND_ROWS = 24
# Where there are more classes than colours, lines tell them apart.
_LINES: tuple = (
    "-",
    "--",
    ":",
    "-.",
    (0, (6, 1)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (1, 4)),
)


class CoverageDisplay:
    """How many training samples each second-layer neuron covers, largest first.

    A neuron that covers its own sample alone stands for a sample that is hard, or
    mislabelled. It is recommended to use `from_estimator` to make one. All parameters
    are stored as attributes.

    Parameters
    ----------
    coverage : dict of ndarray
        By class: the numbers of training samples that its neurons cover, decreasing.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        One curve for each class.
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        Figure that contains them.
    """

    def __init__(self, *, coverage):
        self.coverage = coverage

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None, **options):
        """Draw the coverage of a fitted estimator.

        Parameters
        ----------
        estimator : classifier
            A fitted `MemorizingClassifier` (or another with `coverage_` and
            `sample_indices_`).
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The training samples (not used, present by convention).
        y : array-like of shape (n_samples,)
            Their labels, which say what class a neuron speaks for.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **options
            Arguments of `plot`.

        Returns
        -------
        display : CoverageDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the estimator has no covers.
        """
        check_matplotlib(cls.__name__)
        check_is_fitted(estimator)
        if not hasattr(estimator, "coverage_"):
            raise ValueError(
                f"{cls.__name__} draws covers, and {type(estimator).__name__} has no "
                "`coverage_`; pass a fitted MemorizingClassifier."
            )
        owners = np.asarray(y)[estimator.sample_indices_]
        coverage = {
            name: np.sort(np.asarray(estimator.coverage_)[owners == name])[::-1]
            for name in estimator.classes_
        }
        return cls(coverage=coverage).plot(ax=ax, **options)

    def plot(self, ax=None, **options):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **options
            Arguments of `matplotlib.axes.Axes.step`.

        Returns
        -------
        display : CoverageDisplay
            The display itself.
        """
        n_curves = sum(len(counts) > 0 for counts in self.coverage.values())
        n_columns = max(1, -(-n_curves // _LEGEND_ROWS))
        ax = get_axes(ax, type(self).__name__, (6.4 + 2.9 * n_columns, 4.8))
        self.lines_ = []
        for number, (name, counts) in enumerate(self.coverage.items()):
            if len(counts) == 0:
                continue
            n_alone = int(np.sum(counts <= 1))
            style = {
                "color": color(number),
                "linestyle": _LINES[number // len(COLORS) % len(_LINES)],
                "where": "post",
                "label": f"{name}: {len(counts)} neurons, {n_alone} for one sample",
                **options,
            }
            # Each neuron has a step of its own: from its rank to the next.
            ranks = np.arange(1, len(counts) + 2)
            self.lines_ += ax.step(ranks, [*counts, counts[-1]], **style)
        ax.set(
            yscale="log",
            xscale="log",
            xlabel="neurons of the second layer, by rank",
            ylabel="training samples covered",
        )
        fontsize = "small" if n_columns == 1 else "x-small"
        if n_curves == 0:
            ax.set_title("no neurons, for there is a single class")
        else:
            ax.legend(title="class", fontsize=fontsize, ncols=n_columns, **BESIDE)
        self.ax_, self.figure_ = ax, ax.figure
        return self
