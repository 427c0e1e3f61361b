r"""Leave one out: what a network would say of a training sample that it had not seen.

Nothing is fitted again. Where sample t is left out of a covering,

    the neuron made from t is skipped,
    and where t is the sample that set a bound m_k, the second smallest count takes its
    place.

This is what a fit without t would give, but for two things: samples that the skipped
neuron covers would get another one, and hyperplanes that were drawn from t would have
been drawn from others.

With S_c(t, v) the vote of class c by its v largest margins, the scores of the classes
are z_c = a S_c + b_c. The number v, the scale a and the offsets b are chosen so that
the softmax of z fits the labels of the samples left out: they minimize

    - sum_t log P(y_t)  +  (a'^2 + |b|^2) / 2,       a' = a * (root mean square of S)

where S is taken about its mean over the classes. All sums are taken in a fixed order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ... import kernels
from ..._estimator._probabilities import exponential, logarithm
from ...kernels import LeftOut
from ...kernels._memory import check_room
from ...kernels._threads import run_in_threads
from ._codes import mean_margins
from ._network import Calibration, Covering
from ._samples import Samples, labels_at

# Numbers of votes to choose from.
VOTES = np.array((1, 2, 3, 5, 9, 15, 25, 40, 64))
# At most so many samples are left out, unless it is asked for more.
MOST_LEFT_OUT = 2000
# All samples are this many times as many as those that are left out, if these are few.
_FEW = 4
_MOST_STEPS = 12
# Newton's method stops where a step brings less than this for each sample.
_LEAST_GAIN = 1e-6
# The scale is positive, however little the votes say.
_LEAST_SCALE = 0.01


@dataclass(frozen=True)
class LeftOutCodes:
    """The codes of the samples to leave out of one covering, and what that changes.

    Neuron k would have the bound `seconds[k]` without the sample that set its bound;
    `setters[k]` is the row number of this one, or -1 if there is none.
    """

    words: np.ndarray = field(repr=False)
    setters: np.ndarray = field(repr=False)
    seconds: np.ndarray = field(repr=False)

    @classmethod
    def of(
        cls, samples: Samples, most: int, codes, masks, bounds, starts
    ) -> LeftOutCodes:
        """Look at the codes of all samples, wherever they are; leave out `most`."""
        places = places_left_out(samples.n_samples, most)
        words = samples.words(codes, places)
        of_all, seconds = np.full(len(masks), -1), bounds.copy()
        some = np.arange(len(masks))
        if _FEW * len(places) <= samples.n_samples:  # they set few of the bounds
            labels = labels_at(samples.sizes, places)
            some = _set_by(words, labels, masks, bounds, starts)
        smallest, second, setters = samples.two_smallest_counts(
            codes, masks[some], np.searchsorted(some, starts)
        )
        # With no other sample of another class, any larger bound is as good.
        sizes = np.bitwise_count(masks[some]).sum(axis=1, dtype=np.int32)
        is_set = bounds[some] == smallest
        of_all[some[is_set]] = setters[is_set]
        seconds[some[is_set]] = np.minimum(second, sizes + 1)[is_set]
        return cls(words, of_all, seconds)


def _set_by(words, labels: np.ndarray, masks, bounds, starts) -> np.ndarray:
    """Return the neurons whose bound one of some samples may have set.

    These are samples of other classes with <u, Phi(x)> = m; `labels` increase.
    """
    sample_starts = np.searchsorted(labels, np.arange(len(starts)))
    smallest, *_ = kernels.two_smallest_counts(words, sample_starts, masks, starts)
    return np.flatnonzero(smallest == bounds)


@dataclass(frozen=True)
class LeftOutScores:
    """What is learned by leaving samples out.

    `rows` are their row numbers, `scores` the calibrated scores of the classes by
    `n_votes` votes, and `accuracy` the share of right answers.
    """

    n_votes: int
    calibration: Calibration
    accuracy: float
    rows: np.ndarray = field(repr=False)
    scores: np.ndarray = field(repr=False)


def places_left_out(n_samples: int, most: int) -> np.ndarray:
    """Return which samples are left out, told by their place among all."""
    # The order of the samples of a class has no meaning: some of it are as good as any.
    return np.arange(0, n_samples, -(-n_samples // most))


def leave_one_out(
    draws: Sequence, samples: Samples, most: int, n_threads: int
) -> LeftOutScores:
    """Leave samples out of all draws, and choose the number of votes by them.

    The `draws` are of the type `Memorization`, and have their `left_out`, which is for
    at most so many samples.
    """
    places = places_left_out(samples.n_samples, most)
    n_classes = len(samples.sizes)
    check_room(
        (n_threads + 2) * 8 * len(places) * n_classes * len(VOTES),
        f"The votes of {n_classes} classes where {len(places):,} samples are left out",
    )
    rows = samples.row_numbers_at(places)
    labels = labels_at(samples.sizes, places)

    def votes_of(draw) -> np.ndarray:
        return _votes_without(draw.covering, draw.centers, draw.left_out, rows, labels)

    votes: np.ndarray | float = 0.0
    for start in range(0, len(draws), n_threads):
        some = draws[start : start + n_threads]
        for part in run_in_threads(votes_of, some, n_threads):
            votes = votes + part
    assert isinstance(votes, np.ndarray)
    weights = np.ascontiguousarray(_as_counts(samples.label_weights(places)).T)
    # Nothing can be said of classes that are declared, and have no sample so far.
    present = np.asarray(samples.sizes) > 0
    best: _Fit | None = None
    for number, n_votes in enumerate(VOTES.tolist()):
        before = None if best is None else best.parameters
        of_classes = np.ascontiguousarray(votes[:, present, number].T)
        fit = _fit(of_classes, weights[present], before)
        if best is None or fit.loss <= best.loss:
            best, chosen = fit, n_votes
    assert best is not None
    calibration = best.calibration(present)
    index = VOTES.tolist().index(chosen)
    scores = calibration.scores(votes[:, :, index])
    accuracy = _accuracy(scores.argmax(axis=1), weights.T)
    return LeftOutScores(chosen, calibration, accuracy, rows, scores)


def _votes_without(
    covering: Covering,
    centers: np.ndarray,
    left_out: LeftOutCodes,
    rows: np.ndarray,
    labels: np.ndarray,
) -> np.ndarray:
    """Return the votes of the classes where each of some samples is left out.

    They are of shape (n_rows, n_classes, len(VOTES)). `centers` and `rows` are row
    numbers, `labels` the class numbers of the rows.
    """
    made, set_by = _places(rows, centers), _places(rows, left_out.setters)
    sums = kernels.margin_sums(
        left_out.words,
        covering.masks,
        covering.bounds,
        covering.starts,
        VOTES,
        LeftOut(made, set_by, left_out.seconds),
    )
    widths = np.tile(covering.widths, (len(rows), 1))
    of_center = made[made >= 0]
    widths[of_center, labels[of_center]] -= 1
    n_summed = np.minimum(widths[:, :, np.newaxis], VOTES)
    return mean_margins(sums, n_summed, covering.hyperplanes.n_hyperplanes)


def _as_counts(weights: np.ndarray) -> np.ndarray:
    """Return weights that stand for numbers of samples.

    Integers are such numbers. Of others only the ratios matter: samples have 1 each on
    the mean.
    """
    largest = weights.max()
    if largest < 2.0**53 and (weights == np.floor(weights)).all():
        return weights
    weights = weights / largest
    return weights * (len(weights) / _sum(weights, np.ones(weights.shape)))


def _places(rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return where row numbers stand among distinct `rows`, -1 if they do not."""
    order = np.argsort(rows)
    places = order[np.searchsorted(rows, wanted, sorter=order) % len(rows)]
    return np.where(rows[places] == wanted, places, -1)


@dataclass(frozen=True)
class _Fit:
    """Parameters a', b_1, ..., b_C, the unit of a', and the loss."""

    parameters: np.ndarray
    unit: float
    loss: float

    def calibration(self, present: np.ndarray) -> Calibration:
        """Return scale and offsets; what is not `present` gets the lowest offset."""
        scale = max(float(self.parameters[0]), _LEAST_SCALE) / self.unit
        offsets = np.full(len(present), self.parameters[1:].min())
        offsets[present] = self.parameters[1:]
        return Calibration(scale, offsets)


def _fit(votes: np.ndarray, weights: np.ndarray, start: np.ndarray | None) -> _Fit:
    """Fit scale and offsets by Newton's method with halved steps.

    Votes and weights of labels are of shape (n_classes, n_samples).
    """
    n_classes, n_samples = votes.shape
    centered = votes - votes.mean(axis=0)
    totals = weights.sum(axis=0)
    total = _sum(totals, np.ones(n_samples))
    square = _sum(totals * (centered * centered).sum(axis=0), np.ones(n_samples))
    unit = float(np.sqrt(square / (total * n_classes))) or 1.0
    centered /= unit
    parameters = np.zeros(1 + n_classes)
    parameters[0] = 1.0
    if start is not None:
        parameters = start
    shares, loss = _shares(centered, weights, parameters)
    for _ in range(_MOST_STEPS):
        step = _newton_step(centered, weights, totals, shares, parameters)
        length, before = 1.0, loss
        while True:
            tried = parameters - length * step
            shares_there, loss_there = _shares(centered, weights, tried)
            if loss_there <= loss or length < 1e-3:
                break
            length /= 2
        if loss_there < loss:
            parameters, shares, loss = tried, shares_there, loss_there
        if before - loss <= _LEAST_GAIN * total:
            break
    return _Fit(parameters, unit, loss)


def _shares(centered, weights, parameters) -> tuple[np.ndarray, float]:
    """Return the probabilities of the classes, and the loss."""
    scores = parameters[0] * centered + parameters[1:, np.newaxis]
    shares = exponential(scores - scores.max(axis=0))
    shares /= shares.sum(axis=0)
    loss = -_sum(weights, logarithm(shares))
    return shares, loss + _sum(parameters, parameters) / 2


def _newton_step(centered, weights, totals, shares, parameters) -> np.ndarray:
    """Return the step that minimizes the quadratic approximation of the loss."""
    weighted = shares * totals
    excess = weighted - weights
    means = (shares * centered).sum(axis=0)
    ones = np.ones((1, centered.shape[1]))
    gradient = np.concatenate(
        ([_sum(excess, centered)], kernels.ordered_product(excess, ones)[:, 0])
    )
    moved = weighted * (centered - means)
    hessian = np.empty((len(gradient), len(gradient)))
    hessian[0, 0] = _sum(moved, centered)
    hessian[0, 1:] = hessian[1:, 0] = kernels.ordered_product(moved, ones)[:, 0]
    hessian[1:, 1:] = -kernels.ordered_product(weighted, shares)
    places = np.arange(1, len(gradient))
    hessian[places, places] += kernels.ordered_product(weighted, ones)[:, 0]
    hessian[np.arange(len(gradient)), np.arange(len(gradient))] += 1.0
    return _solution(hessian, gradient + parameters)


def _sum(values: np.ndarray, others: np.ndarray) -> float:
    """Return the sum of the products of two arrays, added in order."""
    product = kernels.ordered_product(values.reshape(1, -1), others.reshape(1, -1))
    return float(product[0, 0])


def _solution(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Solve a positive definite system by elimination, in fixed order."""
    matrix, vector = matrix.copy(), vector.copy()
    for j in range(len(vector)):
        factors = matrix[j + 1 :, j] / matrix[j, j]
        matrix[j + 1 :] -= factors[:, np.newaxis] * matrix[j]
        vector[j + 1 :] -= factors * vector[j]
    for j in reversed(range(len(vector))):
        vector[j] /= matrix[j, j]
        vector[:j] -= matrix[:j, j] * vector[j]
    return vector


def _accuracy(numbers: np.ndarray, weights: np.ndarray) -> float:
    """Return the share of samples whose label is the answer where they are left out.

    Where one of several equal samples is left out, the others still decide by majority.
    """
    right = 0.0
    is_single = (weights > 0).sum(axis=1) == 1
    is_single &= weights.max(axis=1) <= 1
    right += float(weights[is_single, numbers[is_single]].sum())
    for i in np.flatnonzero(~is_single):
        for label in np.flatnonzero(weights[i]):
            rest = weights[i].copy()
            rest[label] -= min(1.0, rest[label])
            answer = rest.argmax() if rest.any() else numbers[i]
            right += float(weights[i, label]) * float(answer == label)
    # Sums in another order may differ in their last digits.
    return min(1.0, right / float(weights.sum()))
