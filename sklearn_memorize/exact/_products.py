"""Products of a matrix with a vector as integers, exact for every finite input."""

import numpy as np
from scipy import sparse

from ..kernels._memory import blocks_of_rows

# Rows are cut into blocks of about this many values.
_BLOCK_VALUES = 1 << 18
_MANTISSA_BITS = 53


class Dyadic:
    """Numbers `values * 2**exponent` with an array of Python integers for values."""

    def __init__(self, values: np.ndarray, exponent: int):
        self.values = values
        self.exponent = exponent

    def in_units(self, exponent: int) -> np.ndarray:
        """Return the numbers in units of 2**exponent, which must not be larger."""
        return self.values << (self.exponent - exponent)


def integer_weights(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return integers m and exponents e with `weights = m * 2**e`, m odd or both 0."""
    fractions, exponents = np.frexp(np.asarray(weights, dtype=np.float64))
    mantissas = np.ldexp(fractions, _MANTISSA_BITS).astype(np.int64)
    # The lowest bit that is set, a power of two.
    lowest = np.frexp((mantissas & -mantissas).astype(np.float64))[1] - 1
    lowest = np.where(mantissas == 0, 0, lowest)
    exponents = exponents.astype(np.int64) - _MANTISSA_BITS + lowest
    return mantissas >> lowest, np.where(mantissas == 0, 0, exponents)


def exact_products(X, direction: np.ndarray) -> Dyadic:
    """Return `X @ direction` without a rounding error.

    The values are cut into pieces so short that sums of their products are exact in
    64-bit integers. The numbers of the direction have short mantissas.
    """
    weights, shifts = integer_weights(direction)
    products = [
        _products(X[block], weights, shifts)
        for block in blocks_of_rows(X.shape[0], X.shape[1], _BLOCK_VALUES)
    ]
    exponent = min((part.exponent for part in products), default=0)
    values = [part.in_units(exponent) for part in products]
    return Dyadic(np.concatenate(values), exponent)


def _products(X, weights: np.ndarray, shifts: np.ndarray) -> Dyadic:
    values, columns = (X.data, X.indices) if sparse.issparse(X) else (X, slice(None))
    mantissas, exponents = integer_weights(values)
    used = (mantissas != 0) & (weights[columns] != 0)
    exponents = exponents + shifts[columns]
    total = np.zeros(X.shape[0], dtype=object)
    if not used.any():
        return Dyadic(total, 0)
    magnitudes, negative = np.abs(mantissas), mantissas < 0
    lengths = np.frexp(magnitudes.astype(np.float64))[1]
    lowest = int(exponents[used].min())
    n_bits = int((exponents + lengths)[used].max()) - lowest
    offsets = np.where(used, exponents - lowest, 0)
    # |sum| < n_features * 2^(bits of a weight + bits of a piece) <= 2^62.
    weight_bits = int(np.abs(weights).max()).bit_length()
    piece_bits = max(1, 62 - weight_bits - X.shape[1].bit_length())
    for start in range(0, n_bits, piece_bits):
        pieces = _bits_from(magnitudes, offsets - start, piece_bits)
        np.negative(pieces, out=pieces, where=negative)
        if sparse.issparse(X):
            pieces = sparse.csr_array((pieces, X.indices, X.indptr), shape=X.shape)
        total += (pieces @ weights).astype(object) << start
    return Dyadic(total, lowest)


def _bits_from(magnitudes, offsets, n_bits: int) -> np.ndarray:
    """Return the lowest `n_bits` bits of the integers magnitudes * 2**offsets."""
    up = np.clip(offsets, 0, 63).astype(np.uint64)
    down = np.clip(-offsets, 0, 63).astype(np.uint64)
    shifted = (magnitudes.astype(np.uint64) >> down) << up
    pieces = shifted & np.uint64((1 << n_bits) - 1)
    return np.where(offsets < n_bits, pieces, np.uint64(0)).astype(np.int64)
