"""A labelled data set in a file, for the demonstration: a table, or arrays."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ._labels import DataError, as_labels
from ._table import (
    Table,
    import_pandas,
    leave_out,
    listing,
    missing_values,
    read_table,
    split_by_kind,
    unique_names,
)

__all__ = ["DataError", "LabelledData", "read_labelled"]

# Squares of features are added up, and forests read pixels in single precision.
_LARGEST_VALUE, _LARGEST_PIXEL = 1e150, 1e38
_TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")


@dataclass(frozen=True)
class LabelledData:
    """Samples and labels, and what is to be done before a network can read them.

    `X` is an array of numbers, or where there are texts a data frame (without pandas an
    array of objects); `numbers` and `categories` say which columns are which, by name
    or by position. `image_shape` is (height, width) if samples are pictures.
    """

    name: str
    X: Any
    y: np.ndarray
    image_shape: tuple[int, int] | None = None
    numbers: list = field(default_factory=list)
    categories: list = field(default_factory=list)
    has_gaps: bool = False
    notes: Sequence[str] = ()


def read_labelled(
    path: Path, target: str | None, *, header: str = "auto", keep: Sequence[str] = ()
) -> LabelledData:
    """Return the samples and labels of a file."""
    file_name = path.name.lower()
    ending = next((end for end in (*_TABLES, ".npz") if file_name.endswith(end)), None)
    if ending is None:
        raise DataError(
            f"{path}: expected a file that ends in {', '.join(_TABLES)} or .npz"
        )
    try:
        if ending == ".npz":
            data = _read_npz(path, target)
        else:
            table = read_table(path, header=header, target=target)
            name = path.name[: -len(ending)]
            data = _labelled(path, name, table, target, keep)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    if len(np.unique(data.y)) < 2:
        raise DataError(f"{path}: all labels are equal; there is nothing to learn")
    return data


def _labelled(
    path: Path, name: str, table: Table, target: str | None, keep: Sequence[str]
) -> LabelledData:
    """Split a table into samples and labels; note what became of which column."""
    y = _take_target(path, table, target)
    table.names = unique_names(table.names)
    for kept in keep:
        if kept not in table.names:
            raise DataError(
                f"{path}: --keep {kept!r} is none of {listing(table.names)}"
            )
    numbers, texts = split_by_kind(path, table)
    leave_out(table, numbers, texts, keep)
    if not numbers and not texts:
        raise DataError(
            f"{path}: no column is left to learn from ({'; '.join(table.notes)})"
        )
    _check_sizes(path, numbers)
    gaps = missing_values(numbers)
    if gaps:
        table.notes.append(
            f"missing numbers are set to the mean, and marked: {', '.join(gaps)}"
        )
    gaps_in_texts = missing_values(texts)
    if gaps_in_texts:
        table.notes.append(
            f"missing texts are a category of their own: {', '.join(gaps_in_texts)}"
        )
    X, number_columns, categories = _samples(table, numbers, texts)
    return LabelledData(
        name,
        X,
        as_labels(path, y),
        numbers=number_columns,
        categories=categories,
        has_gaps=bool(gaps),
        notes=table.notes,
    )


def _take_target(path: Path, table: Table, target: str | None) -> np.ndarray:
    """Take the column of labels out of a table."""
    names = table.names
    n_named = 1 if target is None else names.count(target)
    if n_named > 1:
        raise DataError(f"{path}: several columns are named {target!r}")
    if n_named == 0:
        raise DataError(
            f"{path}: no column is named {target!r}; there are {listing(names)}"
        )
    if len(names) == 1:
        raise DataError(
            f"{path}: there is no column beside the target {names[0]!r} "
            "(columns are separated by commas)"
        )
    place = len(names) - 1 if target is None else names.index(target)
    name, y = names.pop(place), table.columns.pop(place)
    is_missing = np.array([cell is None for cell in y]) if y.dtype == object else y != y
    if is_missing.any():
        raise DataError(
            f"{path}, sample {np.argmax(is_missing) + 1}: the target is missing"
        )
    if target is None:
        table.notes.append(f"the target is the last column, {name!r}")
    return y.astype(str) if y.dtype == object else y


def _check_sizes(path: Path, numbers: dict) -> None:
    for name, values in numbers.items():
        largest = np.nanmax(np.abs(values))
        if largest > _LARGEST_VALUE:
            raise _too_large(f"{path}, column {name!r}", largest)


def _too_large(where: str, largest: float) -> DataError:
    return DataError(
        f"{where}: values as large as {largest:.3g} leave no room for distances "
        "between samples; divide the features by a constant"
    )


def _samples(table: Table, numbers: dict, texts: dict):
    """Return the samples, and the columns of numbers and of categories in them."""
    if not texts:
        return np.column_stack(list(numbers.values())), list(numbers), []
    of_kind = {**numbers, **texts}
    columns = {name: of_kind[name] for name in table.names if name in of_kind}
    pandas, _ = import_pandas()
    if pandas is not None:
        return pandas.DataFrame(columns), list(numbers), list(texts)
    n_samples = len(next(iter(columns.values())))
    X = np.empty((n_samples, len(columns)), dtype=object)
    for place, column in enumerate(columns.values()):
        X[:, place] = column
    places = {name: place for place, name in enumerate(columns)}
    return X, [places[name] for name in numbers], [places[name] for name in texts]


def _read_npz(path: Path, target: str | None) -> LabelledData:
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
                f"{path}: no array is named {name!r}; there are {listing(available)}"
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
    return _labelled_arrays(path, X, y)


def _labelled_arrays(path: Path, X: np.ndarray, y: np.ndarray) -> LabelledData:
    """Check numbers; what is missing in a table may be filled, in a picture not."""
    image_shape = X.shape[1:] if X.ndim == 3 else None
    X = X.reshape(len(X), -1).astype(np.float64)
    if np.isinf(X).any() or (image_shape is not None and np.isnan(X).any()):
        raise DataError(f"{path}: values of 'X' are missing or infinite")
    notes = []
    n_seen = (~np.isnan(X)).sum(axis=0)
    if not n_seen.any():
        raise DataError(f"{path}: all values of 'X' are missing")
    if not n_seen.all():
        X = X[:, n_seen > 0]
        notes.append(
            f"{np.sum(n_seen == 0):,} columns are left out, for they are empty"
        )
    largest = np.nanmax(np.abs(X))
    if largest > (_LARGEST_VALUE if image_shape is None else _LARGEST_PIXEL):
        raise _too_large(str(path), largest)
    n_missing = np.isnan(X).sum()
    if n_missing:
        notes.append(f"{n_missing:,} missing values are set to the mean, and marked")
    return LabelledData(
        path.stem,
        X,
        as_labels(path, y),
        image_shape,
        numbers=list(range(X.shape[1])),
        has_gaps=bool(n_missing),
        notes=notes,
    )
