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
    for pair in doubtful:
        direction, point = directions[columns[pair]], X[rows[pair]]
        sign = exact_sign(direction, point, float(offsets[pair]), float(shifts[pair]))
        positive[pair] = sign > 0
    return positive


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
