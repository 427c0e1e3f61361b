"""A labelled data set in a CSV or NPZ file, for the demonstration."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np


class DataError(ValueError):
    """The request or the file cannot be used; the message says why, in one line."""


@dataclass(frozen=True)
class LabelledData:
    """Samples and labels; `image_shape` is (height, width) if samples are pictures."""

    name: str
    X: np.ndarray
    y: np.ndarray
    image_shape: tuple[int, int] | None = None


def read_labelled(path: Path, target: str | None) -> LabelledData:
    """Return the samples and labels of a CSV or NPZ file."""
    readers = {".csv": _read_csv, ".npz": _read_npz}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: expected a file that ends in .csv or .npz")
    try:
        X, y, image_shape = reader(path, target)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    y = _labels(path, y)
    if len(np.unique(y)) < 2:
        raise DataError(f"{path}: all labels are equal; there is nothing to learn")
    return LabelledData(path.stem, X, y, image_shape)


def _read_csv(path: Path, target: str | None):
    names, cells = _cells_of_csv(path)
    n_named = 1 if target is None else names.count(target)
    if n_named > 1:
        raise DataError(f"{path}: several columns are named {target!r}")
    if n_named == 0:
        raise DataError(
            f"{path}: no column is named {target!r}; there are {_listing(names)}"
        )
    if len(names) == 1:
        raise DataError(
            f"{path}: there is no column beside the target {names[0]!r} "
            "(columns are separated by commas)"
        )
    y = cells.pop(len(names) - 1 if target is None else names.index(target))
    missing = np.flatnonzero(y.isna())
    if len(missing):
        raise DataError(f"{path}, sample {missing[0] + 1}: the target is missing")
    X = np.column_stack([_numbers(path, names[c], cells[c]) for c in cells])
    return X, y.str.strip().to_numpy(dtype=str), None


def _cells_of_csv(path: Path):
    """Return the column names, and a data frame of texts with numbered columns."""
    try:
        import pandas as pd
    except ImportError as error:
        raise DataError(
            f"{path}: CSV files are read with pandas, which is not installed; "
            "pip install pandas, or pass an NPZ file"
        ) from error
    try:
        # Lines are of the length of the first one; what is left out is missing.
        table = pd.read_csv(
            path,
            header=None,
            dtype=str,
            na_values=["?"],
            skipinitialspace=True,
            encoding="utf-8-sig",
        )
    except pd.errors.EmptyDataError:
        table = pd.DataFrame()
    except (UnicodeDecodeError, pd.errors.ParserError) as error:
        raise DataError(f"{path}: not a CSV file in UTF-8 ({error})") from error
    if len(table) < 2:
        raise DataError(f"{path}: expected a line of column names, and samples below")
    names = [str(name).strip() for name in table.iloc[0]]
    return names, table.iloc[1:].reset_index(drop=True)


def _numbers(path: Path, name: str, cells) -> np.ndarray:
    """Return a column as numbers, or name the first cell that is not a finite one."""
    numbers = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        where = f"{path}, sample {row + 1}, column {name!r}"
        if not isinstance(cell, str):
            raise DataError(f"{where}: the value is missing")
        try:
            numbers[row] = float(cell)
        except ValueError:
            raise DataError(f"{where}: {cell!r} is not a number") from None
        if not np.isfinite(numbers[row]):
            raise DataError(f"{where}: {cell!r} is not a finite number")
    return numbers


def _read_npz(path: Path, target: str | None):
    target = target or "y"
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("X", target) if name in file.files}
            available = list(file.files)
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: not an NPZ file of plain arrays ({error})") from error
    for name in ("X", target):
        if name not in arrays:
            raise DataError(
                f"{path}: no array is named {name!r}; there are {_listing(available)}"
            )
    X, y = arrays["X"], arrays[target]
    if not (np.issubdtype(X.dtype, np.number) or X.dtype == bool):
        raise DataError(f"{path}: the array 'X' is not numeric but {X.dtype}")
    if np.iscomplexobj(X) or X.ndim not in (2, 3) or 0 in X.shape:
        raise DataError(
            f"{path}: 'X' must be real, of shape (n_samples, n_features) or "
            f"(n_samples, height, width); it is {X.dtype} of shape {X.shape}"
        )
    if y.shape != X.shape[:1]:
        raise DataError(
            f"{path}: {target!r} must hold one label for each of the {len(X)} samples; "
            f"its shape is {y.shape}"
        )
    if not np.isfinite(X).all():
        raise DataError(f"{path}: values of 'X' are missing or infinite")
    image_shape = X.shape[1:] if X.ndim == 3 else None
    return X.reshape(len(X), -1).astype(np.float64), y, image_shape


def _listing(names: list[str], at_most: int = 10) -> str:
    shown = ", ".join(repr(name) for name in names[:at_most])
    left_out = len(names) - at_most
    return shown if left_out <= 0 else f"{shown} and {left_out} more"


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
