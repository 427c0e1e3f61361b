"""Random directions on which the features of a data set count alike, and projections.

A projection adds the terms of a row feature by feature, from left to right. The zeros
of a row add nothing, so that a dense row and its sparse copy have the same projection
to the last bit, alone or among others.
"""

import numpy as np
from scipy import sparse
from sklearn.utils.sparsefuncs import min_max_axis

from .. import kernels
from ..exceptions import InterpolationError
from ..kernels._memory import blocks_of_rows

# Directions lie on a grid of this step, so that the projections of pixels are exact.
_DIRECTION_STEP = 2.0**-20
# A direction of this part of all features, or less, is worth a sum of its own.
_FEW = 8
# Rows are turned into columns in blocks of about this many values.
_BLOCK_VALUES = 1 << 18

REMEDY = "Remove rows that nearly coincide, or raise n_projections."


def draw_directions(
    X, rng, n_projections: int, step: float = _DIRECTION_STEP
) -> np.ndarray:
    """Draw Gaussian directions for features scaled to about [-1, 1].

    Every other direction scales by the range of a feature, the rest by its largest
    magnitude; powers of two keep this exact. Constant features get no weight.
    """
    low, high = feature_ranges(X)
    magnitude = np.maximum(np.abs(low), np.abs(high))
    spread = high / 2 - low / 2
    if X.shape[1] == 1:
        n_projections = 1
    normal = rng.standard_normal((n_projections, X.shape[1]))
    directions = np.round(normal / step) * step
    directions[0::2] *= _inverse_power_of_two(spread)
    directions[1::2] *= _inverse_power_of_two(magnitude)
    directions[:, low == high] = 0.0
    return directions


def feature_ranges(X) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest value of each feature."""
    if sparse.issparse(X):
        low, high = min_max_axis(X, axis=0)
    else:
        low, high = X.min(axis=0), X.max(axis=0)
    return low.astype(np.float64), high.astype(np.float64)


def _inverse_power_of_two(magnitudes: np.ndarray) -> np.ndarray:
    exponents = np.clip(np.frexp(magnitudes)[1], -1000, 1000)
    return np.ldexp(1.0, -exponents)


def project(X, directions: np.ndarray) -> np.ndarray:
    """Return `X @ directions.T`; 0 where a sum overflows to both sides."""
    with np.errstate(over="ignore", invalid="ignore"):
        if sparse.issparse(X):
            projections = _project_sparse(X, directions)
        else:
            blocks = blocks_of_rows(X.shape[0], X.shape[1])
            projections = np.concatenate(
                [kernels.ordered_product(X[block], directions) for block in blocks]
            )
    return np.nan_to_num(projections, nan=0.0)


def project_on_few(X, directions: np.ndarray) -> np.ndarray:
    """Return what `project` does, to the last bit, faster where directions have zeros.

    The zeros of a direction add nothing to a sum either.
    """
    n_features = X.shape[1]
    n_used = np.count_nonzero(directions, axis=1)
    is_sparse = n_used * _FEW <= n_features
    if sparse.issparse(X) or not is_sparse.any():
        return project(X, directions)
    found = np.empty((X.shape[0], len(directions)))
    if not is_sparse.all():
        found[:, ~is_sparse] = project(X, directions[~is_sparse])
    few, n_terms = directions[is_sparse], int(n_used[is_sparse].max())
    # The features of each direction from left to right, then others of weight zero.
    features = np.argsort(few == 0, axis=1, kind="stable")[:, :n_terms]
    weights = np.take_along_axis(few, features, axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        for block in blocks_of_rows(X.shape[0], n_features, _BLOCK_VALUES):
            columns = np.ascontiguousarray(X[block].T, dtype=np.float64)
            total = np.zeros((len(few), columns.shape[1]))
            for term in range(n_terms):
                used = np.flatnonzero(weights[:, term])
                terms = columns[features[used, term]]
                terms *= weights[used, term, np.newaxis]
                total[used] += terms
            found[block, is_sparse] = total.T
    return np.nan_to_num(found, nan=0.0, copy=False)


def _project_sparse(X, directions) -> np.ndarray:
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    row_of_entry = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    projections = np.empty((X.shape[0], len(directions)))
    for number, direction in enumerate(directions):
        # bincount adds from left to right, as ordered_product does.
        terms = X.data.astype(np.float64) * direction[X.indices]
        projections[:, number] = np.bincount(row_of_entry, terms, X.shape[0])
    return projections


def spread_out(X, rng, n_projections: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the random direction along which samples lie farthest apart, and where.

    What counts is the smallest gap in units of the largest position.
    """
    directions = draw_directions(X, rng, n_projections)
    positions = project(X, directions)
    if len(positions) == 1:
        return directions[0], positions[:, 0]
    sorted_positions = np.sort(positions, axis=0)
    gaps = np.diff(sorted_positions, axis=0).min(axis=0)
    reach = np.abs(sorted_positions).max(axis=0)
    best = int(np.argmax(gaps / np.where(reach > 0, reach, 1.0)))
    if not gaps[best] > 0:
        order = np.argsort(positions[:, best], kind="stable")
        equal = np.flatnonzero(np.diff(positions[order, best]) <= 0)
        raise InterpolationError(
            "Some distinct rows have equal projections, in double precision, on each "
            f"of the random directions. {REMEDY}"
        ).about(order[np.append(equal, equal + 1)])
    return directions[best], positions[:, best]
