"""What `partial_fit` keeps from batch to batch, and how it reads one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.utils.multiclass import check_classification_targets, unique_labels

from ..._estimator._base import BaseMemorizingClassifier
from ..._estimator._messages import listed, warn
from ..._estimator._training_set import canonical_csr, refuse_several_labels
from ...network._storage import storable
from ._adapted import MOST_SURVEYED, Survey
from ._drawing import Ball, enclosing_ball, enlarged_ball
from ._forgetting import SettledDraw
from ._growing import GrowingCover
from ._sample_set import SampleSet
from ._seen_samples import SeenSamples

# Adapted hyperplanes are drawn anew from this many times as many samples as before.
_RENEWED_AT = 2
# Parameters that the codes and the number of draws depend on; the others where the
# ball is given, and hyperplanes are drawn once.
_SETTLED = ("activation", "hyperplanes", "n_draws")
_SETTLED_IN_BALL = ("n_hyperplanes", "min_hyperplanes", "max_hyperplanes", "max_bias")


@storable
@dataclass(frozen=True)
class Batches:
    """What `partial_fit` keeps from one call to the next.

    `ball` holds all samples seen so far; `draws` are what covers them (with a single
    class nothing but seeds). Where hyperplanes are adapted, they were drawn from the
    `survey`, when there were `n_surveyed` samples; before there are two classes it is
    None. `settled` are the parameters that are not to change.
    """

    seen: SeenSamples | SampleSet
    ball: Ball
    draws: tuple[GrowingCover | SettledDraw | int, ...]
    survey: Survey | None
    n_surveyed: int
    settled: dict

    @classmethod
    def of(cls, estimator, seen, ball: Ball, draws, survey, n_surveyed: int) -> Batches:
        """Return what is kept of an estimator."""
        names: tuple[str, ...] = _SETTLED
        if isinstance(seen, SampleSet):
            names = (*names, *_SETTLED_IN_BALL)
        settled = {name: getattr(estimator, name) for name in names}
        return cls(seen, ball, tuple(draws), survey, n_surveyed, settled)

    @property
    def seeds(self) -> list[int]:
        """The seeds of the draws."""
        return [draw if isinstance(draw, int) else draw.seed for draw in self.draws]

    def outgrown(self, n_samples: int) -> bool:
        """Return whether adapted hyperplanes are to be drawn anew from so many samples.

        The numbers of samples for which that is done at least double, and it is done
        no more once the survey was as large as it gets: in all that takes about as long
        as a fit to four times `MOST_SURVEYED` samples, at the most.
        """
        if self.survey is None:
            return True
        is_small = self.n_surveyed < MOST_SURVEYED
        return is_small and n_samples >= _RENEWED_AT * self.n_surveyed

    def check_settled(self, estimator) -> None:
        """Raise a ValueError if a parameter has changed that must not."""
        for name, before in self.settled.items():
            now = getattr(estimator, name)
            if now != before:
                raise ValueError(
                    f"{name} was {before!r} in the calls of partial_fit so far, and is "
                    f"{now!r} now. Set it back, or give all batches to a new estimator."
                )
        given = estimator._given_ball(len(self.ball.center))
        was_given = isinstance(self.seen, SampleSet)
        same = given is None or _are_equal(given, self.ball)
        if estimator._is_settled != was_given or not same:
            raise ValueError(
                "ball was another one in the calls of partial_fit so far. Set it back, "
                "or give all batches to a new estimator."
            )


def _are_equal(ball: Ball, other: Ball) -> bool:
    return ball.radius == other.radius and np.array_equal(ball.center, other.center)


def ball_of(before: Batches | None, seen, center: bool, given: Ball | None) -> Ball:
    """Return the ball that is given, or one that holds all samples.

    The center of the latter is that of the first batch.
    """
    if given is not None:
        return given
    rows = np.arange(len(seen.labels))
    if before is None:
        return enclosing_ball(seen.X, rows, center, only_used=True)
    new = rows[len(before.seen.labels) :]
    return enlarged_ball(before.ball, seen.X, new) if len(new) else before.ball


def read_batch(
    estimator: BaseMemorizingClassifier, before, X, y, classes, sample_weight
):
    """Validate one batch, the first one if `before` is None, and set `classes_`.

    Returns rows, class numbers, weights, and who has any.
    """
    if before is not None:
        before.check_settled(estimator)
    elif hasattr(estimator, "classes_"):
        warn(
            "fit keeps no samples, so partial_fit starts afresh and forgets what "
            "fit memorized. Give all batches to partial_fit, the first one too."
        )
    refuse_several_labels(y, estimator)
    _declare(estimator, classes, before is None)
    X, y = estimator._validate_samples(X, y=y, reset=before is None)
    check_classification_targets(y)
    if sparse.issparse(X):
        X = canonical_csr(X)
    numbers = _class_numbers(y, estimator.classes_)
    return X, numbers, *estimator._validate_weights(X, sample_weight)


def _declare(estimator, classes, is_first: bool) -> None:
    """Set the classes, or compare them with those declared before."""
    if classes is None:
        if not hasattr(estimator, "classes_"):
            raise ValueError(
                "classes must be passed on the first call to partial_fit: all "
                "labels that any batch holds."
            )
        return
    classes = unique_labels(classes)
    if not is_first and not np.array_equal(classes, estimator.classes_):
        raise ValueError(
            f"classes={classes!r} differ from those declared in the first call to "
            f"partial_fit, {estimator.classes_!r}. Declare all of them there."
        )
    estimator.classes_ = classes


def _class_numbers(y, classes: np.ndarray) -> np.ndarray:
    numbers = {label: k for k, label in enumerate(classes.tolist())}
    present, inverse = np.unique(y, return_inverse=True)
    unknown = [label for label in present.tolist() if label not in numbers]
    if unknown:
        raise ValueError(
            f"y holds labels that classes does not declare: {unknown[:10]}. Pass "
            "all labels as classes in the first call to partial_fit."
        )
    return np.array([numbers[label] for label in present.tolist()])[inverse]


def samples_to_forget(seen, indices, X) -> np.ndarray:
    """Return the numbers of samples that are told by their numbers, or by their rows.

    They increase. `X` are validated rows.
    """
    if X is not None:
        rows = seen.numbers_of(X)
        if (rows < 0).any():
            raise ValueError(
                f"Rows {listed(np.flatnonzero(rows < 0))} are not among the samples "
                "that partial_fit memorized, or were forgotten before."
            )
        return np.sort(seen.log.numbers[np.isin(seen.log.rows, rows)])
    indices = np.atleast_1d(np.asarray(indices))
    if indices.dtype.kind not in "iu" and indices.size:
        raise ValueError(
            f"indices must be integers, got {indices.dtype}; rows are passed as X=."
        )
    gone = np.unique(indices.astype(np.intp))
    wrong = (gone < 0) | (gone >= seen.n_samples)
    if wrong.any():
        raise ValueError(
            f"indices {listed(gone[wrong])} are not among the {seen.n_samples} samples "
            "of partial_fit, which are numbered from 0 on, without the forgotten ones."
        )
    return gone
