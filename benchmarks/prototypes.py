"""Prototypes beside imbalanced-learn's condensed nearest neighbour.

    python benchmarks/prototypes.py [--samples 5000]

For each data set and selector: how many samples are kept, how long that takes, and how
often the nearest neighbour among them is right about training and test samples. Needs
imbalanced-learn; without it, its rows are left out. Prints a table.
"""

from __future__ import annotations

import argparse
import time
import warnings
from importlib.util import find_spec

import numpy as np
from partial_fit import load
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import scale

from sklearn_memorize.applications import PrototypeSelector


def selectors():
    yield "all samples", None
    yield "prototypes", PrototypeSelector(random_state=0)
    yield "prototypes, greedy", PrototypeSelector(covering="greedy", random_state=0)
    yield (
        "prototypes, 4,000 hyperplanes",
        PrototypeSelector(n_hyperplanes=4000, random_state=0),
    )
    if find_spec("imblearn"):
        from imblearn.under_sampling import CondensedNearestNeighbour

        yield (
            "condensed nearest neighbour",
            CondensedNearestNeighbour(sampling_strategy="all", random_state=0),
        )


def data_sets(n_samples):
    yield "digits", *load_digits(return_X_y=True)
    X, y = load_breast_cancer(return_X_y=True)
    yield "breast cancer, scaled", scale(X), y
    X, y = load(2 * n_samples)
    yield f"MNIST, {n_samples:,}", X.astype(np.float64), y


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=5000)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(".. list-table::\n   :header-rows: 1\n   :widths: auto\n")
    head = "data", "selector", "kept", "seconds", "1-NN, training", "1-NN, test"
    row(*head)
    for name, X, y in data_sets(options.samples):
        halves = train_test_split(X, y, test_size=0.5, random_state=0, stratify=y)
        X_train, X_test, y_train, y_test = halves
        for selector_name, selector in selectors():
            few, labels, start = X_train, y_train, time.perf_counter()
            if selector is not None:
                few, labels = selector.fit_resample(X_train, y_train)
            seconds = time.perf_counter() - start
            nearest = KNeighborsClassifier(1).fit(few, labels)
            scores = nearest.score(X_train, y_train), nearest.score(X_test, y_test)
            shown = f"{len(few):,}", f"{seconds:.2f}", *(f"{s:.4f}" for s in scores)
            row(name, selector_name, *shown)


def row(*cells):
    for number, cell in enumerate(cells):
        print(f"   {'*' if number == 0 else ' '} - {cell}", flush=True)


if __name__ == "__main__":
    main()
