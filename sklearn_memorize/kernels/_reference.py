"""The kernels in plain NumPy: what they compute, said in the most obvious way."""

from __future__ import annotations

import numpy as np

__all__ = ["hash_coefficients", "ordered_product", "row_hashes"]


def hash_coefficients(n: int) -> np.ndarray:
    """Return n odd 64-bit numbers (splitmix64 of 1..n)."""
    z = np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z ^ (z >> np.uint64(31))) | np.uint64(1)


def row_hashes(block: np.ndarray) -> np.ndarray:
    """Hash the values of each row of a dense block to 64 bits; zeros add nothing."""
    bits = np.ascontiguousarray(block, dtype=np.float64) + 0.0
    bits = bits.view(np.uint64)
    mixed = (bits ^ (bits >> np.uint64(32))) * hash_coefficients(bits.shape[1])
    return (mixed ^ (mixed >> np.uint64(32))).sum(axis=1, dtype=np.uint64)


def ordered_product(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return `rows @ weights.T`, each entry summed from left to right.

    Unlike a BLAS product, the value of an entry does not depend on which other rows
    are asked for, nor on the number of threads.
    """
    rows = np.asarray(rows, dtype=np.float64)
    weights = np.asarray(weights, dtype=np.float64)
    total = np.zeros((rows.shape[0], weights.shape[0]))
    for column, weight in zip(rows.T, weights.T, strict=True):
        total += column[:, np.newaxis] * weight
    return total
