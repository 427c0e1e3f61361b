"""One label or target for each distinct row, where equal rows carry several.

Samples in memory, in batches and in chunks all come here: `resolve_labels` counts the
votes of samples at hand, and `Ballots` keeps votes that are counted again later.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from ..exceptions import ConflictingLabelsWarning
from ..network._storage import storable
from ._messages import warn

_EXACT_INTEGERS = 2.0**53


class ConflictRule(NamedTuple):
    """How conflicts are settled, in the words of the messages."""

    what: str  # rows carry several of these
    setting: str  # the value of the parameter `conflicts`
    keeps: str  # what that value keeps
    memorized: str


LABELS = ConflictRule(
    "labels",
    "majority",
    "the label of largest total weight",
    "the label of largest total weight is memorized",
)
TARGETS = ConflictRule(
    "targets",
    "mean",
    "the weighted mean of the targets",
    "their weighted mean is memorized",
)


def report_conflicts(n_conflicts: int, policy: str, rule: ConflictRule) -> None:
    """Warn of rows that carry several labels; raise if the policy is "raise"."""
    if n_conflicts == 0:
        return
    message = f"{n_conflicts} distinct rows carry several {rule.what}"
    if policy == "raise":
        raise ValueError(
            f"{message}, which no function can return. Clean the data, or set "
            f"conflicts={rule.setting!r} to keep {rule.keeps}."
        )
    warn(
        f"{message}; {rule.memorized}. Set conflicts='raise' to make this an error.",
        ConflictingLabelsWarning,
    )


def resolve_labels(
    inverse: np.ndarray, labels: np.ndarray, weights: np.ndarray | None, n_distinct: int
) -> tuple[np.ndarray, int]:
    """Choose one label for each distinct row: the one of largest total weight.

    Sample i equals the distinct row `inverse[i]`, has the class number `labels[i]` and
    the weight `weights[i]` (1 if None). Of equal totals the smallest label wins. Also
    returns the number of rows with several labels.
    """
    resolved, disputes = _last_values(inverse, labels, n_distinct)
    for row, samples in disputes.items():
        resolved[row] = _heaviest(labels[samples], _of(weights, samples))
    return resolved, len(disputes)


def resolve_targets(
    inverse: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray | None,
    n_distinct: int,
) -> tuple[np.ndarray, int]:
    """Choose one target for each distinct row: the weighted mean of each column.

    The mean is computed exactly and rounded once: it depends neither on the order of
    the samples, nor on whether a sample has weight 2 or stands there twice. Also
    returns the number of rows with several targets.
    """
    resolved, disputes = _last_values(inverse, targets, n_distinct)
    for row, samples in disputes.items():
        of_samples = _of(weights, samples)
        resolved[row] = [_mean(column, of_samples) for column in targets[samples].T]
    return resolved, len(disputes)


def _of(weights: np.ndarray | None, samples: list[int]) -> np.ndarray | None:
    return None if weights is None else weights[samples]


def _last_values(
    inverse: np.ndarray, values: np.ndarray, n_distinct: int
) -> tuple[np.ndarray, dict[int, list[int]]]:
    """Return the last value of each distinct row, and the samples of disputed rows."""
    resolved = np.empty((n_distinct, *values.shape[1:]), dtype=values.dtype)
    resolved[inverse] = values
    disputes: dict[int, list[int]] = {}
    if n_distinct == len(values):
        return resolved, disputes
    differs = (resolved[inverse] != values).reshape(len(values), -1).any(axis=1)
    is_disputed = np.zeros(n_distinct, dtype=bool)
    is_disputed[inverse[differs]] = True
    for sample in np.flatnonzero(is_disputed[inverse]).tolist():
        disputes.setdefault(int(inverse[sample]), []).append(sample)
    return resolved, disputes


def _heaviest(labels: np.ndarray, weights: np.ndarray | None) -> int:
    """Return the label of largest total weight, the smallest of equals."""
    totals: dict[int, int] = {}
    for number, label in enumerate(labels.tolist()):
        weight = 1 if weights is None else _in_units(float(weights[number]))
        totals[label] = totals.get(label, 0) + weight
    return min(totals, key=lambda label: (-totals[label], label))


def _in_units(weight: float) -> int:
    """Return the weight in units of the smallest double, 2**-1074: an integer."""
    numerator, denominator = weight.as_integer_ratio()
    return numerator * (2**1074 // denominator)


def _mean(values: np.ndarray, weights: np.ndarray | None) -> float:
    exact = [Fraction(float(value)) for value in values]
    if weights is None:
        return float(sum(exact) / len(exact))
    shares = [Fraction(float(weight)) for weight in weights]
    total = sum(share * value for share, value in zip(shares, exact, strict=True))
    return float(total / sum(shares))


@storable
@dataclass(frozen=True)
class Ballots:
    """Votes of all batches so far, each for a label of a row, with a weight.

    They are sorted by row and then by label. The weights of one row and label are added
    up where that is exact.
    """

    rows: np.ndarray
    labels: np.ndarray
    weights: np.ndarray

    @classmethod
    def none(cls) -> Ballots:
        """Return no votes at all."""
        return cls(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0))

    def joined_by(self, rows, labels, weights) -> Ballots:
        """Return these ballots and others."""
        rows = np.concatenate((self.rows, rows))
        labels = np.concatenate((self.labels, labels))
        weights = np.concatenate((self.weights, weights))
        order = np.lexsort((labels, rows))
        rows, labels, weights = rows[order], labels[order], weights[order]
        is_first = np.ones(len(rows), dtype=bool)
        is_first[1:] = (rows[1:] != rows[:-1]) | (labels[1:] != labels[:-1])
        starts = np.flatnonzero(is_first)
        with np.errstate(over="ignore"):
            totals = np.add.reduceat(weights, starts)
        # Integers whose sum is below 2**53 are added without rounding.
        exact = np.logical_and.reduceat(weights == np.floor(weights), starts)
        exact &= totals < _EXACT_INTEGERS
        weights[starts[exact]] = totals[exact]
        kept = is_first | ~exact[np.cumsum(is_first) - 1]
        return Ballots(rows[kept], labels[kept], weights[kept])

    def of_rows(self, rows: np.ndarray, n_rows: int) -> Ballots:
        """Return the ballots of some rows, whose numbers are their places therein."""
        places = np.full(n_rows, -1, dtype=np.intp)
        places[rows] = np.arange(len(rows))
        kept = np.flatnonzero(places[self.rows] >= 0)
        return Ballots(places[self.rows[kept]], self.labels[kept], self.weights[kept])

    def n_conflicts(self) -> int:
        """Return the number of rows with several labels."""
        same_row = self.rows[1:] == self.rows[:-1]
        disputed = same_row & (self.labels[1:] != self.labels[:-1])
        return len(np.unique(self.rows[1:][disputed]))
