"""Ridge regression on random ReLU units, and a spike for what it misses.

The smooth part g is a layer of random ReLU units, whose output weights are those of a
ridge regression; how much they shrink is chosen by leaving out each sample in turn, in
closed form. Spikes put the samples right:

    f(x) = g(x) + sum_i (y_i - g(x_i)) s_i(<v, x>),   s_i(z) = max(1 - |z - z_i| / h, 0)

on a line on which the samples lie apart, z_i = <v, x_i>. No two of the hats meet, and
they are so narrow that few other points are in one of them. M. Haas, D. Holzmueller,
U. von Luxburg and I. Steinwart (*Mind the spikes*, NeurIPS 2023) show that being
"spiky-smooth" in this manner is what it takes to interpolate noise and still predict.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import linalg, sparse

from ...exceptions import InterpolationError
from ...kernels._threads import one_blas_thread
from .._directions import REMEDY, feature_ranges, project, spread_out
from .._layers import exponents_of, missed_by_layers
from ._network import SmoothPart, SpikedNetwork, Spikes, hidden_units

# A hat takes this part of the line to each side, but no more than a quarter of the way
# to the next sample.
_WIDTH = 2.0**-23
# Shares of the largest squared singular value that are tried as the ridge.
_RIDGES = 2.0 ** np.arange(-36.0, 3.0)
# Squared singular values below this share of the largest are rounding errors.
_NO_VALUE = 2.0**-44

# Features of a smaller spread than this are taken to have this one.
_LEAST_SPREAD = 2.0**-1000
# The layers are evaluated at this many samples.
_CHECKED_SAMPLES = 256
# Columns are read in blocks of about this many values.
_BLOCK_VALUES = 1 << 20


def build_spiked_network(
    X,
    targets: np.ndarray,
    rng,
    *,
    n_hyperplanes: int,
    n_projections: int,
    n_threads: int = 1,
) -> tuple[SpikedNetwork, float, float]:
    """Build the network of the distinct rows X and targets (n_samples, n_outputs).

    Also returns the ridge, as a share of the largest squared singular value, and R^2 of
    the smooth part where each sample is left out in turn.
    """
    directions, biases = draw_units(X, rng, n_hyperplanes)
    exponents = exponents_of(targets)
    scaled = np.ldexp(targets, -exponents)
    with one_blas_thread():  # whose number would show in the last digits
        units = hidden_units(X, directions, biases, n_threads)
        coefficients, intercepts, ridge, score = fit_ridge(units, scaled)
    part = SmoothPart(directions, biases, coefficients, intercepts)
    direction, positions = spread_out(X, rng, n_projections)
    order = np.argsort(positions)
    smooth = np.maximum(part.sums(units), scaled.min(axis=0))
    spikes = Spikes(
        direction,
        positions[order],
        widths_of(positions[order]),
        smooth[order],
        targets[order],
    )
    network = SpikedNetwork(part, spikes)
    check_layers(network, X, targets, order)
    return network, ridge, score


def draw_units(X, rng, n_hyperplanes: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw hyperplanes through samples, in directions of few features and of all.

    In units of the standard deviations of the features, the directions are Gaussian: in
    all features, in ceil(sqrt(d)) of them, or in one, in turn. Each hyperplane goes
    through a sample; units add up nearly to a function of the second derivative that
    is largest where the samples are.
    """
    n_samples, n_features = X.shape
    low, high = feature_ranges(X)
    varying = np.flatnonzero(low < high)
    directions = np.zeros((n_hyperplanes, n_features))
    sizes = (len(varying), math.ceil(math.sqrt(len(varying))), 1)
    if len(varying):
        for number, direction in enumerate(directions):
            size = sizes[number % len(sizes)]
            used = varying[rng.permutation(len(varying))[:size]]
            direction[used] = rng.standard_normal(size) / math.sqrt(size)
        spread = spread_of(X, varying, low, high)
        directions[:, varying] /= np.maximum(spread, _LEAST_SPREAD)
    through = rng.integers(n_samples, size=n_hyperplanes)
    biases = np.empty(n_hyperplanes)
    step = max(1, _BLOCK_VALUES // n_features)
    for start in range(0, n_hyperplanes, step):
        some = slice(start, start + step)
        values = project(X[through[some]], directions[some])
        biases[some] = -np.diagonal(values)
    return directions, biases


def spread_of(X, features: np.ndarray, low, high) -> np.ndarray:
    """Return the standard deviations of features that vary.

    Columns are read as rows of double precision, so that neither the storage of X nor
    how many are read at once shows in the last digit.
    """
    found = np.empty(len(features))
    step = max(1, _BLOCK_VALUES // X.shape[0])
    for start in range(0, len(features), step):
        some = features[start : start + step]
        columns = X[:, some]
        columns = columns.toarray() if sparse.issparse(columns) else columns
        values = np.ascontiguousarray(columns.T, dtype=np.float64) / 2
        halves = (high[some] / 2 - low[some] / 2)[:, np.newaxis]
        values = (values - low[some, np.newaxis] / 2) / halves  # from 0 to 1
        found[start : start + step] = 2 * halves[:, 0] * values.std(axis=1)
    return found


def fit_ridge(units: np.ndarray, targets: np.ndarray):
    """Fit ridge regressions, all of one ridge, which leaving samples out chooses.

    With the left singular vectors U of the centered units, h = s^2 / (s^2 + ridge), and
    the residuals e, a sample that is left out is missed by e_i / f_i,

        f_i = 1 - 1/n - sum_j U_ij^2 h_j
            = (1 - 1/n - sum_j U_ij^2) + sum_j U_ij^2 (1 - h_j),

    and e likewise. The first part is 0 if U spans all that is orthogonal to 1.

    Returns coefficients (n_outputs, n_units), intercepts, the ridge as a share of the
    largest s^2, and R^2 of the samples left out.
    """
    n_samples, n_units = units.shape
    means, centers = units.mean(axis=0), targets.mean(axis=0)
    centered, missing = units - means, targets - centers
    nothing = np.zeros((targets.shape[1], n_units)), centers, 1.0, 0.0
    if n_samples == 1 or not centered.any() or not missing.any():
        return nothing
    left, squares, right = _singular_vectors(centered)
    parts, squared_left = left.T @ missing, np.square(left)
    outside, beyond = np.zeros(n_samples), np.zeros_like(missing)
    if len(squares) < n_samples - 1:
        outside = np.maximum(1.0 - 1.0 / n_samples - squared_left.sum(axis=1), 0.0)
        beyond = missing - left @ parts
    total = np.square(missing).sum(axis=0)
    varies = total > 0
    best = None
    for ridge in _RIDGES:
        lost_part = ridge * squares.max() / (squares + ridge * squares.max())
        residuals = beyond + left @ (lost_part[:, np.newaxis] * parts)
        residuals /= (outside + squared_left @ lost_part)[:, np.newaxis]
        lost = (np.square(residuals).sum(axis=0)[varies] / total[varies]).mean()
        if best is None or lost < best[0]:
            best = lost, ridge
    assert best is not None
    lost, ridge = best
    inverse = np.sqrt(squares) / (squares + ridge * squares.max())
    coefficients = (right @ (inverse[:, np.newaxis] * parts)).T
    intercepts = centers - coefficients @ means
    return coefficients, intercepts, float(ridge), float(1.0 - lost)


def _singular_vectors(matrix: np.ndarray):
    """Return left singular vectors, squared singular values, right singular vectors.

    They come from the smaller one of the two products of the matrix with itself.
    """
    n_rows, n_columns = matrix.shape
    is_tall = n_columns <= n_rows
    product = matrix.T @ matrix if is_tall else matrix @ matrix.T
    squares, vectors = linalg.eigh(product)
    kept = squares > _NO_VALUE * squares.max()
    squares, vectors = squares[kept], vectors[:, kept]
    if is_tall:
        return matrix @ vectors / np.sqrt(squares), squares, vectors
    return vectors, squares, matrix.T @ vectors / np.sqrt(squares)


def widths_of(anchors: np.ndarray) -> np.ndarray:
    """Return how far the hat around each anchor reaches, to either side."""
    if len(anchors) == 1:
        return np.ones(1)
    gaps = np.diff(anchors)
    nearest = np.minimum(np.append(np.inf, gaps), np.append(gaps, np.inf))
    return np.minimum(nearest / 4, (anchors[-1] - anchors[0]) * _WIDTH)


def check_layers(network: SpikedNetwork, X, targets, order: np.ndarray) -> None:
    """Evaluate the layers at samples of the narrowest hats, in `order` of anchors."""
    spikes = network.spikes
    narrowest = np.argsort(spikes.widths, kind="stable")[:_CHECKED_SAMPLES]
    if missed_by_layers(network.layers, X, targets, order[narrowest]).any():
        raise InterpolationError(
            f"Samples within {spikes.widths.min():.3g} of each other on the line, at "
            f"positions up to {np.abs(spikes.anchors).max():.3g}, are too close for "
            f"double precision: the layers, evaluated one after the other, miss "
            f"targets. {REMEDY}"
        ).about(order[spikes.widths <= 2 * spikes.widths.min()])
