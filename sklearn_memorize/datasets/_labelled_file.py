"""A labelled data set in a CSV or NPZ file, for the demonstration."""

import re
import zipfile
import zlib
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np

# Digits as programs write them; `float` also reads "1_1", and those of other scripts.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,9})?")
_NOT_FINITE = re.compile(r"[+-]?(inf|infinity|nan)", re.IGNORECASE)
# Zeros in front, and signs that say nothing, belong to a name.
_WITH_ZEROS = re.compile(r"\+|-?0[0-9]|-0+(\.0*)?$")
# Squares of features are added up, and forests read pixels in single precision.
_LARGEST_VALUE, _LARGEST_PIXEL = 1e150, 1e38
# Labels may have so many digits, and one more.
_MOST_DIGITS = 1000


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
    largest = np.abs(X).max()
    if largest > (_LARGEST_VALUE if image_shape is None else _LARGEST_PIXEL):
        raise DataError(
            f"{path}: values as large as {largest:.3g} leave no room for distances "
            "between samples; divide the features by a constant"
        )
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
        text = cell.strip()
        if not (_NUMBER.fullmatch(text) or _NOT_FINITE.fullmatch(text)):
            raise DataError(f"{where}: {cell!r} is not a number")
        numbers[row] = float(text)
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
    kind = labels.dtype.kind
    if kind == "S":
        try:
            labels, kind = np.char.decode(labels, "utf-8"), "U"
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: labels are not text in UTF-8") from error
    if kind == "U":
        return _labels_in_text(path, labels)
    if kind in "iu":
        return labels.astype(labels.dtype.newbyteorder("="), copy=False)
    if kind == "b":
        return labels.astype(np.int64)
    if kind != "f":
        raise DataError(f"{path}: labels cannot be of type {labels.dtype}")
    if not np.isfinite(labels).all():
        raise DataError(f"{path}: labels are missing or infinite")
    is_whole = (labels == np.trunc(labels)) & (abs(labels) < 2.0**63)
    if not is_whole.all():
        raise _no_class(path, labels[~is_whole][0])
    return labels.astype(np.int64)


def _labels_in_text(path: Path, labels: np.ndarray) -> np.ndarray:
    """Return labels as integers if that is another way to write them, else as texts.

    Different texts stay different labels: "01" is not "1", and "1_1" is no number.
    """
    texts, places = np.unique(labels, return_inverse=True)
    found = [text.item() for text in texts]
    if not all(_NUMBER.fullmatch(text) for text in found):
        if all(
            _NUMBER.fullmatch(text) or _NOT_FINITE.fullmatch(text) for text in found
        ):
            raise DataError(f"{path}: labels are missing or infinite")
        return labels
    numbers = []
    for text in found:
        number = _whole_number(text)
        if number is None:
            raise _no_class(path, text)
        numbers.append(number)
    if len(set(numbers)) < len(numbers) or any(map(_WITH_ZEROS.match, found)):
        return labels
    # Beyond 64 bits, and where some of them are signed and others need all bits, there
    # is no type for them.
    for dtype in (np.int64, np.uint64):
        limits = np.iinfo(dtype)
        if all(limits.min <= number <= limits.max for number in numbers):
            return np.array(numbers, dtype=dtype)[places.ravel()]
    return labels


def _whole_number(text: str) -> int | None:
    """Return the integer that a number in decimal digits is, None if it is none."""
    number = Decimal(text)
    if number and number.adjusted() > _MOST_DIGITS:
        return None
    return int(number) if number == number.to_integral_value() else None


def _no_class(path: Path, label) -> DataError:
    return DataError(
        f"{path}: the target is not a class but a real number, such as {label}"
    )
