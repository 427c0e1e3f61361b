"""Parts of many samples, on which widths of the layer are tried first."""

from __future__ import annotations

import numpy as np

from ._separators import signs_of, squared_hinge

# No part is smaller than this, and none larger than that share of the samples.
_LEAST_PART = 2048
_LARGEST_SHARE = 4


class Parts:
    """What does not separate some samples does not separate all of them.

    So features are tried on random samples, then on twice as many, and at last on those
    that the separator of the others leaves on the wrong side, or near it. The answer
    for all samples is that of the search among all; most widths never get there.
    """

    def __init__(self, X, labels, n_outputs: int, seed: int):
        self._X, self._labels, self._n_outputs = X, labels, n_outputs
        order = np.random.default_rng(seed).permutation(X.shape[0])
        self._larger, size = list[np.ndarray](), X.shape[0] // _LARGEST_SHARE
        while size >= _LEAST_PART:
            self._larger.insert(0, np.sort(order[:size]))
            size //= 2
        self._n_hardest = X.shape[0] // _LARGEST_SHARE if self._larger else 0
        self.rows = self._larger.pop(0) if self._larger else slice(None)

    @property
    def is_all(self) -> bool:
        """Whether the samples are all there are."""
        return isinstance(self.rows, slice)

    def grow(self, features, max_iter: int, n_threads: int = 1) -> bool:
        """Take more samples if features of these separate them; return whether.

        Twice as many samples as features are separated with probability 1/2, whatever
        their labels (Cover, 1965): nothing is learnt from them.
        """
        if features.n_samples <= 2 * features.n_hyperplanes:
            self.rows = self._larger.pop(0) if self._larger else slice(None)
            return True
        signs = signs_of(self._labels[self.rows], self._n_outputs)
        found = squared_hinge(features, signs, max_iter, n_threads, gives_up=True)
        if not found.separates:
            return False
        if self._larger:
            self.rows = self._larger.pop(0)
        elif self._n_hardest:
            network = features.network(found.coefficients, found.intercepts)
            self.rows = self._hardest(network, n_threads)
            self._n_hardest = 0
        else:
            self.rows = slice(None)
        return True

    def _hardest(self, network, n_threads: int) -> np.ndarray:
        """Return the samples of which some output is least on its side."""
        outputs = network.forward(self._X, n_threads)
        outputs *= signs_of(self._labels, self._n_outputs)
        least = outputs.min(axis=1)
        return np.sort(np.argsort(least, kind="stable")[: self._n_hardest])
