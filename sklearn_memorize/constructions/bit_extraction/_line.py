"""Samples on a line: positions, keys, runs of these, and borders between groups."""

from dataclasses import dataclass

import numpy as np

from ...exact._products import exact_products
from ...exceptions import InterpolationError
from .._directions import draw_directions, project
from ._network import Line

# Binary digits of the factor that scales the line; more do not save parameters.
_SCALE_BITS = 5
# Directions lie on the first of these grids on which one tells all samples apart.
_GRID_STEPS = (2.0**-20, 2.0**-40)
# Positions below this one are stored as 64-bit integers.
_LARGEST_POSITION = 1 << 60


@dataclass(frozen=True)
class SortedSamples:
    """The samples from left to right on a line."""

    line: Line
    positions: np.ndarray  # Python integers, in units of 2**-n_bits
    n_bits: int
    labels: np.ndarray

    @property
    def keys(self) -> np.ndarray:
        """Integers such that z - key is in (label, label + 1], increasing.

        Samples are one more apart than there are classes.
        """
        keys = -((-self.positions) >> self.n_bits) - 1
        return keys - self.labels.astype(object)

    def fits_64_bits(self, more: int) -> bool:
        """Say whether the keys, and others beyond them, are 64-bit integers."""
        return bool(self.keys[-1] + more < _LARGEST_POSITION)


def sort_on_a_line(
    X, labels: np.ndarray, apart: int, rng, n_projections: int
) -> SortedSamples:
    """Choose a direction for the rows of X, and sort them by where they are on it.

    They are `apart`, or farther, and the first one is less than 1 to the right of that.
    """
    line, order, positions, n_bits = best_line(X, rng, n_projections, apart)
    return SortedSamples(line, positions, n_bits, labels[order])


def best_line(X, rng, n_projections: int, apart: int):
    """Choose a direction, and scale it so that samples are so far `apart`.

    Returns the first layer, the samples from left to right, and their positions as
    Python integers in units of 2**-n_bits, with that number of bits.
    """
    for step in _GRID_STEPS:
        directions = draw_directions(X, rng, n_projections, step=step)
        for number in np.argsort(-_relative_gaps(X, directions), kind="stable"):
            products = exact_products(X, directions[number])
            order = np.argsort(products.values, kind="stable")
            gaps = np.diff(products.values[order])
            equal = np.flatnonzero(gaps == 0)
            if (gaps > 0).all():
                line = _scaled(directions[number], products, gaps, apart)
                return line, order, *_sorted_positions(line, products, order)
    raise InterpolationError(
        "Some distinct rows have equal projections on each of the random directions. "
        "Increase n_projections, or try another random_state."
    ).about(order[np.append(equal, equal + 1)])


def _relative_gaps(X, directions) -> np.ndarray:
    """Return the smallest gap of each projection in units of the median one."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        gaps = np.diff(np.sort(project(X, directions), axis=0), axis=0)
        if not len(gaps):
            return np.zeros(len(directions))
        return np.nan_to_num(gaps.min(axis=0) / np.median(gaps, axis=0), nan=0.0)


def _scaled(direction, products, gaps, apart: int) -> Line:
    """Scale by the smallest number of a few digits that suffices; start at `apart`."""
    smallest = min(gaps.tolist(), default=1)
    exponent = apart.bit_length() - smallest.bit_length() - _SCALE_BITS
    # multiplier * 2**exponent * smallest >= apart
    multiplier = -(-(apart << max(0, -exponent)) // (smallest << max(0, exponent)))
    lowest = int(products.values.min()) * multiplier
    floor = lowest << exponent if exponent >= 0 else lowest >> -exponent
    exponent -= products.exponent
    return Line(direction, multiplier, exponent, apart - floor)


def _sorted_positions(line: Line, products, order):
    exponent = min(0, products.exponent + line.exponent)
    scaled = products.in_units(exponent - line.exponent) * line.multiplier
    return scaled[order] + (line.shift << -exponent), -exponent


def _bit_length(number) -> int:
    return int(number).bit_length()


_bit_lengths = np.frompyfunc(_bit_length, 1, 1)


def bit_lengths(numbers) -> np.ndarray:
    """Return the numbers of binary digits of integers."""
    return _bit_lengths(numbers).astype(np.int64)


def lengths_of_runs(ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how long the runs between the ends are, sorted, and how many of each.

    `ends` says of each difference of two keys whether a run ends there.
    """
    starts = np.flatnonzero(ends) + 1
    runs = np.diff(starts, prepend=0, append=len(ends) + 1)
    return np.unique(runs, return_counts=True)


def group_starts(keys, size: int, longest_difference: int | None) -> np.ndarray:
    """Return where each group of up to `size` keys starts, and the number of keys.

    A group ends where the difference of two keys is longer than may be.
    """
    too_long = np.zeros(len(keys) - 1, dtype=bool)
    if longest_difference is not None:
        too_long = np.diff(keys) > longest_difference
    ends = np.append(np.flatnonzero(too_long) + 1, len(keys))
    starts = np.append(0, ends[:-1])
    pieces = [np.arange(*run, size) for run in zip(starts, ends, strict=True)]
    return np.append(np.concatenate(pieces), len(keys))


def borders_between(samples: SortedSamples, starts) -> np.ndarray:
    """Return an integer e in the middle of each gap: the ramp is from e to e + 1."""
    positions, n_bits = samples.positions, samples.n_bits
    before = -((-positions[starts[1:-1] - 1]) >> n_bits)
    after = positions[starts[1:-1]] >> n_bits
    return (before + after - 1) // 2
