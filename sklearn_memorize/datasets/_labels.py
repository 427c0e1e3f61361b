"""Labels of a file: whole numbers, or texts; never two labels for one."""

import re
from decimal import Decimal
from pathlib import Path

import numpy as np

# Digits as programs write them; `float` also reads "1_1", and those of other scripts.
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,9})?")
NOT_FINITE = re.compile(r"[+-]?(inf|infinity|nan)", re.IGNORECASE)
# Zeros in front, and signs that say nothing, belong to a name.
_WITH_ZEROS = re.compile(r"\+|-?0[0-9]|-0+(\.0*)?$")
# Labels may have so many digits, and one more.
_MOST_DIGITS = 1000


class DataError(ValueError):
    """The request or the file cannot be used; the message says why, in one line."""


def as_labels(path: Path, labels: np.ndarray) -> np.ndarray:
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
    if not all(NUMBER.fullmatch(text) for text in found):
        if all(NUMBER.fullmatch(text) or NOT_FINITE.fullmatch(text) for text in found):
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
        f"{path}: the target is not a class but a real number, such as {label}; "
        "--target names another one"
    )
