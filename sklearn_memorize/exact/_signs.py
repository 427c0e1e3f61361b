"""Signs of affine forms, exact for every finite input.

The forms are `<w, x> + b + c` with single precision `w` and double precision `x`, `b`
and `c`. They are evaluated in two rounds: in double precision with an error bound, and
what the bound leaves open in exact arithmetic.
"""

import math

import numpy as np

from .. import kernels

# Units of rounding.
SINGLE = 2.0**-24
DOUBLE = 2.0**-53
SMALLEST_NORMAL = 2.0**-1022
# Below this, single precision may underflow or be flushed to zero.
TINY = 2.0**-120
# Products of these sizes have no error from over- or underflow, nor have their halves.
_SAFE_LOW, _SAFE_HIGH = 2.0**-900, 2.0**1000
# Terms below this are multiplied by its inverse, which makes no error.
_TINY_TERMS = 2.0**-600
_VALUES_AT_ONCE = 1 << 20
# Terms that kernels add beside the products.
_MORE_TERMS = 40


def rounding(n_operations, unit: float):
    """Return gamma_k = k u / (1 - k u), the relative error of k roundings."""
    return n_operations * unit / (1.0 - n_operations * unit)


def rounded_up(bounds: np.ndarray) -> np.ndarray:
    """Return bounds in single precision, with room for the roundings of their use."""
    with np.errstate(over="ignore"):  # an infinite bound leaves a sign open
        return (bounds * (1 + 2.0**-18)).astype(np.float32)


def signs(X, rows, directions, columns, offsets, shifts) -> np.ndarray:
    """Return [<w, x> + b + c > 0] for pairs of points and directions, exactly.

    Pair i consists of the point x = `X[rows[i]]`, the direction w =
    `directions[columns[i]]` in single precision, b = `offsets[i]` and c = `shifts[i]`.
    """
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        sums, magnitudes = kernels.pair_sums(X, rows, directions, columns)
        values = sums + offsets + shifts
        # Any order of summation: |error| <= gamma_{d + 3} * sum of |terms|.
        magnitudes = magnitudes + np.abs(offsets) + np.abs(shifts)
        n_features = X.shape[1]
        bounds = 2 * rounding(n_features + 4, DOUBLE) * magnitudes
        bounds += (n_features + 2) * SMALLEST_NORMAL
        positive = values > 0
        doubtful = np.flatnonzero(~(np.abs(values) > bounds))
    if len(doubtful):
        X, *pairs = _scaled_up(
            X, rows[doubtful], columns[doubtful], offsets[doubtful], shifts[doubtful]
        )
        values, bounds = compensated_sums(X, directions, *pairs)
        positive[doubtful] = values > 0
        left = ~(np.abs(values) > bounds)
        small, doubtful = bounds[left], doubtful[left]
        pairs = [values[left] for values in pairs]
    if len(doubtful):
        # Of the sums that are within these bounds only zero is a multiple of the unit.
        is_zero = 2 * small < _common_units(X, directions, *pairs)
        positive[doubtful[is_zero]] = False
        doubtful = doubtful[~is_zero]
        pairs = [values[~is_zero] for values in pairs]
        for place, row, column, offset, shift in zip(doubtful, *pairs, strict=True):
            sign = exact_sign(directions[column], X[row], float(offset), float(shift))
            positive[place] = sign > 0
    return positive


def _scaled_up(X, rows, columns, offsets, shifts) -> tuple:
    """Return points and pairs whose forms have the same signs, and do not underflow.

    Where all terms are tiny, points, b and c are multiplied by a power of two.
    """
    if max(np.abs(offsets).max(), np.abs(shifts).max()) < _TINY_TERMS:
        used, places = np.unique(rows, return_inverse=True)
        if np.abs(X[used]).max(initial=0.0) < _TINY_TERMS:
            X, rows = X[used].astype(np.float64) / _TINY_TERMS, places
            offsets, shifts = offsets / _TINY_TERMS, shifts / _TINY_TERMS
    return X, rows, columns, offsets, shifts


def compensated_sums(
    X, directions, rows, columns, offsets, shifts
) -> tuple[np.ndarray, np.ndarray]:
    """Return <w, x> + b + c of pairs as with three times the digits, and error bounds.

    The pairs are those of `signs`. For k terms of total size M, what the third of the
    sums of the kernel holds is at most gamma_k^2 M, and its own error at most
    gamma_k^3 M; the result is rounded twice. Some terms more are for the sums of parts.
    Where a product may over- or underflow, the bound is infinite.
    """
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        values, magnitudes, smallest = kernels.compensated_sums(
            X, rows, directions, columns, offsets, shifts
        )
        relative = rounding(2.0 * X.shape[1] + _MORE_TERMS, DOUBLE)
        # Sizes are sums themselves, of one rounding each.
        magnitudes = magnitudes * (1 + relative)
        bounds = 2 * DOUBLE * np.abs(values) + 4 * relative**3 * magnitudes
        is_safe = (smallest > _SAFE_LOW) & (magnitudes < _SAFE_HIGH)
    return values, np.where(is_safe, bounds, np.inf)


def _common_units(X, directions, rows, columns, offsets, shifts) -> np.ndarray:
    """Return powers of two that all terms of <w, x> + b + c are multiples of.

    They may be smaller than they could be, and are zero where they underflow.
    """
    units = np.minimum(_lowest_bits(offsets), _lowest_bits(shifts))
    step = max(1, _VALUES_AT_ONCE // X.shape[1])
    with np.errstate(over="ignore", under="ignore"):
        for start in range(0, len(rows), step):
            some = slice(start, start + step)
            w = directions[columns[some]].astype(np.float64)
            x = X[rows[some]].astype(np.float64)
            products = _lowest_bits(w) * _lowest_bits(x)
            units[some] = np.minimum(units[some], products.min(axis=1))
    return units


def _lowest_bits(values: np.ndarray) -> np.ndarray:
    """Return the power of two of the last bit of each number that is set.

    It is infinite for zero, which is a multiple of any number.
    """
    mantissas, exponents = np.frexp(values.astype(np.float64))
    integers = np.ldexp(mantissas, 53).astype(np.int64)
    lowest = np.ldexp((integers & -integers).astype(np.float64), exponents - 53)
    return np.where(integers == 0, np.inf, lowest)


def ceilings(
    X, rows, directions, columns, offsets, exponent: int, cap: float
) -> np.ndarray:
    """Return <w, x> + b of pairs, as in `signs`, in units of 2**exponent, rounded up.

    The integers are cut to 0 .. `cap`, which must be below 2**53.
    """
    nothing = np.zeros(len(rows))
    values, bounds = compensated_sums(X, directions, rows, columns, offsets, nothing)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        values, bounds = np.ldexp(values, -exponent), np.ldexp(bounds, -exponent)
        nearest = np.rint(np.clip(np.nan_to_num(values), -1.0, cap))
        found = np.clip(nearest, 0.0, cap)
        clipped = (values + bounds <= 0) | (values - bounds >= cap)
        # The difference from the nearest integer is exact.
        differences = values - nearest
        is_known = ~clipped & (np.abs(differences) > bounds + SMALLEST_NORMAL)
        is_known &= bounds < 0.25
        found[is_known] = np.clip(nearest + (differences > 0), 0.0, cap)[is_known]
        clipped |= is_known
        near = np.flatnonzero(~clipped & (bounds < 0.25))
        open_ = np.flatnonzero(~clipped & ~(bounds < 0.25))
    shifts = -np.ldexp(nearest[near], exponent)
    above = signs(X, rows[near], directions, columns[near], offsets[near], shifts)
    found[near] = np.clip(nearest[near] + above, 0.0, cap)
    for pair in open_:
        direction, point = directions[columns[pair]], X[rows[pair]]
        ceiling = exact_ceiling(direction, point, float(offsets[pair]), exponent)
        found[pair] = min(max(ceiling, 0), int(cap))
    return found


def exact_sign(direction, point, offset: float, shift: float = 0.0) -> int:
    """Return the sign (-1, 0, 1) of `<direction, point> + offset + shift`, exactly.

    The direction is in single precision: its products with one half of a double fit a
    double.
    """
    support = np.flatnonzero((direction != 0) & (point != 0))
    w = direction[support].astype(np.float64)
    x = point[support].astype(np.float64)
    if len(support) and not _safe(w, x):
        whole, _ = _sum_in_integers(w, x, offset, shift)
        return (whole > 0) - (whole < 0)
    high = _leading_bits(x)
    terms = np.concatenate((w * high, w * (x - high), (offset, shift)))
    # fsum rounds the exact sum once, so it has the sign of the exact sum.
    total = math.fsum(terms)
    return (total > 0) - (total < 0)


def exact_ceiling(direction, point, offset: float, exponent: int) -> int:
    """Return `<direction, point> + offset` in units of 2**exponent, rounded up."""
    support = np.flatnonzero((direction != 0) & (point != 0))
    total, lowest = _sum_in_integers(direction[support], point[support], offset, 0.0)
    if lowest >= exponent:
        return total << (lowest - exponent)
    return -(-total >> (exponent - lowest))


def _safe(w, x) -> bool:
    """Return whether no product of the halves of x with w over- or underflows."""
    w, x = np.abs(w), np.abs(x)
    return (
        min(w.min(), x.min()) > 2.0**-400 and w.max() < 2.0**400 and x.max() < 2.0**400
    )


def _leading_bits(x: np.ndarray) -> np.ndarray:
    """Return x with all but the leading 29 bits of its mantissa cleared."""
    bits = x.view(np.uint64) & ~np.uint64((1 << 24) - 1)
    return bits.view(np.float64)


def _sum_in_integers(w, x, offset: float, shift: float) -> tuple[int, int]:
    """Return integers (m, e) with <w, x> + offset + shift = m * 2**e."""
    products = zip(map(float, w), map(float, x), strict=True)
    terms = [(*_integer(a), *_integer(b)) for a, b in products]
    scaled = [(m * n, e + f) for m, e, n, f in terms]
    scaled += [_integer(offset), _integer(shift)]
    lowest = min(exponent for _, exponent in scaled)
    total = sum(mantissa << (exponent - lowest) for mantissa, exponent in scaled)
    return total, lowest


def _integer(value: float) -> tuple[int, int]:
    """Return integers (m, e) with value = m * 2**e."""
    mantissa, exponent = math.frexp(value)
    return int(math.ldexp(mantissa, 53)), exponent - 53
