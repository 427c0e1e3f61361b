"""The kernels compiled by Numba: the same answers, fast, without the GIL."""

from __future__ import annotations

import numpy as np
from numba import njit

from ._reference import hash_coefficients

__all__ = ["ordered_product", "row_hashes"]

compiled = njit(nogil=True, cache=True, error_model="numpy")


@compiled
def _row_hashes(block, coefficients, hashes):
    half = np.uint64(32)
    row = np.empty(block.shape[1], dtype=np.float64)
    bits = row.view(np.uint64)
    for i in range(block.shape[0]):
        for j in range(block.shape[1]):
            row[j] = block[i, j] + 0.0
        total = np.uint64(0)
        for j in range(block.shape[1]):
            mixed = (bits[j] ^ (bits[j] >> half)) * coefficients[j]
            total += mixed ^ (mixed >> half)
        hashes[i] = total


def row_hashes(block: np.ndarray) -> np.ndarray:
    hashes = np.empty(block.shape[0], dtype=np.uint64)
    _row_hashes(block, hash_coefficients(block.shape[1]), hashes)
    return hashes


@compiled
def _ordered_product(rows, weights_transposed, total):
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            value = rows[i, j]
            for k in range(weights_transposed.shape[1]):
                total[i, k] += value * weights_transposed[j, k]


def ordered_product(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    transposed = np.ascontiguousarray(np.asarray(weights, dtype=np.float64).T)
    total = np.zeros((rows.shape[0], transposed.shape[1]))
    _ordered_product(rows, transposed, total)
    return total
