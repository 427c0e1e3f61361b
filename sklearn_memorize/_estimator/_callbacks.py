"""What the callbacks of an estimator hear of `fit`, and how they end it.

A callback asks to stop by returning True from `on_fit_task_end`. What is complete then
is kept: of several draws, those up to the one that it was asked in or after. Nothing
else depends on the callbacks, and without any there is nothing to do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import RLock
from typing import Any

from ._progress import SILENT, Progress
from ._sklearn import has_callbacks

__all__ = [
    "SILENT",
    "Outcome",
    "Progress",
    "Stopped",
    "Told",
    "attempt",
    "kept",
    "told",
]


class Stopped(Exception):
    """A callback asked to stop before anything was complete."""


class _Shared:
    """What the tasks of one fit share.

    Callbacks are called one at a time, whatever the number of threads, and only the
    draws up to `last_draw` are still wanted.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self.last_draw = math.inf

    def __reduce__(self):
        # A process of its own hears of its own requests to stop only.
        return _Shared, ()

    def end_after(self, draw: float) -> None:
        with self.lock:
            self.last_draw = min(self.last_draw, draw)


class Told:
    """A task of `fit` whose begin and end the callbacks are told of.

    Parameters
    ----------
    estimator : BaseEstimator
        The estimator that is being fitted.
    context : CallbackContext
        The task.
    shared : _Shared
        What all tasks of this fit share.
    draw : int, default=-1
        The draw that the task belongs to, if any.
    needed : bool, default=False
        Whether what comes after the task may not be left out. Else it raises `Stopped`
        at its end if a callback asks to stop.
    **data : dict
        What the callbacks may ask for: `X`, `y` and so on.
    """

    def __init__(self, estimator, context, shared, draw=-1, needed=False, **data):
        self.estimator = estimator
        self.context = context
        self.shared = shared
        self.draw = draw
        self.needed = needed
        self.data = data
        self.stop = False

    def part(
        self, name: str, number: int, n_parts: int = 0, needed: bool = False
    ) -> Told:
        """Return a task that is a part of this one."""
        return self._part(name, number, n_parts, self.draw, needed)

    def numbered_draw(self, number: int, n_parts: int) -> Told:
        """Return a part that ends when it is not wanted any more."""
        return self._part("draw", number, n_parts, number, True)

    def _part(self, name, number, n_parts, draw, needed) -> Told:
        in_turn = self.context.sequential_subtasks
        with self.shared.lock:
            context = self.context.subcontext(
                name,
                task_id=None if in_turn else number,
                max_subtasks=n_parts,
                sequential_subtasks=False,
            )
        return Told(self.estimator, context, self.shared, draw, needed)

    def __enter__(self) -> Told:
        with self._turn():
            self.context.call_on_fit_task_begin(estimator=self.estimator, **self.data)
        return self

    def __exit__(self, kind, error, trace) -> None:
        if error is not None:
            self.shared.end_after(self.draw - 1)
            return
        state: dict = {"reconstruction_attributes": {}} if self.data else {}
        with self._turn():
            self.stop = self.context.call_on_fit_task_end(
                estimator=self.estimator, **self.data, **state
            )
        if self.stop and not self.needed:
            raise Stopped
        if self.stop:
            self.shared.end_after(self.draw)

    def _turn(self) -> AbstractContextManager:
        if self.draw > self.shared.last_draw:
            raise Stopped
        return self.shared.lock


def told(estimator, n_stages: int, **data) -> Progress:
    """Return `fit` as a task of as many stages, one after the other.

    Parameters
    ----------
    estimator : BaseEstimator
        The estimator; its `fit` is decorated with `with_callbacks`.
    n_stages : int
        Number of stages.
    **data : dict
        What the callbacks may ask for: `X`, `y` and so on.
    """
    context = estimator._init_callback_context(max_subtasks=n_stages)
    if not has_callbacks(estimator):
        return SILENT
    return Told(estimator, context, _Shared(), needed=True, **data)


@dataclass(frozen=True)
class Outcome:
    """What became of one of several draws.

    Parameters
    ----------
    result : object
        What it led to; None if it was ended before.
    stop : bool
        Whether a callback asked to stop.
    error : Exception or None
        What was raised.
    """

    result: Any = None
    stop: bool = False
    error: Exception | None = None


def attempt(
    progress: Progress, number: int, n_parts: int, work: Callable, *arguments
) -> Outcome:
    """Do `work(*arguments, progress)` as one of several draws, unless it is stopped.

    Nothing is raised if there are callbacks, so that no thread outlives `fit`.
    """
    if not isinstance(progress, Told):
        return Outcome(work(*arguments, progress))
    try:
        with progress.numbered_draw(number, n_parts) as draw:
            result = work(*arguments, draw)
    except Stopped:
        progress.shared.end_after(number - 1)
        return Outcome(stop=True)
    except Exception as error:
        progress.shared.end_after(number - 1)
        return Outcome(error=error)
    return Outcome(result, draw.stop)


def kept(outcomes: Iterable[Outcome]) -> list:
    """Return the results up to the request to stop; the same for any number of jobs."""
    results = []
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
        if outcome.result is not None:
            results.append(outcome.result)
        if outcome.stop:
            break
    if not results:
        raise Stopped
    return results
