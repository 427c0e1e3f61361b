"""Tables as people keep them in files: CSV, TSV and Parquet, read as columns.

Cells of text files are kept as they are written until it is known what a column
holds: labels must not become numbers on the way. With pandas or without, a file is read
the same.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ._labels import NOT_FINITE, NUMBER, DataError

# How programs write that there is no value.
MISSING = frozenset(
    ("", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "null", "NULL", "Null", "None")
)
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
# Different whole numbers in columns that are called so, or not at all, name the rows.
_INDEX_NAMES = (
    re.compile(r"index|unnamed:? [0-9]+|(.*[\W_])?id", re.IGNORECASE),
    re.compile(r".*[a-z]I[dD]"),
)
# Names that are numbers, as pandas gives them, are believed from so many on.
_FEWEST_NUMBERED = 3
# More categories than this, and more than one for each two samples, are free text.
_FEWEST_TEXTS = 10
# Fewer texts than one in so many cells among numbers are mistakes.
_NUMBERS_FOR_A_TEXT = 20


@dataclass
class Table:
    """Named columns: numbers (NaN is missing), or texts (None is missing)."""

    names: list[str]
    columns: list[np.ndarray]
    notes: list[str] = field(default_factory=list)
    decimal_comma: bool = False


def listing(names: Sequence, at_most: int = 10) -> str:
    """Write out names, and how many remain."""
    shown = ", ".join(repr(name) for name in names[:at_most])
    left_out = len(names) - at_most
    return shown if left_out <= 0 else f"{shown} and {left_out} more"


def read_table(path: Path, *, header: str, target: str | None) -> Table:
    """Read a file; `header` says whether its first line names the columns.

    `header` is "yes", "no", or "auto": look at the cells.
    """
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path)
    return _read_text(path, header, target)


# Files.


def _read_text(path: Path, header: str, target: str | None) -> Table:
    is_tsv = path.name.lower().removesuffix(".gz").endswith(".tsv")
    notes: list[str] = []
    columns: Sequence
    try:
        with _opened(path) as stream:
            separator = "\t" if is_tsv else _separator(stream)
            stream.seek(0)
            pandas, note = import_pandas()
            if pandas is None:
                notes.append(f"{note}; the file is read without it, more slowly")
                columns = _columns_of_csv_module(path, stream, separator)
            else:
                columns = _columns_of_pandas(pandas, path, stream, separator)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text file in UTF-8 ({error})") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: not a whole gzip file ({error})") from error
    if separator == ";":
        notes.append("columns are separated by semicolons")
    cells = [
        np.array([_cell(cell) for cell in column], dtype=object) for column in columns
    ]
    table = Table([], cells, notes, separator == ";")
    _take_names(path, table, header, target)
    return table


def _opened(path: Path):
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _separator(stream) -> str:
    """Return what stands in the first line: a comma, or else what other files have."""
    first = next((line for line in stream if line.strip()), "")
    return next((mark for mark in _SEPARATORS if mark in first), ",")


def import_pandas():
    """Return the module, or None and why."""
    try:
        import pandas
    except ModuleNotFoundError as error:
        if error.name == "pandas":
            return None, "pandas is not installed"
        return None, f"pandas cannot be imported ({error})"
    except Exception as error:  # an installation may be broken in any way
        return None, f"pandas cannot be imported ({error})"
    return pandas, ""


def _columns_of_pandas(pd, path: Path, stream, separator: str) -> list[np.ndarray]:
    try:
        # Lines are of the length of the first one; what is left out is missing.
        table = pd.read_csv(
            stream,
            sep=separator,
            header=None,
            dtype=object,
            na_filter=False,
            skipinitialspace=True,
        )
    except pd.errors.EmptyDataError:
        return []
    except pd.errors.ParserError as error:
        raise DataError(f"{path}: not a table ({error})") from error
    return [table[column].to_numpy(dtype=object) for column in table]


def _columns_of_csv_module(path: Path, stream, separator: str) -> list[tuple]:
    reader = csv.reader(stream, delimiter=separator, skipinitialspace=True)
    try:
        rows = [row for row in reader if row]
    except csv.Error as error:
        raise DataError(f"{path}: not a table ({error})") from error
    length = len(rows[0]) if rows else 0
    for number, row in enumerate(rows, start=1):
        if len(row) > length:
            raise DataError(
                f"{path}: not a table (line {number} has {len(row)} values, and the "
                f"first one has {length})"
            )
        row += [""] * (length - len(row))
    return list(zip(*rows, strict=True))


def _read_parquet(path: Path) -> Table:
    pd, note = import_pandas()
    if pd is None:
        raise DataError(
            f"{path}: Parquet files are read with pandas, and {note}; "
            "pip install pandas pyarrow, or pass a CSV file"
        )
    try:
        frame = pd.read_parquet(path)
    except ImportError as error:
        raise DataError(
            f"{path}: pandas reads Parquet files with pyarrow or fastparquet, and "
            "neither is installed; pip install pyarrow, or pass a CSV file"
        ) from error
    except OSError:
        raise
    except Exception as error:  # each engine has errors of its own
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: not a Parquet file ({reason})") from error
    if isinstance(frame.index, pd.MultiIndex) or frame.index.name is not None:
        # Programs write what names the rows as an index; it may hold the target.
        frame = frame.reset_index()
    names = [str(name) for name in frame.columns]
    return Table(names, [_typed(frame.iloc[:, c]) for c in range(len(names))])


def _typed(column) -> np.ndarray:
    """Return numbers as they are where none is missing; else as real numbers, texts."""
    from pandas.api import types

    gaps = column.isna().to_numpy()
    if types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype):
        plain = getattr(column.dtype, "numpy_dtype", column.dtype)
        if isinstance(plain, np.dtype) and not gaps.any():
            return column.to_numpy(dtype=plain)
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    cells = [
        None if gap else _cell(str(cell))
        for cell, gap in zip(column, gaps, strict=True)
    ]
    return np.array(cells, dtype=object)


def _cell(text) -> str | None:
    """Return what a cell says without blanks around it, None if that is nothing."""
    if not isinstance(text, str):
        return None
    text = text.strip()
    is_missing = text in MISSING or text.lower() in ("nan", "-nan")
    return None if is_missing else text


# The line of names.


def _take_names(path: Path, table: Table, header: str, target: str | None) -> None:
    """Take the first line for names, or give the columns numbers if it is a sample."""
    columns = table.columns
    n_lines = len(columns[0]) if columns else 0
    has_names = header == "yes"
    if header == "auto" and n_lines > 1:
        first = [column[0] for column in columns]
        has_names = target in first or _looks_like_names(table, first)
        if has_names and any(map(_is_number, first)):
            table.notes.append(
                "the first line is taken for names of columns, though there are "
                "numbers in it; --header no takes it for a sample"
            )
    if n_lines < (2 if has_names or header == "auto" else 1):
        raise DataError(f"{path}: expected a line of column names, and samples below")
    if has_names:
        table.names = [
            column[0] or f"unnamed {number}"
            for number, column in enumerate(columns, start=1)
        ]
        table.columns = [column[1:] for column in columns]
        return
    table.names = [f"column {number}" for number in range(1, len(columns) + 1)]
    if header == "auto":
        table.notes.append(
            "no line of names was found: columns are called 'column 1' to "
            f"'column {len(columns)}'; --header yes takes the first line for names"
        )


def _is_number(cell) -> bool:
    return cell is not None and bool(NUMBER.fullmatch(cell))


def _looks_like_names(table: Table, first: list) -> bool:
    """Tell names from a sample: by what stands below them.

    Text above numbers is a name. A number above numbers is none, unless it counts the
    columns. Text that returns further down is none; text that does not may be one.
    """
    below = [[cell for cell in c[1:] if cell is not None] for c in table.columns]
    numeric = [as_numbers(cells, table.decimal_comma) is not None for cells in below]
    above_numbers = [
        (place, cell)
        for place, (cell, is_numeric) in enumerate(zip(first, numeric, strict=True))
        if is_numeric and cell is not None and below[place]
    ]
    values = [item for item in above_numbers if _is_number_here(table, item[1])]
    if len(values) < len(above_numbers):
        return True
    if values:
        counts = all(cell == str(place) for place, cell in values)
        return counts and len(values) >= _FEWEST_NUMBERED
    texts = [
        cell in cells
        for cell, cells, is_numeric in zip(first, below, numeric, strict=True)
        if cell is not None and not is_numeric
    ]
    return 2 * sum(texts) <= len(texts)


def _is_number_here(table: Table, cell: str) -> bool:
    return as_numbers([cell], table.decimal_comma) is not None


# What columns hold.


def as_numbers(cells, decimal_comma: bool) -> np.ndarray | None:
    """Return texts as numbers, NaN where there is none; None if one is no number."""
    numbers = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if cell is None:
            continue
        text = cell.replace(",", ".", 1) if decimal_comma else cell
        if not (NUMBER.fullmatch(text) or NOT_FINITE.fullmatch(text)):
            return None
        numbers[row] = float(text)
    return numbers


def split_by_kind(path: Path, table: Table) -> tuple[dict, dict]:
    """Return the columns of numbers and those of texts, by name."""
    numbers, texts = {}, {}
    for name, column in zip(table.names, table.columns, strict=True):
        if column.dtype != object:
            values = column.astype(np.float64)
        elif (found := as_numbers(column, table.decimal_comma)) is not None:
            values = found
        else:
            _check_texts(path, table, name, column)
            texts[name] = column
            continue
        is_infinite = np.isinf(values)
        if is_infinite.any():
            row = int(np.argmax(is_infinite))
            raise DataError(
                f"{path}, sample {row + 1}, column {name!r}: {str(column[row])!r} is "
                "not a finite number"
            )
        numbers[name] = values
    return numbers, texts


def _check_texts(path: Path, table: Table, name: str, column: np.ndarray) -> None:
    """Refuse a few texts among many numbers; note where there are both."""
    rows = [row for row, cell in enumerate(column) if cell is not None]
    others = [
        row for row in rows if as_numbers([column[row]], table.decimal_comma) is None
    ]
    where = f"sample {others[0] + 1}, column {name!r}: {column[others[0]]!r}"
    if len(others) * _NUMBERS_FOR_A_TEXT < len(rows):
        raise DataError(
            f"{path}, {where} is not a number, as almost all others are; correct it, "
            "or leave the cell empty"
        )
    if 2 * len(others) < len(rows):
        table.notes.append(f"{where} is a text, so all values there are categories")


def leave_out(table: Table, numbers: dict, texts: dict, keep: Sequence[str]) -> None:
    """Take out columns that say nothing about a new sample, and note which."""
    empty = [name for name, values in numbers.items() if np.isnan(values).all()]
    index = [
        name
        for name, values in numbers.items()
        if name not in empty and _numbers_the_rows(name, values)
    ]
    free = _free_texts(texts)
    reasons = {
        **dict.fromkeys(index, "numbers the rows"),
        **{name: f"holds {n:,} different texts" for name, n in free.items()},
    }
    for name in keep:
        reasons.pop(name, None)
    if index and len(reasons) + len(empty) == len(numbers) + len(texts):
        # A count alone is a feature like any other.
        for name in index:
            reasons.pop(name, None)
    if reasons:
        table.notes += [
            f"column {name!r} is left out, for it {reason}"
            for name, reason in reasons.items()
        ]
        table.notes[-1] += "; --keep NAME keeps a column"
    table.notes += [f"column {name!r} is left out, for it is empty" for name in empty]
    for name in (*reasons, *empty):
        numbers.pop(name, None)
        texts.pop(name, None)


def _numbers_the_rows(name: str, values: np.ndarray) -> bool:
    """Tell whether whole numbers count the rows one by one, or are called an index."""
    if np.isnan(values).any() or (values != np.trunc(values)).any():
        return False
    if len(values) > 2 and (np.diff(values) == 1).all():
        return True
    is_called_so = any(pattern.fullmatch(name.strip()) for pattern in _INDEX_NAMES)
    return is_called_so and len(np.unique(values)) == len(values)


def _free_texts(texts: dict) -> dict[str, int]:
    """Return how many texts are different, for columns where almost all of them are."""
    sizes = {}
    for name, column in texts.items():
        present = [cell for cell in column if cell is not None]
        n_different = len(set(present))
        if n_different > max(_FEWEST_TEXTS, len(present) / 2):
            sizes[name] = n_different
    return sizes


def missing_values(columns: dict) -> list[str]:
    """Return which columns miss how many values, for a note."""
    found = []
    for name, column in columns.items():
        if column.dtype == object:
            n_missing = sum(cell is None for cell in column)
        else:
            n_missing = int(np.isnan(column).sum())
        if n_missing:
            found.append(f"{name} ({n_missing:,})")
    return found


def unique_names(names: Sequence[str]) -> list[str]:
    """Return names of which none is the same as another: "a", "a.1", "a.2"."""
    found: list[str] = []
    for name in names:
        unique, number = name, 0
        while unique in found or (number and unique in names):
            number += 1
            unique = f"{name}.{number}"
        found.append(unique)
    return found
