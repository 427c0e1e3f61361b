"""Whether a prediction holds while bits of near hyperplanes may be anything.

Let near bits be free, phi be the bits of x, and m - <u, phi> the margin of a neuron. A
zero that becomes one lowers the margins of neurons with u = 1, a one that becomes zero
raises them. So in all cases

    m - <u, phi> - #{near zeros in u}  <=  margin  <=  m - <u, phi> + #{near ones in u},

which says who may fire, and who does for sure. Of scores more is known: take the v
neurons of the predicted class whose margins at x are the largest, and f, the mean of
their vectors u. Their mean margin is at most that of the v largest ones wherever x
moves. Against it a neuron of another class gains, by a bit that changes, at most

    max(0, f - u)  if it is a zero,     max(0, u - f)  if it is a one:

nothing where both classes read the bit alike. All sums are integers once they are
multiplied by v.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

# Rows times neurons or hyperplanes of a draw, about so many at once.
_BLOCK_MARGINS = 1 << 22
# Integers up to this one are exact in single precision, and so are their sums.
_LARGEST_EXACT = 1 << 23
# Scores are sums of a few thousand margins; what is wrong with them is less.
TOLERANCE = 1e-9


@dataclass(frozen=True)
class _Draw:
    """One covering at some rows: bits, margins, and what the predicted class reads.

    `read` is v f, and `own` the sum of the v largest margins of the predicted class.
    """

    masks: np.ndarray  # (n_hyperplanes, n_neurons)
    starts: np.ndarray
    bits: np.ndarray  # (n_rows, n_hyperplanes)
    margins: np.ndarray  # (n_rows, n_neurons)
    n_own: np.ndarray  # v, for each row
    read: np.ndarray
    own: np.ndarray

    @classmethod
    def at(cls, covering, X, numbers, n_votes: int) -> _Draw:
        n_bits = covering.hyperplanes.n_hyperplanes
        most = min(n_votes, int(covering.widths.max(initial=1)))
        small = 2 * most * n_bits < _LARGEST_EXACT
        dtype = np.float32 if small else np.float64
        masks = np.ascontiguousarray(covering.mask_matrix().T, dtype=dtype)
        bits = covering.hyperplanes.signs(X).astype(dtype)
        margins = covering.bounds.astype(dtype) - bits @ masks
        n_own = np.ones(len(bits), dtype=dtype)
        read = np.zeros_like(bits)
        # A class without a neuron has the lowest margin, and reads nothing.
        own = np.full(len(bits), -n_bits, dtype=dtype)
        for number, (start, stop) in enumerate(pairwise(covering.starts)):
            rows = np.flatnonzero(numbers == number)
            if stop == start or len(rows) == 0:
                continue
            of_class = margins[rows, start:stop]
            v = min(n_votes, stop - start)
            order = np.argsort(-of_class, axis=1, kind="stable")[:, :v]
            chosen = np.zeros(of_class.shape, dtype=dtype)
            np.put_along_axis(chosen, order, 1, axis=1)
            read[rows] = chosen @ masks[:, start:stop].T
            own[rows] = (chosen * of_class).sum(axis=1)
            n_own[rows] = v
        return cls(masks, covering.starts, bits, margins, n_own, read, own)

    def largest(self, values: np.ndarray, lowest: float) -> np.ndarray:
        """Return the largest value of each class; the lowest where it has no neuron."""
        classes = [
            values[:, start:stop].max(axis=1, initial=lowest)
            for start, stop in pairwise(self.starts)
        ]
        return np.stack(classes, axis=1)

    def may_fire(self, near: np.ndarray) -> np.ndarray:
        """Return which classes may fire, (n_rows, n_classes)."""
        raised = self.margins + (near * self.bits) @ self.masks
        return self.largest(raised, 0.0) > 0

    def fires_for_sure(self, near: np.ndarray) -> np.ndarray:
        """Return which classes fire wherever the near bits are."""
        lowered = self.margins - (near * (1 - self.bits)) @ self.masks
        return self.largest(lowered, 0.0) > 0

    def least_gaps(self, near: np.ndarray, n_votes: int) -> np.ndarray:
        """Return by how much the predicted class leads the others, at least.

        In units of margins as shares of the hyperplanes, of shape (n_rows, n_classes).
        """
        v = self.n_own[:, np.newaxis]
        zeros, ones = near * (1 - self.bits), near * self.bits
        lost = (zeros * self.read).sum(axis=1)
        gained = (ones * (v - self.read) - zeros * self.read) @ self.masks
        gained += v * self.margins
        n_bits = self.bits.shape[1]
        gaps = np.empty((len(near), len(self.starts) - 1))
        for number, (start, stop) in enumerate(pairwise(self.starts)):
            if stop == start:
                gaps[:, number] = self.own - lost + self.n_own * n_bits
                continue
            n_others = min(n_votes, stop - start)
            values = gained[:, start:stop]
            if n_others < stop - start:
                place = stop - start - n_others
                values = np.partition(values, place, axis=1)[:, place:]
            others = values.astype(np.float64).sum(axis=1) / n_others
            gaps[:, number] = self.own - lost - others
        return gaps / (self.n_own.astype(np.float64) * n_bits)[:, np.newaxis]


def held_radii(network, X, numbers, distances: list, decision, n_votes) -> np.ndarray:
    """Return how near the nearest hyperplane is that the prediction does not bear.

    `distances` are those of the rows to the hyperplanes of each covering. Infinite
    where the prediction holds wherever all bits are.
    """
    radii = np.empty(X.shape[0])
    widest = max(
        max(covering.n_neurons, covering.hyperplanes.n_hyperplanes)
        for covering in network.coverings
    )
    step = max(1, _BLOCK_MARGINS // (widest * len(network.coverings)))
    for start in range(0, X.shape[0], step):
        some = slice(start, start + step)
        near = [table[some] for table in distances]
        radii[some] = _search(network, X[some], numbers[some], near, decision, n_votes)
    return radii


def _search(network, X, numbers, distances, decision, n_votes) -> np.ndarray:
    """Find by bisection how many of the nearest bits may be free."""
    ordered = np.sort(np.hstack(distances), axis=1)
    ordered = np.hstack([ordered, np.full((len(ordered), 1), np.inf)])
    draws = [_Draw.at(c, X, numbers, n_votes) for c in network.coverings]
    low = np.zeros(len(ordered), dtype=np.intp)
    high = np.full(len(ordered), ordered.shape[1], dtype=np.intp)
    while (high - low > 1).any():
        middle = (low + high) // 2
        limits = np.take_along_axis(ordered, middle[:, np.newaxis], axis=1)
        near = [
            (table < limits).astype(draw.bits.dtype)
            for table, draw in zip(distances, draws, strict=True)
        ]
        if decision == "vote" and network.widths[-1] > 1:
            holds = _vote_holds(network, draws, near, numbers, n_votes)
        else:
            holds = _outputs_hold(draws, near, numbers)
        low, high = np.where(holds, middle, low), np.where(holds, high, middle)
    return np.take_along_axis(ordered, low[:, np.newaxis], axis=1)[:, 0]


def _outputs_hold(draws, near, numbers) -> np.ndarray:
    pairs = list(zip(draws, near, strict=True))
    sure = np.logical_or.reduce([draw.fires_for_sure(n) for draw, n in pairs])
    may = np.logical_or.reduce([draw.may_fire(n) for draw, n in pairs])
    if may.shape[1] == 1:  # one class, which fires or does not
        return np.where(numbers == 1, sure[:, 0], ~may[:, 0])
    own = numbers[:, np.newaxis]
    sure = np.take_along_axis(sure, own, axis=1)[:, 0]
    classes = np.arange(may.shape[1])
    before = (may & (classes < own)).any(axis=1)
    # Where no class fires, the first one is predicted.
    nobody = (numbers == 0) & ~may[:, 1:].any(axis=1)
    return (sure & ~before) | nobody


def _vote_holds(network, draws, near, numbers, n_votes) -> np.ndarray:
    """By the two steps of the vote: neither says another class."""
    pairs = list(zip(draws, near, strict=True))
    own = numbers[:, np.newaxis]
    other = np.arange(network.widths[-1]) != own
    sure = sum(draw.fires_for_sure(n).astype(np.intp) for draw, n in pairs)
    sure = np.take_along_axis(sure, own, axis=1)[:, 0]
    may = sum(draw.may_fire(n).astype(np.intp) for draw, n in pairs)
    may = np.where(other, may, 0).max(axis=1)
    another_alone = (sure == 0) & (may >= network.quorum)
    always_alone = (may == 0) & (sure >= network.quorum)
    gaps = np.add.reduce([draw.least_gaps(n, n_votes) for draw, n in pairs])
    scale, slack = 1.0, 0.0
    if network.calibration is not None:
        scale, offsets = network.calibration.scale, network.calibration.offsets
        gaps = scale * gaps + (offsets[own] - offsets)
        slack = float(np.abs(offsets).max())
    slack = TOLERANCE * (scale * len(draws) + slack + 1.0)
    leads = np.where(other, gaps, np.inf).min(axis=1) > slack
    return ~another_alone & (leads | always_alone)
