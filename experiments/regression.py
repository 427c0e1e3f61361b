"""What memorizing regressors say of new samples: R^2 on five real data sets.

    python experiments/regression.py                  # five folds of five data sets
    python experiments/regression.py --only diabetes  # some of the data sets
    python experiments/regression.py --tune           # those looked at while designing

Of tables with more than 4,000 rows so many are drawn at random, for all methods alike:
kernel ridge solves equations in as many unknowns as there are rows, 61 times a fold.
Features are scaled to mean 0 and variance 1. Kernel ridge chooses its kernel width and
ridge by cross-validation within the training folds; all others are as they come. Writes
`measured/regression.csv`: the mean R^2 of five folds, data sets by methods, and what of
the training targets was returned exactly. See `_regression_data.py` for what has
to be installed. About 5 minutes on one core.
"""

import argparse
import csv
import time
import warnings
from pathlib import Path

import numpy as np
from _regression_data import TABLES, TABLES_TO_TUNE, load
from sklearn.ensemble import RandomForestRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from sklearn_memorize import (
    InterpolatingNeighborsRegressor,
    MemorizingRegressor,
    SmallReLURegressor,
)
from sklearn_memorize.exceptions import ConflictingLabelsWarning

MEASURED = Path(__file__).parent / "measured"
NAME = "regression"
DATA = ("diabetes", *TABLES)


def memorizers():
    return {
        "MemorizingRegressor": MemorizingRegressor(random_state=0),
        "interpolating neighbours": InterpolatingNeighborsRegressor(),
        "Hilbert kernel": InterpolatingNeighborsRegressor(weights="hilbert"),
        "SmallReLURegressor": SmallReLURegressor(random_state=0),
    }


def others():
    grid = {"alpha": [1e-3, 1e-2, 0.1, 1.0], "gamma": [0.003, 0.01, 0.03, 0.1, 0.3]}
    return {
        "1-NN": KNeighborsRegressor(1),
        "5-NN": KNeighborsRegressor(5),
        "forest": RandomForestRegressor(random_state=0),
        "kernel ridge": GridSearchCV(KernelRidge(kernel="rbf"), grid, cv=3),
    }


def measure(name):
    """Return the row of a data set."""
    table = load(name)
    scores, recalled = {}, []
    for train, test in table.folds():
        scaler = StandardScaler().fit(table.X[train])
        X, X_test = scaler.transform(table.X[train]), scaler.transform(table.X[test])
        y = table.y[train]
        center = y.mean()  # kernel ridge has no intercept
        for method, model in {**memorizers(), **others()}.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConflictingLabelsWarning)
                model.fit(X, y - center if method == "kernel ridge" else y)
            found = model.predict(X_test)
            found = found + center if method == "kernel ridge" else found
            scores.setdefault(method, []).append(r2_score(table.y[test], found))
            if method in memorizers():
                recalled.append(share_recalled(model, X, y))
    shares = np.array(recalled)
    return {
        "data set": name,
        "rows": len(table.y),
        "features": table.X.shape[1],
        "recalled, %": f"{100 * shares[:, 0].min():.1f}",
        "contradictory, %": f"{100 * shares[:, 1].max():.1f}",
        **{method: f"{np.mean(folds):.3f}" for method, folds in scores.items()},
    }


def share_recalled(model, X, y):
    """Return the share of targets that are returned exactly, and of disputed ones.

    A target is disputed if the same row has another one as well.
    """
    _, row = np.unique(X, axis=0, return_inverse=True)
    pairs = np.unique(np.column_stack((row.ravel(), y)), axis=0)
    disputed = np.bincount(pairs[:, 0].astype(int)) > 1
    is_disputed = disputed[row.ravel()]
    exact = model.predict(X) == y
    assert exact[~is_disputed].all(), "a target was not returned"
    return exact[~is_disputed].mean(), is_disputed.mean()


def rows_there(path):
    """Return the rows of an earlier run, by data set."""
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {row["data set"]: row for row in csv.DictReader(file)}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    every = (*DATA, *TABLES_TO_TUNE)
    parser.add_argument("--only", nargs="+", choices=every, help="these anew")
    parser.add_argument("--tune", action="store_true", help="those not reported on")
    parser.add_argument("--output", type=Path, default=MEASURED)
    options = parser.parse_args(argv)
    known = TABLES_TO_TUNE if options.tune else DATA
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / (f"{NAME}_tuning.csv" if options.tune else f"{NAME}.csv")
    rows = rows_there(path)
    for name in options.only or known:
        start = time.process_time()
        rows[name] = measure(name)
        seconds = time.process_time() - start
        print(*rows[name].values(), f"{seconds:.0f} s", flush=True)
        written = [rows[each] for each in known if each in rows]
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[name]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(written)


if __name__ == "__main__":
    main()
