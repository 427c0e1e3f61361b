"""The data of the benchmarks."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
from scipy import fft

from sklearn_memorize.datasets import fetch_mnist, make_two_moons

__all__ = ["digits_of_mnist", "images", "moons", "some"]

_IMAGES_AT_ONCE = 2000


@cache
def digits_of_mnist():
    """Return MNIST, found as in the tests: 60,000 + 10,000 rows, float32 and labels."""
    shared = Path(__file__).resolve().parents[2] / "shared"
    os.environ.setdefault("SKLEARN_MEMORIZE_DATA", str(shared))
    X, y = fetch_mnist(return_X_y=True)
    X.flags.writeable = False
    return X, y


def some(X, y, n_samples):
    """Return that many rows at random, always the same ones."""
    if n_samples >= len(y):
        return X, y
    rows = np.sort(np.random.default_rng(0).permutation(len(y))[:n_samples])
    return X[rows], y[rows]


def moons(n_samples):
    """Return Two Moons in the unit disc, in float32."""
    X, y = make_two_moons(n_samples, noise=0.05, random_state=0)
    return X.astype(np.float32), y


def images(n_samples, channels, side, strength, n_classes=10, out=None):
    """Make smooth random images, bytes as float32; labels are cyclic.

    Each image is a Gaussian field with the spectrum of natural images (amplitudes fall
    as one over the frequency) plus `strength` times a field that its class has in
    common: 0 leaves nothing to learn, 2 makes it easy. With `out` they go there.
    """
    rng = np.random.default_rng(0)
    labels = np.arange(n_samples) % n_classes
    shape = (channels, side, side)
    if out is None:
        out = np.empty((n_samples, channels * side * side), dtype=np.float32)
    common = _fields(rng, (n_classes, *shape))
    for start in range(0, n_samples, _IMAGES_AT_ONCE):
        rows = slice(start, min(start + _IMAGES_AT_ONCE, n_samples))
        fields = _fields(rng, (rows.stop - start, *shape))
        fields += np.float32(strength) * common[labels[rows]]
        block = np.clip(np.rint(128 + 40 * fields), 0, 255)
        out[rows] = block.reshape(len(block), -1)
    return out, labels


def _fields(rng, shape):
    """Return Gaussian fields of variance one."""
    side = shape[-1]
    frequency = np.hypot(
        fft.fftfreq(side)[:, np.newaxis], fft.rfftfreq(side)[np.newaxis]
    )
    amplitude = 1 / np.maximum(frequency, 1 / side)
    noise = rng.standard_normal(shape, dtype=np.float32)
    spectrum = fft.rfft2(noise) * amplitude.astype(np.float32)
    fields = fft.irfft2(spectrum, s=shape[-2:])
    return fields / fields.std()
