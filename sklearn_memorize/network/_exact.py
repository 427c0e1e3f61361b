"""Signs of affine forms, exact for every finite input.

The forms are `<w, x> + b + c` with single precision `w` and double precision `x`, `b`
and `c`. They are evaluated in two rounds: in double precision with an error bound, and
what the bound leaves open in exact arithmetic.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["SMALLEST_NORMAL", "exact_sign", "rounding", "signs"]

SMALLEST_NORMAL = 2.0**-1022
_DOUBLE = 2.0**-53
_BATCH_VALUES = 1 << 21


def rounding(n_operations, unit: float):
    """Return gamma_k = k u / (1 - k u), the relative error of k roundings."""
    return n_operations * unit / (1.0 - n_operations * unit)


def signs(directions, points, offsets, shifts=None) -> np.ndarray:
    """Return [<w, x> + b + c > 0] for each of many triples, exactly.

    Parameters
    ----------
    directions : ndarray of shape (n_forms, n_features), float32
        The w of each form.
    points : ndarray of shape (n_forms, n_features)
        The x of each form.
    offsets, shifts : ndarray of shape (n_forms,)
        The b and c of each form; no shift by default.

    Returns
    -------
    positive : ndarray of shape (n_forms,), bool
        Whether the form is positive.
    """
    n_forms, n_features = directions.shape
    shifts = np.zeros(n_forms) if shifts is None else shifts
    positive = np.empty(n_forms, dtype=bool)
    step = max(1, _BATCH_VALUES // max(1, n_features))
    for start in range(0, n_forms, step):
        batch = slice(start, start + step)
        positive[batch] = _signs_of_batch(
            directions[batch], points[batch], offsets[batch], shifts[batch]
        )
    return positive


def _signs_of_batch(directions, points, offsets, shifts) -> np.ndarray:
    n_features = directions.shape[1]
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        terms = directions.astype(np.float64) * points
        values = terms.sum(axis=1) + offsets + shifts
        # Any order of summation: |error| <= gamma_{d + 3} * sum of |terms|.
        magnitude = np.abs(terms).sum(axis=1) + np.abs(offsets) + np.abs(shifts)
        bounds = 2 * rounding(n_features + 4, _DOUBLE) * magnitude
        bounds += (n_features + 2) * SMALLEST_NORMAL
        positive = values > 0
        doubtful = np.flatnonzero(~(np.abs(values) > bounds))
    for form in doubtful:
        sign = exact_sign(
            directions[form], points[form], float(offsets[form]), float(shifts[form])
        )
        positive[form] = sign > 0
    return positive


def exact_sign(direction, point, offset: float, shift: float = 0.0) -> int:
    """Return the sign (-1, 0, 1) of `<direction, point> + offset + shift`, exactly.

    Parameters
    ----------
    direction : ndarray of shape (n_features,), float32
        Its products with one half of a double fit a double.
    point : ndarray of shape (n_features,)
        The point.
    offset, shift : float
        Two constants.
    """
    support = np.flatnonzero((direction != 0) & (point != 0))
    w = direction[support].astype(np.float64)
    x = point[support].astype(np.float64)
    if len(support) and not _safe(w, x):
        return _sign_in_integers(w, x, offset, shift)
    high = _leading_bits(x)
    terms = np.concatenate((w * high, w * (x - high), (offset, shift)))
    # fsum rounds the exact sum once, so it has the sign of the exact sum.
    total = math.fsum(terms)
    return (total > 0) - (total < 0)


def _safe(w, x) -> bool:
    """Whether no product of the halves of x with w over- or underflows."""
    w, x = np.abs(w), np.abs(x)
    return (
        min(w.min(), x.min()) > 2.0**-400 and w.max() < 2.0**400 and x.max() < 2.0**400
    )


def _leading_bits(x: np.ndarray) -> np.ndarray:
    """Return x with all but the leading 29 bits of its mantissa cleared."""
    bits = x.view(np.uint64) & ~np.uint64((1 << 24) - 1)
    return bits.view(np.float64)


def _sign_in_integers(w, x, offset: float, shift: float) -> int:
    products = zip(map(float, w), map(float, x), strict=True)
    terms = [(*_integer(a), *_integer(b)) for a, b in products]
    scaled = [(m * n, e + f) for m, e, n, f in terms]
    scaled += [_integer(offset), _integer(shift)]
    lowest = min(exponent for _, exponent in scaled)
    total = sum(mantissa << (exponent - lowest) for mantissa, exponent in scaled)
    return (total > 0) - (total < 0)


def _integer(value: float) -> tuple[int, int]:
    """Return integers (m, e) with value = m * 2**e."""
    mantissa, exponent = math.frexp(value)
    return int(math.ldexp(mantissa, 53)), exponent - 53
