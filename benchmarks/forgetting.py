"""Forget images of MNIST, and compare the time with a fit, and the bytes with never.

    python benchmarks/forgetting.py [--samples 60000] [--forget 1 100 1000]

Also times batches of `partial_fit` with a ball beside those without. MNIST is read
from $SKLEARN_MEMORIZE_DATA/data/mnist (by default ../shared), or else fetched from
OpenML. Times are of the processor, and the least of several tries.
"""

from __future__ import annotations

import argparse
import copy
import pickle
import time

import numpy as np
from partial_fit import in_batches, load

from sklearn_memorize import MemorizingClassifier

# The pixels are 0 to 255, and mostly black: around a dark grey.
BALL = {"center": 32.0, "radius": 2500.0}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=60_000)
    parser.add_argument("--forget", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batches", type=int, default=0)
    return parser.parse_args()


def seconds_of(work, n_times):
    """Return the least seconds of the processor, and the last result."""
    least = np.inf
    for _ in range(n_times):
        start = time.process_time()
        result = work()
        least = min(least, time.process_time() - start)
    return least, result


def main():
    options = arguments()
    X, y = load(options.samples)
    X, classes = X.astype(np.float32), np.unique(y)
    parameters = {"hyperplanes": "random", "n_draws": options.draws}
    parameters["random_state"] = 0

    def memorized(X, y):
        model = MemorizingClassifier(ball=BALL, **parameters)
        return model.partial_fit(X, y, classes=classes)

    fit, _ = seconds_of(
        lambda: MemorizingClassifier(**parameters).fit(X, y), options.repeats
    )
    first, model = seconds_of(lambda: memorized(X, y), 1)
    print(f"{len(X):,} samples, {options.draws} draws: fit {fit:.2f} s", end="")
    print(f", partial_fit with a ball {first:.2f} s")
    rng = np.random.default_rng(0)
    for n in options.forget:
        gone = rng.choice(len(X), n, replace=False)
        seconds, fewer = seconds_of(
            lambda gone=gone: copy.copy(model).forget(gone), options.repeats
        )
        left = np.setdiff1d(np.arange(len(X)), gone)
        never = memorized(X[left], y[left])
        same = pickle.dumps(fewer) == pickle.dumps(never)
        recalled = fewer.score(X[left], y[left])
        print(f"forget {n:,}: {seconds:.3f} s, {seconds / fit:.3f} of a fit; ", end="")
        print(f"the bytes of an estimator that never saw them: {same}; ", end="")
        print(f"recall of the others: {recalled}")
    if options.batches:
        for name, ball in (("without", None), ("with", BALL)):
            grown = MemorizingClassifier(ball=ball, **parameters)
            seconds, lowest = in_batches(grown, X, y, options.batches)
            width = grown.network_.widths[1]
            print(f"{options.batches} batches {name} a ball: {seconds:.2f} s, ", end="")
            print(f"lowest recall {lowest}, {width:,} neurons")


if __name__ == "__main__":
    main()
