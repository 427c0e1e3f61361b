"""Random ReLU features made linearly separable.

S. Dirksen, M. Genzel, L. Jacques and A. Stollenwerk, "The separation capacity of random
neural networks" (JMLR, 2022): Phi(x) = ReLU(W x + b) with W standard Gaussian and b
uniform on [-lambda, lambda] makes the images of two classes linearly separable, with a
number of neurons that is governed by a mutual complexity of the classes and not by the
number of samples. So the layer grows until a separator is found, and the separator is
then replaced by one of maximum margin.
"""

from __future__ import annotations

import warnings
from contextlib import suppress

import numpy as np
from scipy import linalg, optimize, sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC, LinearSVC
from sklearn.utils.parallel import Parallel, delayed

from ... import kernels
from ...exact._signs import DOUBLE, rounding
from ...kernels._memory import check_room
from ._network import RandomReLUNetwork, Separator

# Squared hinge loss: its weight decay, and the functional margin that is enough.
_DECAY = 1e-6
_MARGIN = 0.5
# A decrease of the loss that counts as standstill.
_STANDSTILL = 1e-4
# Up to this many samples their Gram matrix is held.
_GRAM_SAMPLES = 5000
_HARD = 1e9
# Keeps zero from being divided by.
_SMALL = 1e-300


class _Separated(Exception):
    """Ends the search."""


def check_room_for_features(X, n_hyperplanes: int) -> None:
    """Raise a MemoryError if features of the samples X do not fit into memory."""
    n_samples, n_features = X.shape
    n_stored = 3 * X.nnz // 2 if sparse.issparse(X) else n_samples * n_features
    # Samples, weights, and standardized features, each as it was and as it becomes,
    # and once more for the step between.
    n_values = n_stored + n_hyperplanes * (n_features + n_samples)
    check_room(3 * 8 * n_values, f"{n_hyperplanes:,} features of {n_samples:,} samples")


class Features:
    """The standardized features of the training samples, and their layer.

    The directions are the W and the biases the b of Phi(x) = ReLU(W x + b). Samples, in
    double precision, and biases are in units of 2**exponent, which brings the samples
    to the size of one; there may be one exponent for each feature. The samples are
    differences from `center`, and `sizes` the lengths of what they were before, if
    there is a center.
    """

    def __init__(self, samples, directions, biases, exponent, center=None, sizes=None):
        self._directions, self._biases = directions, biases
        self._exponent, self._center = exponent, center
        self._lengths = np.linalg.norm(directions, axis=1)
        if sizes is None:
            of = samples.multiply if sparse.issparse(samples) else samples.__mul__
            sizes = np.sqrt(np.asarray(of(samples).sum(axis=1)).ravel())
        self._sizes = sizes
        values = np.asarray(samples @ directions.T)
        values += biases
        np.maximum(values, 0.0, out=values)
        self._mean = values.mean(axis=0)
        deviation = values.std(axis=0)
        self._scale = np.where(deviation > 0, 1 / np.maximum(deviation, _SMALL), 0.0)
        values -= self._mean
        values *= self._scale
        self.values = values

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return self.values.shape[0]

    @property
    def n_hyperplanes(self) -> int:
        """Number of features."""
        return self.values.shape[1]

    def network(self, coefficients, intercepts) -> RandomReLUNetwork:
        """Return the network of a linear function of the standardized features."""
        unscaled = coefficients * self._scale[:, np.newaxis]
        separator = Separator(unscaled, intercepts - self._mean @ unscaled)
        weights = np.ldexp(self._directions, -self._exponent)
        biases = self._biases
        if self._center is not None:
            center = self._center[np.newaxis]
            biases = biases - kernels.ordered_product(weights, center)[:, 0]
        return RandomReLUNetwork(weights, biases, separator)

    def errors(self, network) -> np.ndarray:
        """Return by how much two evaluations of the outputs at the samples may differ.

        |fl(w . x + b) - (w . x + b)| <= gamma_{d+1} (|w| |x| + |b|), which reaches the
        outputs through |v|; the outer sums add gamma_{n+1} (|v| . Phi + |c|). Twice
        that for two evaluations.
        """
        hidden, output = network.layers
        reach = np.abs(output.weights) @ np.column_stack(
            [self._lengths, np.abs(hidden.biases)]
        )
        total = self._sizes[:, np.newaxis] * reach[:, 0] + reach[:, 1]
        n_terms = self._directions.shape[1] + self.n_hyperplanes + 4
        return 2 * rounding(n_terms, DOUBLE) * (total + np.abs(output.biases))


def widen(layers, X) -> Features:
    """Return the features of several blocks of hyperplanes at the samples X.

    The blocks, each a `HyperplaneLayer`, have the same exponent: the features are
    divided by that power of two near the size of the data.
    """
    exponent = layers[0].exponent
    directions = np.concatenate([layer.directions for layer in layers])
    biases = np.concatenate([layer.scaled_biases for layer in layers])
    samples = X.astype(np.float64)
    if sparse.issparse(samples):
        samples.data = np.ldexp(samples.data, -exponent)
    else:
        samples = np.ldexp(samples, -exponent)
    return Features(samples, directions.astype(np.float64), biases, exponent)


def anchored(sphere, X, n_hyperplanes: int, rng) -> Features:
    """Return the features of random hyperplanes through samples near the unit sphere.

    b = -<w, x_i> for a sample x_i drawn at random, so that the kinks of the features
    are where the samples are, whatever their scale. With one for each sample, in the
    order of a projection, the features of distinct samples are a triangular system.
    """
    samples, scaled = sphere.moved(X), sphere.in_units(X)
    directions = rng.standard_normal((n_hyperplanes, samples.shape[1]))
    directions[:, ~sphere.varies] = 0.0
    through = rng.integers(len(samples), size=n_hyperplanes)
    biases = -np.einsum("ij,ij->i", directions, samples[through])
    sizes = np.linalg.norm(scaled, axis=1)
    return Features(samples, directions, biases, sphere.exponents, sphere.center, sizes)


def _squared_hinge(features, signs, max_iter):
    """Minimize sum max(0, 1 - s f)^2 until everything is on its side.

    Returns coefficients and intercepts of linear functions that separate, if any were
    met, else of the last ones; and how many times the loss was evaluated.
    """
    n_outputs = signs.shape[1]
    values = features.values
    n_iter, best, separator = 0, 0.0, None

    def loss(solution):
        nonlocal n_iter, best, separator
        n_iter += 1
        matrix = solution.reshape(-1, n_outputs)
        margins = signs * (values @ matrix[1:] + matrix[0])
        if margins.min() > best:
            best, separator = margins.min(), solution.copy()
            if best >= _MARGIN:
                raise _Separated
        short = np.maximum(1.0 - margins, 0.0)
        slope = -2.0 * short * signs
        gradient = np.vstack([slope.sum(axis=0), values.T @ slope])
        value = np.sum(short * short) + _DECAY * (solution @ solution)
        return value, gradient.ravel() + 2 * _DECAY * solution

    options = {"maxiter": max_iter, "maxfun": 2 * max_iter, "maxcor": 20}
    options |= {"ftol": _STANDSTILL, "gtol": 0.0}
    solution = np.zeros((features.n_hyperplanes + 1) * n_outputs)
    with suppress(_Separated):
        solution = optimize.minimize(
            loss, solution, jac=True, method="L-BFGS-B", options=options
        ).x
    if separator is not None:
        solution = separator
    matrix = solution.reshape(-1, n_outputs)
    return matrix[1:], matrix[0], n_iter


def _interpolant(features, signs):
    """Solve Phi v + c = s."""
    design = np.column_stack([features.values, np.ones(features.n_samples)])
    solution = linalg.lstsq(design, signs, cond=DOUBLE, lapack_driver="gelsy")[0]
    return solution[:-1], solution[-1]


def _largest_margin(features, signs, n_jobs):
    """Separate each class with the maximum margin: libsvm, or liblinear if large."""
    if features.n_samples <= _GRAM_SAMPLES:
        gram = features.values @ features.values.T
        scale = max(float(np.mean(np.diag(gram))), _SMALL)
        solve, inputs = _hard_margin_dual, gram / scale
    else:
        solve, inputs = _hard_margin_primal, features.values
    with warnings.catch_warnings():
        # It need not converge: what it finds is compared with what is there.
        warnings.simplefilter("ignore", ConvergenceWarning)
        parallel = Parallel(n_jobs=n_jobs, require="sharedmem")
        found = parallel(delayed(solve)(inputs, column) for column in signs.T)
    found = np.column_stack(found)
    coefficients = features.values.T @ found if solve is _hard_margin_dual else found
    values = features.values @ coefficients
    return coefficients, -_middle(values, signs)


def _hard_margin_dual(gram, signs):
    """Return the multipliers of the samples, of norm one."""
    machine = SVC(kernel="precomputed", C=_HARD, max_iter=1_000_000)
    machine.fit(gram, signs)
    multipliers = np.zeros(len(signs))
    multipliers[machine.support_] = machine.dual_coef_[0]
    return multipliers / max(np.linalg.norm(multipliers), _SMALL)


def _hard_margin_primal(values, signs):
    """Return the coefficients."""
    machine = LinearSVC(
        loss="hinge", C=1.0, intercept_scaling=10.0, max_iter=1000, random_state=0
    )
    machine.fit(values, signs)
    return machine.coef_[0]


def _middle(values, signs) -> np.ndarray:
    """Return, for each output, the middle between the two sides."""
    lowest = np.where(signs > 0, values, np.inf).min(axis=0)
    highest = np.where(signs < 0, values, -np.inf).max(axis=0)
    return (lowest + highest) / 2


def _margins(features, solution, signs) -> np.ndarray:
    """Return the distance of the nearest sample to each output's hyperplane."""
    coefficients, intercepts = solution
    values = signs * (features.values @ coefficients + intercepts)
    norms = np.linalg.norm(coefficients, axis=0)
    return values.min(axis=0) / np.maximum(norms, _SMALL)


def separate(features, X, labels, n_outputs, maximum_margin, max_iter, n_jobs):
    """Look for a linear separator of the features of the samples X.

    There is one output for each class, or one in all for two. With `maximum_margin` the
    separator that is found within `max_iter` iterations is replaced by one of maximum
    margin; `n_jobs` threads then work on one class each.

    Returns the network of the best linear functions found; the samples at which some
    output has not the right sign by more than the rounding error of any evaluation,
    none where the network memorizes; and how many steps the search took.
    """
    positive = np.arange(n_outputs) if n_outputs > 1 else np.ones(1, dtype=np.intp)
    signs = np.where(labels[:, np.newaxis] == positive, 1.0, -1.0)
    *solution, n_iter = _squared_hinge(features, signs, max_iter)
    margins = _margins(features, solution, signs)
    if maximum_margin and (margins > 0).all():
        wider = _largest_margin(features, signs, n_jobs)
        better = _margins(features, wider, signs) > margins
        solution = [
            np.where(better, of_wider, found)
            for of_wider, found in zip(wider, solution, strict=True)
        ]
    network = features.network(*solution)
    candidates = [network]
    if not (margins > 0).all() and features.n_hyperplanes + 1 >= features.n_samples:
        candidates.append(features.network(*_interpolant(features, signs)))
    for candidate in candidates:
        right = signs * candidate.forward(X) > features.errors(candidate)
        missed = np.flatnonzero(~right.all(axis=1))
        if len(missed) == 0:
            return candidate, missed, n_iter
    return network, missed, n_iter
