"""Small data that come with scikit-learn or are made up."""

import numpy as np
from sklearn.datasets import load_digits

from sklearn_memorize.datasets import make_two_moons

__all__ = ["samples"]


def _moons():
    X, y = make_two_moons(50_000, noise=0.05, random_state=0)
    return X.astype(np.float32), y


def _digits():
    X, y = load_digits(return_X_y=True)
    return X.astype(np.float32), y


def _noise():
    """Return samples of which a neuron covers hardly more than one."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((4000, 300), dtype=np.float32), np.arange(4000) % 10


_MAKERS = {"moons": _moons, "digits": _digits, "noise": _noise}


def samples(name):
    """Return X (float32) and y: 50,000 x 2, 1,797 x 64 or 4,000 x 300."""
    return _MAKERS[name]()
