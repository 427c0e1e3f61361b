"""The outputs of a ReLU layer for many samples, in fixed point.

Outputs are rounded up to multiples of 2**-FRACTION_BITS of the scale of the data. That
is an activation s with s(t) = 0 for t <= 0 and s(t) > 0 for t > 0, all that the
construction asks for, and it makes every sum below 2**53 exact in any order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from ... import kernels
from ...exact._signs import DOUBLE, TINY, rounding
from ...kernels import LANES, Outputs
from ...kernels._threads import even_step, one_blas_thread, run_in_threads
from ._codes import unpack_bits, unpack_lanes
from ._exact_hyperplanes import ExactHyperplanes

FRACTION_BITS = 26
_EXACT_INTEGERS = 2.0**53
# So many tiles are rounded at a time.
_MOST_TILES = 256


def cap_of_outputs(n_hyperplanes: int) -> float:
    """Return the largest value of one output: n of them sum to less than 2**53."""
    return float(np.floor(_EXACT_INTEGERS / (n_hyperplanes + 1)))


@dataclass(frozen=True, eq=False)
class ReLUCodes:
    """Nonnegative integers: `values[i, j]` is what hyperplane j says of sample i.

    Positions come in tiles of 64, as in `BitCodes`; rows that hold no sample are at
    the cap, so that no neuron covers them.

    Parameters
    ----------
    values : ndarray of shape (64 * n_tiles, n_hyperplanes)
        Integers in double precision.
    n_samples : int
        Number of positions in use.
    rounded : Outputs or None, default=None
        The same with small integers, once all of them are there: see `arranged`.
    """

    values: np.ndarray = field(repr=False)
    n_samples: int
    rounded: Outputs | None = field(default=None, repr=False)

    @classmethod
    def empty(cls, n_samples: int, n_hyperplanes: int) -> ReLUCodes:
        """Return codes to be filled in, without a sample yet."""
        shape = (-(-n_samples // LANES) * LANES, n_hyperplanes)
        codes = cls(np.empty(shape), n_samples)
        codes.values.fill(codes.cap)
        return codes

    @classmethod
    def from_values(cls, values: np.ndarray) -> ReLUCodes:
        """Return the codes given as values of shape (n_samples, n_hyperplanes)."""
        codes = cls.empty(*values.shape)
        codes.values[: len(values)] = values
        return codes

    def put_outputs(self, positions, values) -> None:
        """Store codes at some positions."""
        self._writable()[positions] = values

    def put_columns(self, positions, first: int, values: np.ndarray) -> None:
        """Set the outputs of the hyperplanes from `first` on of some samples."""
        stop = first + values.shape[1]
        self._writable()[positions, first:stop] = values

    def _writable(self) -> np.ndarray:
        assert self.rounded is None, "rounded outputs would not follow"
        for derived in ("_any_at_cap", "_rounded"):
            vars(self).pop(derived, None)
        return self.values

    def outputs(self) -> np.ndarray:
        """Return all codes in a form that `put_outputs` takes."""
        return self.values[: self.n_samples]

    @property
    def cap(self) -> float:
        """Largest value of one output: n of them sum to less than 2**53."""
        return cap_of_outputs(self.values.shape[1])

    def part(self, tiles: slice) -> ReLUCodes:
        """Return the codes of some tiles, all their positions in use."""
        part = self.values[tiles.start * LANES : tiles.stop * LANES]
        rounded = None if self.rounded is None else self.rounded.part(tiles)
        return ReLUCodes(part, len(part), rounded)

    def arranged(self, n_threads: int = 1) -> ReLUCodes:
        """Return codes with small integers, by which most sums are decided.

        They share the memory of these codes, which must not be written any more.
        """
        step = even_step(len(self.values) // LANES, _MOST_TILES, n_threads) * LANES
        starts = range(0, max(len(self.values), 1), step)
        blocks = [self.values[start : start + step] for start in starts]
        parts = run_in_threads(kernels.round_outputs, blocks, n_threads)
        if len(parts) == 1:
            return ReLUCodes(self.values, self.n_samples, parts[0])
        _, *columns = map(np.concatenate, zip(*parts, strict=True))
        return ReLUCodes(self.values, self.n_samples, Outputs(self.values, *columns))

    @cached_property
    def _rounded(self) -> Outputs:
        return self.rounded or kernels.round_outputs(self.values)

    def take(self, positions) -> ReLUCodes:
        """Return a copy of the codes of some samples, one after the other."""
        return ReLUCodes.from_values(self.values[positions])

    def joined_by(self, *others: ReLUCodes) -> ReLUCodes:
        """Return a copy of these codes and others."""
        values = [codes.outputs() for codes in (self, *others)]
        return ReLUCodes.from_values(np.concatenate(values))

    def masks(self, positions) -> np.ndarray:
        """Return u = 1[output = 0] of some samples, packed like bits."""
        return kernels.pack_bits(self.values[positions] == 0)

    def largest_bounds(self, masks, skip: slice) -> np.ndarray:
        """Return `m = min <u, output> - |u| - 1`, over all but the tiles to skip.

        That leaves room for the rounding of the outputs, by at most one unit each, so
        that real-valued ReLU outputs give the same answers on the samples.
        """
        smallest = kernels.smallest_sums(self._rounded, masks, skip.start, skip.stop)
        if self._any_at_cap:
            # Outputs at the cap are larger in truth: no neuron may cover them.
            smallest = np.minimum(smallest, self.cap)
        sizes = np.bitwise_count(masks).sum(axis=1)
        return (smallest - sizes - 1).astype(np.int64)

    @cached_property
    def _any_at_cap(self) -> bool:
        return bool((self.outputs() >= self.cap).any())

    def unseparated(self, masks, tiles: slice) -> np.ndarray:
        """Return which samples of some tiles leave no neuron of such a mask a bound."""
        sizes = np.bitwise_count(masks).sum(axis=1)
        return self.covers(masks, sizes + 2, tiles)

    def covers(self, masks, bounds, tiles: slice) -> np.ndarray:
        """Return which samples of some tiles each neuron covers, one bit a lane."""
        outputs = self._rounded
        return kernels.sums_below(outputs, masks, bounds, tiles.start, tiles.stop)

    def classes_that_fire(self, masks, bounds, starts) -> np.ndarray:
        """Return the classes that have a neuron which covers the sample."""
        fired = kernels.classes_with_sums_below(
            self._rounded, masks, bounds, starts, self.n_samples
        )
        return unpack_lanes(fired, self.n_samples)

    def votes(self, masks, bounds, starts, n_votes: int):
        """Sum the `n_votes` largest margins m - <u, output> of each class.

        Returns them, and what `classes_that_fire` returns.
        """
        totals, fired = kernels.largest_margins_of_sums(
            self._rounded, masks, bounds, starts, n_votes, self.n_samples
        )
        return totals[: self.n_samples], unpack_lanes(fired, self.n_samples)

    def neuron_margins(self, masks, bounds) -> np.ndarray:
        """Return the margin m - <u, output> of each neuron, (n_samples, n_masks)."""
        weights = unpack_bits(masks, self.values.shape[1]).T.astype(np.float64)
        # Sums of integers below 2**53 are exact in any order.
        with one_blas_thread():
            return bounds - self.outputs() @ weights


def encode_relu(hyperplanes: ExactHyperplanes, codes: ReLUCodes, X, positions) -> None:
    """Store max(<w, x> + b, 0), rounded up to a multiple of the unit, of any rows.

    The unit is 2**(exponent - FRACTION_BITS). The double precision value v with
    its error bound leaves the ceiling open where v is close to a multiple k of the
    unit; there the exact sign of <w, x> + b - k decides. The hyperplanes of `axis` are
    left out.
    """
    unit_exponent = hyperplanes.exponent - FRACTION_BITS
    cap = codes.cap
    values, bounds = sums_in_double(hyperplanes, X, unit_exponent)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        within = np.clip(np.nan_to_num(values), -1.0, cap)
        nearest, ceilings = np.rint(within), np.maximum(np.ceil(within), 0.0)
        # Doubtful: |v - k| is within the bound for the nearest integer k, unless
        # both sides of it are clipped to the same value.
        distance = np.abs(values - nearest)
        certain = (distance > bounds) | (values + bounds <= 0)
        certain |= values - bounds >= cap
        rows, columns = np.nonzero(~certain)
    ceilings[rows, columns] = _settled(
        hyperplanes,
        X,
        rows,
        columns,
        nearest[rows, columns],
        bounds[rows, columns],
        cap,
    )
    codes.values[positions, : hyperplanes.n_drawn] = ceilings


class RowsInDouble(NamedTuple):
    """Dense rows `X[rows]`, packed, in units of ReLU outputs.

    `kernels.packed_rows` returned the `packed` rows and their `n_terms`; `norms` are
    upper bounds of the norms of the `values`, those of `kernels.rows_in_double`.
    """

    X: np.ndarray
    rows: np.ndarray
    packed: Any
    values: np.ndarray
    n_terms: np.ndarray
    norms: np.ndarray

    @classmethod
    def of(cls, hyperplanes: ExactHyperplanes, X, rows) -> RowsInDouble:
        """Pack rows for hyperplanes, or others that are in the same units."""
        shift, exponent = hyperplanes.shift, hyperplanes.exponent
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            packed, n_terms, squares = kernels.packed_rows(X, rows, shift, exponent)
            values = kernels.rows_in_double(
                packed, X, rows, shift, exponent - FRACTION_BITS
            )
            norms = np.ldexp(_norms(hyperplanes, X, rows, squares), FRACTION_BITS)
        return cls(X, rows, packed, values, n_terms, norms)


def encode_packed_relu(
    hyperplanes: ExactHyperplanes, codes: ReLUCodes, points: RowsInDouble, positions
) -> None:
    """Do what `encode_relu` does, for rows in units of these hyperplanes.

    Sums of k terms in double precision, of differences from the shift, and a bias have
    a relative error of gamma_{k + 2}; there is room for those of the bound. Terms that
    vanish in single precision, and whatever underflows, are covered by a tiny constant.
    """
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        biases, errors = hyperplanes.scaled_biases, np.zeros(hyperplanes.n_drawn)
        if hyperplanes.shift is not None:
            biases, errors = hyperplanes.exact_offsets
        lengths = hyperplanes.direction_bounds.astype(np.float64)
        biases, errors = np.ldexp((biases, errors), FRACTION_BITS)
        errors = errors * (1 + DOUBLE) + TINY * (1 + hyperplanes.n_features * lengths)
        relatives = rounding(points.n_terms + 8.0, DOUBLE)
        sizes = relatives * points.norms
        rows, columns = kernels.ceilings_of_rows(
            points.packed,
            points.values,
            hyperplanes.directions,
            (biases, lengths, errors),
            (sizes, relatives),
            positions,
            codes.cap,
            codes.values,
        )
        bounds = sizes[rows] * lengths[columns]
        bounds += relatives[rows] * np.abs(biases[columns]) + errors[columns]
    if len(rows):
        nearest = codes.values[positions[rows], columns]
        codes.values[positions[rows], columns] = _settled(
            hyperplanes,
            points.X,
            points.rows[rows],
            columns,
            nearest,
            bounds,
            codes.cap,
        )


def _norms(hyperplanes: ExactHyperplanes, X, rows, squares) -> np.ndarray:
    """Return upper bounds of the norms of rows, from squares in single precision."""
    norms = np.sqrt(squares + hyperplanes.n_features * 2.0**-126) * (1 + 2.0**-20)
    beyond = np.flatnonzero(~np.isfinite(norms))
    if len(beyond):  # of single precision: |x| is at most the sum of all |x_j|
        points = X[rows[beyond]].astype(np.float64)
        if hyperplanes.shift is not None:
            points -= hyperplanes.shift
        points = np.ldexp(np.abs(points), -hyperplanes.exponent)
        norms[beyond] = points.sum(axis=1) * (1 + 2.0**-20)
    return norms


def _settled(
    hyperplanes: ExactHyperplanes, X, rows, columns, nearest, bounds, cap: float
) -> np.ndarray:
    """Return doubtful outputs: <w, x> + b in units, rounded up and cut to 0 .. cap.

    The sums are within the bounds of the nearest integers, -1 .. cap.
    """
    unit_exponent = hyperplanes.exponent - FRACTION_BITS
    settled = nearest.copy()
    near = np.flatnonzero(bounds < 0.5)
    wide = np.flatnonzero(~(bounds < 0.5))
    if len(near):
        shifts = -np.ldexp(nearest[near], unit_exponent)
        settled[near] += hyperplanes.exact_signs(X, rows[near], columns[near], shifts)
    if len(wide):
        settled[wide] = hyperplanes.exact_ceilings(
            X, rows[wide], columns[wide], unit_exponent, cap
        )
    return np.clip(settled, 0.0, cap)


def sums_in_double(
    hyperplanes: ExactHyperplanes, X, exponent: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return <w, x> + b in units of 2**exponent, and bounds of the rounding errors.

    The hyperplanes of `axis` are left out. Values that overflow are not finite, nor are
    their bounds. Where the data lie far from the origin, sums are <w, x - shift> + b',
    whose terms and errors are small.
    """
    exponent = hyperplanes.exponent if exponent is None else exponent
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        scaled, biases = X.astype(np.float64), hyperplanes.scaled_biases
        errors = np.zeros(len(biases))
        if hyperplanes.shift is not None and not sparse.issparse(X):
            scaled -= hyperplanes.shift
            biases, errors = hyperplanes.exact_offsets
        if sparse.issparse(scaled):
            scaled.data = np.ldexp(scaled.data, -exponent)
            norms = np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel())
            sums_of_sizes = np.asarray(abs(scaled).sum(axis=1)).ravel()
        else:
            scaled = np.ldexp(scaled, -exponent)
            norms = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))
            sums_of_sizes = np.abs(scaled).sum(axis=1)
        # Squares overflow where numbers do not; |x| is at most the sum of all |x_j|.
        norms = np.where(np.isfinite(norms), norms, sums_of_sizes)
        biases = np.ldexp(biases, hyperplanes.exponent - exponent)
        errors = np.ldexp(errors, hyperplanes.exponent - exponent)
        values = scaled @ hyperplanes.directions.T.astype(np.float64)
        values = (values.toarray() if sparse.issparse(values) else values) + biases
        magnitude = norms[:, np.newaxis] * hyperplanes.direction_bounds.astype(float)
        magnitude += np.abs(biases)
        # One rounding more is that of the difference.
        bounds = 4 * rounding(hyperplanes.n_features + 5.0, DOUBLE) * magnitude
        bounds += errors + TINY
    return values, bounds


def axis_outputs(hyperplanes: ExactHyperplanes, X, cap: float) -> np.ndarray:
    """Return the outputs of the axis-parallel hyperplanes, rounded up to units."""
    axis, unit_exponent = hyperplanes.axis, hyperplanes.exponent - FRACTION_BITS
    distances = axis.distances(X)
    with np.errstate(over="ignore", under="ignore"):
        values = np.ldexp(distances, axis.exponents.astype(np.intp) - unit_exponent)
    values = np.where(distances > 0, np.maximum(np.ceil(values), 1.0), 0.0)
    return np.minimum(values, cap)
