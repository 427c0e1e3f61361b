"""The largest or smallest of many numbers by layers of ReLU nodes, pair by pair.

A value v is held as a sum of nodes with signs. One layer replaces two values by the
larger or the smaller one, with r = ReLU:

    max(a, b) = r(a - b) + r(b) - r(-b)      for any numbers
    max(a, b) = r(a - b) + r(b)              for numbers that are not negative
    min(a, b) = r(a) - r(a - b)              for numbers that are not negative

so n values take ceil(log2 n) layers, and n - 1 pairs in all. A value without a partner
is handed on, by two nodes or by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class Rule:
    """Nodes as (factor of a, factor of b, sign in the sum); of one value the same."""

    of_pair: tuple[tuple[int, int, int], ...]
    of_one: tuple[tuple[int, int], ...]

    def width(self, n_pairs: int, n_single: int) -> int:
        """Return the number of nodes of a layer."""
        return len(self.of_pair) * n_pairs + len(self.of_one) * n_single


LARGEST = Rule(((1, -1, 1), (0, 1, 1), (0, -1, -1)), ((1, 1), (-1, -1)))
LARGEST_OF_POSITIVE = Rule(((1, -1, 1), (0, 1, 1)), ((1, 1),))
SMALLEST_OF_POSITIVE = Rule(((1, 0, 1), (1, -1, -1)), ((1, 1),))


def rounds(read, groups: np.ndarray, rule: Rule):
    """Return the weights of all layers, and how each group's value is read off.

    `read` is the matrix, (n_values, n_nodes), by which values are read off the nodes
    below, and `groups` are the sorted group numbers of the values.
    """
    weights = []
    while (np.diff(groups) == 0).any():
        first, single, order = _pairs(groups)
        weights.append(_layer(read, first, single, rule))
        read = _reading(len(first), len(single), rule)[order]
        groups = np.concatenate([groups[first], groups[single]])[order]
    return weights, read


def widths_of_rounds(sizes: np.ndarray, rule: Rule) -> list[int]:
    """Return the number of nodes of each layer, given the sizes of the groups."""
    widths = []
    while (sizes > 1).any():
        n_single = int((sizes % 2).sum())
        widths.append(rule.width(int((sizes // 2).sum()), n_single))
        sizes = (sizes + 1) // 2
    return widths


def _pairs(groups):
    """Return the first of each pair, values without partner, and the order to come."""
    starts = np.flatnonzero(np.diff(groups, prepend=groups[0] - 1))
    sizes = np.diff(np.append(starts, len(groups)))
    rank = np.arange(len(groups)) - np.repeat(starts, sizes)
    even = rank % 2 == 0
    last = rank + 1 == np.repeat(sizes, sizes)
    first, single = np.flatnonzero(even & ~last), np.flatnonzero(even & last)
    return first, single, np.argsort(np.concatenate([first, single]))


def _layer(read, first, single, rule: Rule) -> sparse.csr_array:
    a, b, one = read[first], read[first + 1], read[single]
    of_pairs = [a * factor + b * other for factor, other, _ in rule.of_pair]
    of_ones = [one * factor for factor, _ in rule.of_one]
    weights = sparse.csr_array(sparse.vstack([*of_pairs, *of_ones]))
    weights.eliminate_zeros()
    return weights


def _reading(n_pairs: int, n_single: int, rule: Rule) -> sparse.csr_array:
    """Return which nodes make up the value of each pair, and of each single value."""
    of_pairs = [sign * sparse.eye_array(n_pairs) for *_, sign in rule.of_pair]
    of_ones = [sign * sparse.eye_array(n_single) for *_, sign in rule.of_one]
    pairs, ones = sparse.hstack(of_pairs), sparse.hstack(of_ones)
    return sparse.csr_array(sparse.block_diag([pairs, ones]))
