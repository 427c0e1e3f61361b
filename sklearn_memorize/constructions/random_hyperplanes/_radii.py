r"""How far a row may move before enough hyperplanes can lie on its other side.

A prediction by codes changes only if bits of the code do. Let it take m of them at
least, wherever they are (see `flips_to_change`), let t_1 <= t_2 <= ... be the distances
of x to the hyperplanes, and let x + v be on the other side of those of a set S.

- Each of them is at most |v| away, so |v| >= t_m.
- Their unit normals n_k, with signs, have <n_k, v> >= t_k. So with the spectral norm
  sigma of the matrix of all unit normals

      sum_S t_k^2 <= <sum_S t_k n_k, v> <= sigma (sum_S t_k^2)^(1/2) |v|,

  and |v| >= (t_1^2 + ... + t_m^2)^(1/2) / sigma.

The second bound is for many features: hyperplanes that stand nearly at right angles to
each other cannot all be near in one direction. A third one looks at what the bits are
for, neuron by neuron (`_held_predictions.py`). The largest of the three counts.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.linalg import eigvalsh

from ...exact._distances import PointSet, Scaling, _product
from ...kernels._memory import blocks_of_rows
from ...kernels._threads import one_blas_thread
from ._exact_hyperplanes import ExactHyperplanes
from ._held_predictions import TOLERANCE, held_radii
from ._rows import columns_in_use

# Distances of about this many rows and hyperplanes are computed at once.
_BLOCK_DISTANCES = 1 << 22
# Scaled coordinates of this size are cut off; see `Scaling`.
_CUT_OFF = 2.0**399
# The spectral norm is computed for matrices of at most so many rows, or columns.
_LARGEST_SIDE = 4096
_UNIT = 2.0**-53
# What is computed from distances is wrong by less than this part.
_SLACK = 1e-11


def certified_radii(network, X, numbers, metric, decision, n_votes) -> np.ndarray:
    """Return radii around rows in which a `CoverNetwork` of thresholds says the same.

    `numbers` are the classes that it predicts.
    """
    layers = [covering.hyperplanes for covering in network.coverings]
    radii = np.empty(X.shape[0])
    n_hyperplanes = sum(layer.n_hyperplanes for layer in layers)
    for block in blocks_of_rows(X.shape[0], n_hyperplanes, _BLOCK_DISTANCES):
        rows, own = X[block], numbers[block]
        needed = flips_to_change(network, rows, own, decision, n_votes)
        near = [distances(layer, rows, metric) for layer in layers]
        held = held_radii(network, rows, own, near, decision, n_votes)
        below = np.nextafter(held * (1 - _SLACK), 0.0)
        by_flips = radii_by_flips(layers, rows, needed, metric, network.spectral_norm)
        radii[block] = np.maximum(np.where(np.isinf(held), held, below), by_flips)
    return radii


def radii_by_flips(
    layers, X, needed: np.ndarray, metric: str, spectral: float
) -> np.ndarray:
    """Return radii in which fewer than the needed numbers of bits can change."""
    near = np.hstack([distances(layer, X, "euclidean") for layer in layers])
    near.sort(axis=1)
    last = np.minimum(needed, near.shape[1])[:, np.newaxis] - 1
    # Squares of the largest and smallest distances fit in units of the largest.
    unit = np.maximum(near[:, -1:], np.finfo(np.float64).tiny)
    with np.errstate(invalid="ignore", over="ignore"):
        squares = np.cumsum(np.square(near / unit), axis=1)
        joint = np.sqrt(np.take_along_axis(squares, last, axis=1)) * (unit / spectral)
    if metric == "chebyshev":
        # |v| is at most the root of the number of features times the largest entry.
        joint /= np.sqrt(X.shape[1])
        near = np.hstack([distances(layer, X, metric) for layer in layers])
        near.sort(axis=1)
    single = np.take_along_axis(near, last, axis=1)
    radii = np.fmax(single, np.nan_to_num(joint, nan=0.0, posinf=0.0))[:, 0]
    radii = np.nextafter(radii * (1 - _SLACK), 0.0)
    return np.where(needed > near.shape[1], np.inf, np.maximum(radii, 0.0))


def distances(hyperplanes: ExactHyperplanes, X, metric: str) -> np.ndarray:
    """Return lower bounds of the distances of rows to hyperplanes.

    They are of shape (n_samples, n_hyperplanes); those of a row do not depend on the
    batch, or on how it is stored.
    """
    values, errors = _values(hyperplanes, X)
    norms = _dual_norms(hyperplanes, metric)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
        drawn = np.ldexp((np.abs(values) - errors) / norms, hyperplanes.exponent)
        drawn = np.where(norms > 0, drawn, np.inf)  # of no direction: always one side
        drawn = np.maximum(np.nan_to_num(drawn, nan=0.0, posinf=_CUT_OFF), 0.0)
        axis = np.abs(hyperplanes.axis.distances(X)) * (1 - 4 * _UNIT)
    largest = float(np.finfo(np.float64).max)
    return np.hstack([drawn, np.minimum(axis, largest)])


def _values(hyperplanes: ExactHyperplanes, X) -> tuple[np.ndarray, np.ndarray]:
    """Return <w, x> + b in units of 2**exponent, and bounds of the errors."""
    directions, biases = hyperplanes.directions, hyperplanes.scaled_biases
    used = columns_in_use(directions) if sparse.issparse(directions) else slice(None)
    points = X[:, used]
    zero = np.zeros(points.shape[1])
    scaling = Scaling(hyperplanes.exponent, zero)
    points = PointSet(scaling.scaled(points), scaling)
    largest = np.abs(points.points).max(axis=1, initial=0.0)[:, np.newaxis]
    n_terms = points.points.shape[1]
    if sparse.issparse(directions):
        # Each sum is added up in the order of the entries of the direction.
        directions = directions[:, used].astype(np.float64)
        values = np.ascontiguousarray((directions @ points.points.T).T)
        sizes = np.asarray(abs(directions).sum(axis=1)).ravel()
    else:
        weights = directions.astype(np.float64)
        values = _product(points, PointSet(weights, Scaling(0, zero)))
        sizes = np.abs(weights).max(axis=1, initial=0.0)
    errors = (64.0 * n_terms + 256) * _UNIT * largest * sizes
    errors = errors + 4 * _UNIT * (np.abs(values) + np.abs(biases)) + 2.0**-1000
    errors[largest[:, 0] > _CUT_OFF] = np.inf
    return values + biases, errors


def _dual_norms(hyperplanes: ExactHyperplanes, metric: str) -> np.ndarray:
    """Return upper bounds of the norms of the directions that are not of `axis`."""
    directions = hyperplanes.directions.astype(np.float64)
    if metric == "chebyshev":
        sums = abs(directions).sum(axis=1)
    elif sparse.issparse(directions):
        sums = np.sqrt(directions.multiply(directions).sum(axis=1))
    else:
        sums = np.sqrt(np.square(directions).sum(axis=1))
    return np.asarray(sums).ravel() * (1 + (directions.shape[1] + 8) * _UNIT)


def spectral_norm(layers) -> float:
    """Return an upper bound of the spectral norm of the unit normals of all layers.

    It is rounded up to a power of 2**(1/128), so that its last digits, which depend on
    the linear algebra library, do not show.
    """
    normals = sparse.vstack([_unit_normals(layer) for layer in layers], format="csr")
    n_hyperplanes = normals.shape[0]
    normals = normals[:, columns_in_use(normals)]
    side = min(normals.shape)
    if side == 0 or side > _LARGEST_SIDE:
        return float(np.sqrt(max(1, n_hyperplanes)))
    few = normals.T @ normals if normals.shape[1] == side else normals @ normals.T
    with one_blas_thread():
        largest = eigvalsh(few.toarray(), subset_by_index=[side - 1, side - 1])[0]
    rounded = 2.0 ** (np.ceil(np.log2(largest * (1 + 1e-6)) * 64) / 64)
    return float(np.sqrt(min(rounded, n_hyperplanes)))


def _unit_normals(layer: ExactHyperplanes):
    norms = _dual_norms(layer, "euclidean")
    inverse = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    directions = layer.directions.astype(np.float64)
    drawn = sparse.csr_array(sparse.diags_array(inverse) @ sparse.csr_array(directions))
    axis = layer.axis
    ones = np.ones(len(axis)), axis.features, np.arange(len(axis) + 1)
    return sparse.vstack(
        [drawn, sparse.csr_array(ones, shape=(len(axis), drawn.shape[1]))]
    )


def flips_to_change(network, X, numbers, decision, n_votes) -> np.ndarray:
    """Return how many bits of the codes have to change, at least, for another class.

    One bit changes a margin, m - <u, Phi(x)> with 0/1 vectors u, by at most 1: from 0
    to 1 none rises, from 1 to 0 none falls. So with the largest margin M of a class in
    a covering it takes M bits until the class does not fire there, or 1 - M until it
    does. The means of the largest margins of two classes change by at most 1 together.
    """
    votes = decision == "vote" and network.widths[-1] > 1
    needed = np.empty(X.shape[0])
    for block in network.blocks(X.shape[0]):
        codes = network.encode(X[block])
        pairs = zip(network.coverings, codes, strict=True)
        largest = np.stack([_largest_margins(*pair) for pair in pairs])
        if not votes:
            needed[block] = _flips_of_outputs(largest, numbers[block])
            continue
        scores = network._scores(network._votes(codes, n_votes)[0])
        needed[block] = _flips_of_vote(network, largest, scores, numbers[block])
    return np.maximum(needed, 1).astype(np.intp)


def _largest_margins(covering, codes) -> np.ndarray:
    """Return the largest margin of each class as a number of bits."""
    shares, _ = covering.votes(codes, 1)
    return np.rint(shares * covering.hyperplanes.n_hyperplanes)


def _flips_of_outputs(largest: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Where the first class that fires is predicted; or whether the one class does.

    `largest` are the largest margins, of shape (n_coverings, n_samples, n_classes).
    """
    silenced = np.maximum(largest, 0).sum(axis=0)
    fired = np.maximum(1 - largest, 0).min(axis=0)
    if largest.shape[2] == 1:
        return np.where(numbers == 1, silenced[:, 0], fired[:, 0])
    own = numbers[:, np.newaxis]
    silent = np.take_along_axis(silenced, own, axis=1)[:, 0]
    classes = np.arange(largest.shape[2])
    # Where none fires, the first class is predicted until another one does.
    rivals = np.where(silent[:, np.newaxis] > 0, classes < own, classes > 0)
    other = np.where(rivals, fired, np.inf).min(axis=1)
    return np.where(silent > 0, np.minimum(silent, other), other)


def _flips_of_vote(network, largest, scores, numbers) -> np.ndarray:
    """Where a class that fires alone is believed, and else scores are compared.

    The class stays if step 1 of the vote cannot say another one, and step 2 says this
    one; or if step 1 keeps saying this one.
    """
    rows, own = np.arange(len(numbers)), numbers[:, np.newaxis]
    other = np.arange(scores.shape[1]) != own
    of_own = largest[:, rows, numbers]
    silenced = np.maximum(of_own, 0).sum(axis=0)
    fired = np.maximum(1 - largest, 0)
    believed = np.sort(fired, axis=0)[: network.quorum].sum(axis=0)
    by_one = silenced + np.where(other, believed, np.inf).min(axis=1)
    by_two = _flips_of_scores(network, scores, rows, numbers, other)
    another = np.where(other, fired.min(axis=0), np.inf).min(axis=1)
    # As many coverings have to fall silent as there are more than the quorum, and one.
    margins = np.sort(np.where(of_own > 0, of_own, 0.0), axis=0)[::-1]
    alone = margins[network.quorum - 1 :].sum(axis=0)
    alone = np.where(margins[network.quorum - 1] > 0, alone, 0.0)
    return np.maximum(np.minimum(by_one, by_two), np.minimum(another, alone))


def _flips_of_scores(network, scores, rows, numbers, other) -> np.ndarray:
    """Return how many bits it takes, at least, until another score is the largest."""
    gaps = scores[rows, numbers][:, np.newaxis] - scores
    least = np.where(other, gaps, np.inf).min(axis=1)
    calibration = network.calibration
    scale = 1.0 if calibration is None else calibration.scale
    sizes = scale * len(network.coverings) + 1.0
    if calibration is not None:
        sizes += float(np.abs(calibration.offsets).max())
    fewest = min(c.hyperplanes.n_hyperplanes for c in network.coverings)
    return np.ceil((least - TOLERANCE * sizes) * (fewest / scale))
