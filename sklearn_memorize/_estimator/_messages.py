"""What a failed call says, and that it changes nothing."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from numbers import Integral
from pathlib import Path

import joblib
import numpy as np
import sklearn

from ..exceptions import InterpolationError
from ._callbacks import Stopped

# Parameters that decide how much memory is needed.
_SIZES = ("n_hyperplanes", "max_hyperplanes", "n_draws")
# How many rows a message lists.
_MOST_ROWS = 20
# Whoever called these is whom a warning is for.
_PACKAGE = Path(__file__).parents[1]
_NOT_THE_USER = tuple(
    f"{folder}{os.sep}"
    for folder in (_PACKAGE, *(Path(m.__file__).parent for m in (sklearn, joblib)))
)
# What memorizes where the theorem of a construction does not reach.
INSTEAD = "MemorizingClassifier recalls any distinct samples."


def warn(message: str | Warning, category: type[Warning] | None = None) -> None:
    """Warn, and name the line of the user's program from which all this was called.

    Between it and here are decorators, pipelines and searches, so no number of frames
    would be the right one.
    """
    level, frame = 1, sys._getframe()
    while frame.f_code.co_filename.startswith(_NOT_THE_USER):
        if frame.f_back is None:  # a thread or process of its own
            break
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


@contextmanager
def unchanged_on_failure(estimator):
    """Leave the estimator exactly as it was if the body raises."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


@contextmanager
def advice_on_memory(estimator):
    """Name the parameters that decide the sizes if memory runs out."""
    try:
        yield
    except MemoryError as error:
        values = estimator.get_params(deep=False)
        names = getattr(estimator, "_sizes", _SIZES)
        sizes = [name for name in names if isinstance(values.get(name), Integral)]
        given = " or ".join(f"{name}={values[name]}" for name in sizes)
        lower = f"Lower {given}, or fit" if sizes else "Fit"
        problem = str(error).rstrip(".") or "The memory does not suffice"
        raise MemoryError(f"{problem}. {lower} fewer samples or features.") from error


@contextmanager
def named_rows(training):
    """Name the rows that an error is about, and what memorizes them all the same."""
    try:
        yield
    except InterpolationError as error:
        positions = error._positions
        if positions is None:
            raise
        rows = listed(training.rows[np.unique(positions)])
        instead = f" {INSTEAD}" if training.n_classes else ""
        raise InterpolationError(
            f"{error} This is about training samples {rows}.{instead}"
        ) from None


@contextmanager
def explained_stop(result="a network"):
    """Say that nothing was complete when a callback asked to stop, and what to do."""
    try:
        yield
    except Stopped:
        raise InterpolationError(
            f"A callback asked to stop before there was {result} to keep; the "
            "estimator is as it was before. Let the callback ask later, or fit fewer "
            "samples."
        ) from None


def listed(rows) -> str:
    """Write out the smallest row numbers, in increasing order, and how many remain.

    >>> from sklearn_memorize._estimator._messages import listed
    >>> listed([3, 1, 2])
    '[1, 2, 3]'
    """
    rows = np.sort(rows)
    shown = ", ".join(str(row) for row in rows[:_MOST_ROWS])
    more = len(rows) - _MOST_ROWS
    return f"[{shown}, and {more} more]" if more > 0 else f"[{shown}]"


def check_progress(progress: bool) -> None:
    """Say what to install if a progress bar is asked for and cannot be shown."""
    if progress and find_spec("rich") is None:
        raise ImportError(
            "progress=True shows a bar with rich, which is not installed. Install it "
            "with `pip install rich`, or set progress=False."
        )
