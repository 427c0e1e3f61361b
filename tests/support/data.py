"""Data that tests share and that does not ship with scikit-learn."""

import os
from functools import cache
from pathlib import Path

import pytest

from sklearn_memorize.datasets import fetch_mnist

ROOT = Path(__file__).resolve().parents[2]


def data_folder():
    """Return the folder that SKLEARN_MEMORIZE_DATA names, by default ../shared."""
    return Path(os.environ.get("SKLEARN_MEMORIZE_DATA", ROOT.parent / "shared"))


def _missing(what):
    """Skip the test, or fail it where the data has to be there."""
    reason = f"{what} is absent; set SKLEARN_MEMORIZE_DATA to the folder that holds it"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def mnist():
    """Return the pixels (70000, 784) in float32 from 0 to 255, and the digits."""
    folder = data_folder() / "data" / "mnist"
    if not (folder / "train-images-idx3-ubyte.gz").is_file():
        _missing(f"MNIST ({folder})")
    return _load(folder)


@cache
def _load(folder):
    X, y = fetch_mnist(folder, return_X_y=True)
    X.flags.writeable = False
    return X, y


def reference(name):
    """Return the path of a table of published figures."""
    path = data_folder() / "reference" / name
    if not path.is_file():
        _missing(str(path))
    return path
