"""Memorize MNIST in batches, and compare time and network with one fit.

    python benchmarks/partial_fit.py [--samples 10000] [--batches 20] [--draws 1 4]

After each call of `partial_fit` all samples so far are predicted, which is not part of
the time. MNIST is read from $SKLEARN_MEMORIZE_DATA/data/mnist (by default ../shared),
or else fetched from OpenML.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.datasets import fetch_mnist

REPOSITORY = Path(__file__).resolve().parents[1]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--draws", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--covering", default="random", choices=["random", "greedy"])
    return parser.parse_args()


def load(n_samples):
    folder = os.environ.get("SKLEARN_MEMORIZE_DATA", REPOSITORY.parent / "shared")
    folder = Path(folder) / "data" / "mnist"
    X, y = fetch_mnist(folder if folder.is_dir() else None, return_X_y=True)
    return X[:n_samples], y[:n_samples]


def in_batches(model, X, y, n_batches):
    """Return the seconds of all calls, and the lowest accuracy after any of them."""
    seconds, lowest, classes = 0.0, 1.0, np.unique(y)
    borders = np.linspace(0, len(X), n_batches + 1).astype(int)
    for start, stop in zip(borders, borders[1:], strict=False):
        begin = time.perf_counter()
        model.partial_fit(X[start:stop], y[start:stop], classes=classes)
        seconds += time.perf_counter() - begin
        lowest = min(lowest, model.score(X[:stop], y[:stop]))
    return seconds, lowest


def at_once(model, X, y):
    begin = time.perf_counter()
    model.fit(X, y)
    return time.perf_counter() - begin


def main():
    options = arguments()
    X, y = load(options.samples)
    for n_draws in options.draws:
        parameters = {"n_draws": n_draws, "covering": options.covering}
        model = MemorizingClassifier(hyperplanes="random", **parameters, random_state=0)
        grown = MemorizingClassifier(hyperplanes="random", **parameters, random_state=0)
        at_once(model, X[:1000], y[:1000])  # compiles the kernels
        before = at_once(model, X, y)
        seconds, lowest = in_batches(grown, X, y, options.batches)
        # One fit before and one after, for machines that are busy with other things.
        fit = (before + at_once(model, X, y)) / 2
        widths = [int(m.second_layer_widths_.sum()) for m in (model, grown)]
        print(f"n_draws={n_draws}, {len(X):,} samples in {options.batches} batches")
        print(f"  lowest training accuracy after any call: {lowest}")
        print(f"  seconds: {fit:.2f} at once, {seconds:.2f} in batches", end="")
        print(f" ({seconds / fit:.2f} times)")
        print(
            f"  second layer: {widths[0]:,} at once, {widths[1]:,} in batches", end=""
        )
        print(f" ({widths[1] / widths[0]:.2f} times)")


if __name__ == "__main__":
    main()
