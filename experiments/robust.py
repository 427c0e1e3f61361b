"""Robust memorization: attacked, measured, and how much it costs.

    python experiments/robust.py [--data digits moons mnist-10k] [--points 1000000]
    python experiments/robust.py --tables attacks --data digits   # these rows anew
    python experiments/robust.py --tables attacks --data digits --only slabs

Three tables, which the documentation shows:

- `measured/robust_attacks.csv`: points up to the certified radius around training
  samples and new ones, at random and searched for without gradients (towards the
  nearest samples of other labels, and from there wherever the score of the label
  falls); how many get another label. See `tests/support/attacks.py`.
- `measured/robust_radii.csv`: certified radii in units of half the distance to the
  nearest training sample of another class, the most there can be at a training sample.
- `measured/robust_sizes.csv`: centers, parameters, times (of the processor, to be run
  with OPENBLAS_NUM_THREADS=1) and accuracy against the robustness.

`--tables` names those to be made, and rows of other data sets are kept. Robust
classifiers are attacked by `--points` points in their own metric; by a tenth of them
where cubes are to be searched among 784 features, and by a fiftieth in the other
metric. The other classifiers take a fiftieth, or a five-hundredth if they are slow. All
of it takes about an hour on two cores.
"""

import argparse
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.datasets import load_digits, make_moons
from sklearn.model_selection import train_test_split

import sklearn_memorize
from sklearn_memorize import (
    DeepThresholdClassifier,
    InterpolatingNeighborsClassifier,
    MemorizingClassifier,
    NearbySetClassifier,
    RobustMemorizingClassifier,
    SlabClassifier,
)

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
from support.attacks import attacks, length  # noqa: E402

TABLES = ("attacks", "radii", "sizes")
BATCH = 2_000
ROBUST = {
    f"robust, {robustness}": RobustMemorizingClassifier(robustness=robustness)
    for robustness in (0.1, 0.5, 0.95)
}
CUBES = {
    "robust, 0.5, chebyshev": RobustMemorizingClassifier(metric="chebyshev"),
}
OTHERS = {
    "nearby set": NearbySetClassifier(),
    "adapted hyperplanes": MemorizingClassifier(random_state=0),
    "random hyperplanes": MemorizingClassifier(
        hyperplanes="random", random_state=0, n_draws=4
    ),
    "random hyperplanes, network": MemorizingClassifier(
        hyperplanes="random", decision="network", random_state=0
    ),
    "deep threshold": DeepThresholdClassifier(random_state=0),
    "slabs": SlabClassifier(random_state=0),
    "interpolating neighbours": InterpolatingNeighborsClassifier(),
    "Hilbert kernel": InterpolatingNeighborsClassifier(weights="hilbert"),
}
# Their scores take long.
SLOW = {"nearby set"}


@cache
def moons():
    X, y = make_moons(4000, noise=0.1, random_state=0)
    return X[:2000], y[:2000], X[2000:], y[2000:]


@cache
def digits():
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=1 / 3, random_state=0)
    return X, y, X_test, y_test


@cache
def mnist_10k():
    sys.path.insert(0, str(HERE))
    from _mnist import load_digits as load_mnist

    X, y = load_mnist()
    y = np.asarray(y).astype(int)
    return X[:10_000], y[:10_000], X[60_000:], y[60_000:]


DATA = {"moons": moons, "digits": digits, "mnist-10k": mnist_10k}


def classifiers(data):
    """Return what is attacked and measured: on MNIST the robust classifiers alone."""
    robust = {**ROBUST, **CUBES}
    return robust if data == "mnist-10k" else {**robust, **OTHERS}


def share_of_points(data, name, metric):
    """Return by how much fewer than all points a classifier is attacked."""
    if name in ROBUST and metric == "euclidean":
        return 1
    if name in CUBES and metric == "chebyshev":
        return 10 if data == "mnist-10k" else 1
    return 500 if name in SLOW else 50


def attack(model, rows, X, y, metric, n_points):
    """Return how many points were tried within the radii, and how many were wrong."""
    rng = np.random.default_rng(0)
    tried = wrong = 0
    while tried < n_points:
        chosen = rows[rng.integers(0, len(rows), min(BATCH, n_points))]
        for points, labels in attacks(model, chosen, X, y, metric, rng):
            wrong += int((model.predict(points) != labels).sum())
            tried += len(points)
            if tried >= n_points:
                break
    return tried, wrong


def attack_all(names, n_points, only):
    """Yield the rows of the table of attacks."""
    for data in names:
        X, y, X_test, _ = DATA[data]()
        rows = np.concatenate([X, X_test])
        for name, model in classifiers(data).items():
            if name not in only:
                continue
            model = clone(model).fit(X, y)
            for metric in ("euclidean", "chebyshev"):
                start = time.perf_counter()
                wanted = max(1, n_points // share_of_points(data, name, metric))
                tried, wrong = attack(model, rows, X, y, metric, wanted)
                yield {
                    "data": data,
                    "classifier": name,
                    "radius": metric,
                    "points": tried,
                    "wrong": wrong,
                    "seconds": round(time.perf_counter() - start, 1),
                }


def half_class_distances(X, y, metric):
    """Return half the distance of each sample to the nearest one of another label."""
    halves = np.empty(len(X))
    for i, x in enumerate(X):
        halves[i] = length(X[y != y[i]] - x, metric).min() / 2
    return halves


def measure_radii(names):
    """Yield the rows of the table of radii: medians, and the smallest ones."""
    for data in names:
        X, y, X_test, _ = DATA[data]()
        chosen = np.random.default_rng(0).permutation(len(X))[:1000]
        for metric in ("euclidean", "chebyshev"):
            halves = half_class_distances(X, y, metric)
            for name, model in classifiers(data).items():
                model = clone(model).fit(X, y)
                shares = (
                    model.certified_radius(X[chosen], metric=metric) / halves[chosen]
                )
                new = model.certified_radius(X_test[:1000], metric=metric)
                yield {
                    "data": data,
                    "classifier": name,
                    "radius": metric,
                    "median share": significant(np.median(shares)),
                    "least share": significant(shares.min()),
                    "median of new samples": significant(
                        np.median(new) / np.median(halves)
                    ),
                }


def significant(number):
    """Return two significant digits."""
    return float(f"{number:.2g}")


def measure_sizes(names):
    """Yield the rows of the table of sizes."""
    for data in names:
        X, y, X_test, y_test = DATA[data]()
        for robustness in (0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
            model = RobustMemorizingClassifier(robustness=robustness)
            start = time.process_time()
            model.fit(X, y)
            fitted = time.process_time()
            predicted = model.predict(X_test)
            end = time.process_time()
            network = model.network_
            yield {
                "data": data,
                "robustness": robustness,
                "centers": len(model.center_indices_),
                "of": len(X),
                "parameters": network.n_parameters,
                "over N d": round(network.n_parameters / X.size, 2),
                "depth": network.depth,
                "training": model.score(X, y),
                "test": round(float((predicted == y_test).mean()), 4),
                "fit seconds": round(fitted - start, 2),
                "predict seconds": round(end - fitted, 2),
            }


def write(name, rows, names, only=None):
    """Print rows as they come, and write them to `measured/`.

    Rows of an earlier run stay if they are about other data sets than those named, or
    other classifiers than `only` some.
    """
    path = HERE / "measured" / f"robust_{name}.csv"
    table = pd.read_csv(path, dtype=str).to_dict("records") if path.exists() else []
    table = [
        row
        for row in table
        if row["data"] not in names or (only and row["classifier"] not in only)
    ]
    for row in rows:
        print(*row.values(), sep=" | ", flush=True)
        table.append({column: str(value) for column, value in row.items()})
        table.sort(key=lambda row: list(DATA).index(row["data"]))
        pd.DataFrame(table).to_csv(path, index=False)


def main():
    """Make the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--points", type=int, default=1_000_000)
    every = [*ROBUST, *CUBES, *OTHERS]
    parser.add_argument("--only", nargs="+", choices=every, help="these are attacked")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    options = parser.parse_args()
    print(sklearn_memorize.__version__)
    if "sizes" in options.tables:
        write("sizes", measure_sizes(options.data), options.data)
    if "radii" in options.tables:
        write("radii", measure_radii(options.data), options.data)
    if "attacks" in options.tables:
        chosen = options.only or every
        rows = attack_all(options.data, options.points, chosen)
        write("attacks", rows, options.data, chosen)


if __name__ == "__main__":
    main()
