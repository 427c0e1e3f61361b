"""Fit time and test accuracy with and without separating hyperplanes.

On tables as they come, unscaled, and on the same tables with a few outliers: entries of
a hundredth of the training rows, one each, are multiplied by 10^6. Prints the table of
the user guide, and with `--csv FILE` writes the file that it is read from.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.model_selection import StratifiedKFold

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.exceptions import InterpolationError

HEADER = (
    "data",
    "fits that fail without",
    "seconds without",
    "seconds with",
    "accuracy without",
    "accuracy with",
    "separating hyperplanes",
)


def mixed_table(n_rows=600, seed=0):
    """Return rows like those of the census data "adult": made up, of mixed scales.

    Years, hours, two amounts of money that are mostly zero, a weight in the hundred
    thousands, and categories as zeros and ones; the label depends on several of them,
    with noise.
    """
    rng = np.random.default_rng(seed)
    age = rng.integers(17, 90, n_rows)
    years = np.clip(np.rint(rng.normal(10, 2.5, n_rows)), 1, 16)
    hours = np.clip(np.rint(rng.normal(40, 12, n_rows)), 1, 99)
    gain = np.where(rng.random(n_rows) < 0.08, np.rint(rng.lognormal(8, 1, n_rows)), 0)
    loss = np.where(
        rng.random(n_rows) < 0.05, np.rint(rng.normal(1900, 300, n_rows)), 0
    )
    weight = np.rint(rng.lognormal(12, 0.5, n_rows))
    groups = [np.eye(size)[rng.integers(0, size, n_rows)] for size in (7, 6, 5)]
    married = groups[0][:, 0] + groups[0][:, 1]
    score = (
        0.35 * (years - 10)
        + 0.03 * (age - 38)
        + 0.03 * (hours - 40)
        + 1.5 * married
        + 2.0 * (gain > 5000)
        + rng.logistic(0, 1, n_rows)
    )
    X = np.column_stack([age, weight, years, gain, loss, hours, *groups])
    return X, (score > 1.0).astype(int)


def with_outliers(X, seed=0):
    """Return a copy in which one entry of each hundredth row is 10^6 times as large."""
    rng = np.random.default_rng(seed)
    X = X.astype(np.float64).copy()
    rows = rng.choice(len(X), max(1, len(X) // 100), replace=False)
    columns = rng.integers(0, X.shape[1], len(rows))
    while not X[rows, columns].all():  # a zero stays one
        again = np.flatnonzero(X[rows, columns] == 0)
        columns[again] = rng.integers(0, X.shape[1], len(again))
    X[rows, columns] *= 1e6
    return X


def tables():
    for name, (X, y) in {
        "wine": load_wine(return_X_y=True),
        "breast cancer": load_breast_cancer(return_X_y=True),
        "mixed table": mixed_table(),
    }.items():
        yield name, X, X, y
        yield f"{name}, outliers", with_outliers(X), X, y


def measure(model, X_train, y_train, X_test, y_test):
    """Return seconds, accuracy (or None if the fit failed), and the model."""
    start = time.perf_counter()
    try:
        model.fit(X_train, y_train)
    except InterpolationError:
        return time.perf_counter() - start, None
    seconds = time.perf_counter() - start
    return seconds, model.score(X_test, y_test)


def row_of(name, dirty, clean, y):
    """Return one row of the table: sums and means over five folds."""
    results = {False: [], True: []}
    n_separating = []
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    for train, test in folds.split(clean, y):
        for separates, found in results.items():
            model = MemorizingClassifier(
                hyperplanes="random", separating_hyperplanes=separates, random_state=0
            )
            found.append(measure(model, dirty[train], y[train], clean[test], y[test]))
        n_separating.append(model.n_separating_hyperplanes_)
    failed = sum(accuracy is None for _, accuracy in results[False])
    seconds = [np.mean([s for s, _ in results[kind]]) for kind in (False, True)]
    without = [accuracy for _, accuracy in results[False] if accuracy is not None]
    accuracy = np.mean([accuracy for _, accuracy in results[True]])
    return (
        name,
        f"{failed} of 5" if failed else "none",
        f"{seconds[0]:.2f}",
        f"{seconds[1]:.2f}",
        f"{np.mean(without):.3f}" if without else "-",
        f"{accuracy:.3f}",
        f"{np.mean(n_separating):,.0f}",
    )


def write(path, rows):
    """Write rows of the table; those of other data that the file has stay."""
    measured = {row[0]: row for row in rows}
    if path.exists():
        with path.open(newline="") as file:
            there = {row[0]: tuple(row) for row in list(csv.reader(file))[1:]}
        measured = {**there, **measured}
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER, *measured.values()])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--only", default="", help="what the names of data begin with")
    options = parser.parse_args()
    print(*HEADER, sep=" | ")
    for name, *table in tables():
        if not name.startswith(options.only):
            continue
        row = row_of(name, *table)
        print(*row, sep=" | ", flush=True)
        if options.csv:
            write(options.csv, [row])


if __name__ == "__main__":
    main()
