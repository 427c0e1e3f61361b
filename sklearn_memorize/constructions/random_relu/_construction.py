"""Random ReLU features made linearly separable.

S. Dirksen, M. Genzel, L. Jacques and A. Stollenwerk, "The separation capacity of random
neural networks" (JMLR, 2022): Phi(x) = ReLU(W x + b) with W standard Gaussian and b
uniform on [-lambda, lambda] makes the images of two classes linearly separable, with a
number of neurons that is governed by a mutual complexity of the classes and not by the
number of samples. So the layer grows until a separator is found, and the separator is
then replaced by one of maximum margin.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from ... import kernels
from ...exact._signs import DOUBLE, rounding
from ...kernels._memory import blocks_of_rows, check_room
from ...kernels._threads import run_in_threads
from ._margins import largest_margin
from ._network import RandomReLUNetwork, Separator
from ._separators import SMALL, interpolant, signs_of, squared_hinge

# Columns of so many features are computed together, whatever the threads.
_FEATURES_TOGETHER = 256


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

    def __init__(
        self,
        samples,
        directions,
        biases,
        exponent,
        center=None,
        sizes=None,
        n_threads=1,
    ):
        self._samples = samples
        self._directions, self._biases = directions, biases
        self._exponent, self._center = exponent, center
        self._lengths = np.linalg.norm(directions, axis=1)
        if sizes is None:
            of = samples.multiply if sparse.issparse(samples) else samples.__mul__
            sizes = np.sqrt(np.asarray(of(samples).sum(axis=1)).ravel())
        self._sizes = sizes
        self.values = np.empty((samples.shape[0], len(directions)))
        groups = blocks_of_rows(len(directions), 1, _FEATURES_TOGETHER)
        found = run_in_threads(self._fill, groups, n_threads)
        means, scales = zip(*found, strict=True)
        self._mean, self._scale = np.concatenate(means), np.concatenate(scales)

    def _fill(self, columns) -> tuple[np.ndarray, np.ndarray]:
        """Compute some features; return their mean, and what makes their variance 1."""
        values = np.asarray(self._samples @ self._directions[columns].T)
        values += self._biases[columns]
        np.maximum(values, 0.0, out=values)
        mean = values.mean(axis=0)
        values -= mean
        deviation = np.sqrt(np.square(values).mean(axis=0))
        scale = np.where(deviation > 0, 1 / np.maximum(deviation, SMALL), 0.0)
        np.multiply(values, scale, out=self.values[:, columns])
        return mean, scale

    def widened(self, layer, n_threads: int = 1) -> Features:
        """Return these features and those of more hyperplanes of the same exponent."""
        more = Features(
            self._samples,
            layer.directions.astype(np.float64),
            layer.scaled_biases,
            self._exponent,
            self._center,
            self._sizes,
            n_threads,
        )
        for name in ("_directions", "_biases", "_lengths", "_mean", "_scale"):
            setattr(
                more, name, np.concatenate([getattr(self, name), getattr(more, name)])
            )
        more.values = np.hstack([self.values, more.values])
        return more

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


def features_of(layer, X, n_threads: int = 1) -> Features:
    """Return the features of the hyperplanes of a layer at the samples X.

    The layer is a `HyperplaneLayer`; features are divided by the power of two near the
    size of the data that its exponent tells. Threads share the features.
    """
    samples = X.astype(np.float64)
    if sparse.issparse(samples):
        samples.data = np.ldexp(samples.data, -layer.exponent)
    else:
        samples = np.ldexp(samples, -layer.exponent)
    directions = layer.directions.astype(np.float64)
    biases, exponent = layer.scaled_biases, layer.exponent
    return Features(samples, directions, biases, exponent, n_threads=n_threads)


def anchored(sphere, X, n_hyperplanes: int, rng, n_threads: int = 1) -> Features:
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
    at = sphere.exponents, sphere.center, sizes
    return Features(samples, directions, biases, *at, n_threads)


def _margins(features, solution, signs) -> np.ndarray:
    """Return the distance of the nearest sample to each output's hyperplane."""
    coefficients, intercepts = solution
    values = signs * (features.values @ coefficients + intercepts)
    norms = np.linalg.norm(coefficients, axis=0)
    return values.min(axis=0) / np.maximum(norms, SMALL)


class Separation(NamedTuple):
    """What came of the search for a separator."""

    network: RandomReLUNetwork  # of the best linear functions found
    # Samples at which some output has not the right sign by more than the rounding
    # error of any evaluation: none where the network memorizes.
    missed: np.ndarray
    n_iter: int  # steps of the search
    outputs: np.ndarray | None  # of the network at the samples, if they were needed


def separate(
    features,
    X,
    labels,
    n_outputs,
    maximum_margin,
    max_iter,
    n_threads=1,
    gives_up=False,
) -> Separation:
    """Look for a linear separator of the features of the samples X.

    There is one output for each class, or one in all for two. With `maximum_margin` the
    separator that is found within `max_iter` iterations is replaced by one of maximum
    margin, else by one that predicts better. The search ends early where it `gives_up`.
    Threads share the classes, and the samples.
    """
    signs = signs_of(labels, n_outputs)
    search = squared_hinge(
        features,
        signs,
        max_iter,
        n_threads,
        gives_up=gives_up,
        again=not maximum_margin,
    )
    solution = search.coefficients, search.intercepts
    separated = (_margins(features, solution, signs) > 0).all()
    if separated and maximum_margin:
        solution = largest_margin(features, signs, solution, n_threads)
    network = features.network(*solution)
    outputs = network.forward(X, n_threads) if separated else None
    rough = features.values @ solution[0] + solution[1] if outputs is None else outputs
    right = signs * rough > features.errors(network)
    if not separated and features.n_hyperplanes + 1 >= features.n_samples:
        solved = features.network(*interpolant(features, signs))
        solved_outputs = solved.forward(X, n_threads)
        solves = signs * solved_outputs > features.errors(solved)
        if solves.all():
            network, right, outputs = solved, solves, solved_outputs
    missed = np.flatnonzero(~right.all(axis=1))
    return Separation(network, missed, search.n_iter, outputs)
