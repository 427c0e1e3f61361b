"""The data of the demonstration: digits, or a CSV or NPZ file of the user."""

from __future__ import annotations

import csv
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

__all__ = ["Data", "DataError", "digits", "read"]


class DataError(ValueError):
    """The file cannot be used; the message says why, in one line."""


@dataclass(frozen=True)
class Data:
    """A labelled data set.

    Parameters
    ----------
    name : str
        What to call it.
    X : ndarray of shape (n_samples, n_features)
        The samples.
    y : ndarray of shape (n_samples,)
        The labels.
    image_shape : tuple of (height, width) or None
        How to show a sample as a picture, if samples are pictures.
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    image_shape: tuple[int, int] | None = None


def digits() -> Data:
    """Return the 1,797 handwritten digits that ship with scikit-learn."""
    X, y = load_digits(return_X_y=True)
    return Data("digits", X, y, image_shape=(8, 8))


def read(path: Path, target: str | None) -> Data:
    """Read a labelled data set.

    Parameters
    ----------
    path : Path
        A CSV file with a header, or an NPZ file of arrays.
    target : str or None
        Name of the column or array of labels. None: the last column of a CSV file,
        the array `y` of an NPZ file.

    Returns
    -------
    data : Data
        Finite numbers, and labels of at least two classes.

    Raises
    ------
    DataError
        If there is no such file or column, or if a value is missing or not a number.
    """
    readers = {".csv": _read_csv, ".npz": _read_npz}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: expected a file that ends in .csv or .npz")
    try:
        data = reader(path, target)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    n_classes = len(np.unique(data.y))
    if n_classes < 2:
        raise DataError(f"{path}: all labels are equal; there is nothing to learn")
    return data


def _read_csv(path: Path, target: str | None) -> Data:
    header, rows = _table(path)
    label_column = _target_column(path, header, target)
    feature_columns = [k for k in range(len(header)) if k != label_column]
    if not feature_columns:
        raise DataError(
            f"{path}: there is no column beside the target {header[label_column]!r} "
            "(columns are separated by commas)"
        )
    X = np.empty((len(rows), len(feature_columns)))
    for position, (line, row) in enumerate(rows):
        for feature, column in enumerate(feature_columns):
            X[position, feature] = _number(path, line, header[column], row[column])
    labels = []
    for line, row in rows:
        label = row[label_column].strip()
        if _is_missing(label):
            raise DataError(f"{path}, line {line}: the target is missing")
        labels.append(label)
    return Data(path.stem, X, _labels(path, np.array(labels)))


def _table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the column names and the rows, each with its line number."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            rows = [(reader.line_num, row) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV file in UTF-8 ({error})") from error
    if not rows:
        raise DataError(f"{path}: expected a line of column names, and samples below")
    for line, row in rows:
        if len(row) != len(header):
            raise DataError(
                f"{path}, line {line}: {len(row)} values for {len(header)} columns"
            )
    return header, rows


def _target_column(path: Path, header: list[str], target: str | None) -> int:
    if target is None:
        return len(header) - 1
    if header.count(target) == 1:
        return header.index(target)
    if target in header:
        raise DataError(f"{path}: several columns are named {target!r}")
    raise DataError(
        f"{path}: no column is named {target!r}; there are {_listing(header)}"
    )


def _listing(names: list[str], at_most: int = 10) -> str:
    shown = ", ".join(repr(name) for name in names[:at_most])
    left_out = len(names) - at_most
    return shown if left_out <= 0 else f"{shown} and {left_out} more"


def _is_missing(value: str) -> bool:
    return value.strip().lower() in {"", "na", "n/a", "nan", "null", "?"}


def _number(path: Path, line: int, column: str, value: str) -> float:
    where = f"{path}, line {line}, column {column!r}"
    if _is_missing(value):
        raise DataError(f"{where}: the value is missing")
    try:
        number = float(value)
    except ValueError:
        raise DataError(f"{where}: {value!r} is not a number") from None
    if not np.isfinite(number):
        raise DataError(f"{where}: {value!r} is not a finite number")
    return number


def _labels(path: Path, labels: np.ndarray) -> np.ndarray:
    """Return whole numbers as integers, anything but numbers as it is."""
    if labels.dtype.kind not in "biufUS":
        raise DataError(f"{path}: labels cannot be of type {labels.dtype}")
    try:
        numbers = labels.astype(np.float64)
    except ValueError:
        return labels
    if not np.isfinite(numbers).all():
        raise DataError(f"{path}: labels are missing or infinite")
    if (numbers != np.trunc(numbers)).any() or (abs(numbers) > 2**53).any():
        raise DataError(
            f"{path}: the target is not a class but a real number, "
            f"such as {labels[numbers != np.trunc(numbers)][0]}"
        )
    return numbers.astype(np.int64)


def _read_npz(path: Path, target: str | None) -> Data:
    target = target or "y"
    X, labels = _arrays(path, "X", target)
    if not (np.issubdtype(X.dtype, np.number) or X.dtype == bool):
        raise DataError(f"{path}: the array 'X' is not numeric but {X.dtype}")
    if np.iscomplexobj(X) or X.ndim not in (2, 3) or 0 in X.shape:
        raise DataError(
            f"{path}: 'X' must be real, of shape (n_samples, n_features) or "
            f"(n_samples, height, width); it is {X.dtype} of shape {X.shape}"
        )
    if labels.shape != X.shape[:1]:
        raise DataError(
            f"{path}: {target!r} must hold one label for each of the {len(X)} samples; "
            f"its shape is {labels.shape}"
        )
    if not np.isfinite(X).all():
        raise DataError(f"{path}: values of 'X' are missing or infinite")
    image_shape = X.shape[1:] if X.ndim == 3 else None
    X = X.reshape(len(X), -1).astype(np.float64)
    return Data(path.stem, X, _labels(path, labels), image_shape)


def _arrays(path: Path, *names: str) -> list[np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            available = list(file.files)
            arrays = {name: file[name] for name in names if name in available}
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: not an NPZ file of plain arrays ({error})") from error
    for name in names:
        if name not in arrays:
            raise DataError(
                f"{path}: no array is named {name!r}; there are {_listing(available)}"
            )
    return [arrays[name] for name in names]
