"""What the callbacks of an estimator hear of `fit`, and how they end it.

A callback asks to stop by returning True from `on_fit_task_end`. What is complete then
is kept: of several draws, those up to the one in which it asked. Nothing else depends
on the callbacks, and without any there is nothing to do.

A construction only sees the protocol `Progress`. It gets `SILENT` when nobody listens,
and a `ReportedTask` when the estimator has callbacks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import RLock
from types import TracebackType
from typing import Any, Protocol

from ._sklearn import has_callbacks


class Stopped(Exception):
    """A callback asked to stop before anything was complete."""


class Progress(Protocol):
    """A task of `fit`, entered when it begins and left when it ends.

    Leaving it may raise an exception, to end the construction.
    """

    def part(
        self, name: str, number: int, n_parts: int = 0, needed: bool = False
    ) -> Progress:
        """Return a task that is a part of this one, and may run beside other parts.

        `number` tells it from the other parts, and it has at most `n_parts` parts
        itself. If it is `needed`, what comes after it may not be left out.
        """

    def __enter__(self) -> Progress: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class _Silence:
    """Progress that nobody hears of."""

    def __reduce__(self) -> str:
        return "SILENT"  # the one object of this module, also in other processes

    def part(
        self, name: str, number: int, n_parts: int = 0, needed: bool = False
    ) -> _Silence:
        return self

    def __enter__(self) -> _Silence:
        return self

    def __exit__(self, kind, error, trace) -> None:
        pass


SILENT = _Silence()


class _SharedByTasks:
    """What the tasks of one fit share.

    Callbacks are called one at a time, whatever the number of threads, and only the
    draws up to `last_draw` are still wanted.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self.last_draw = math.inf

    def __reduce__(self):
        # Another process only knows its own requests to stop.
        return _SharedByTasks, ()

    def end_after(self, draw: float) -> None:
        with self.lock:
            self.last_draw = min(self.last_draw, draw)


class ReportedTask:
    """A task of `fit` whose begin and end are reported to the callbacks.

    `draw` is the number of the draw that it belongs to, -1 for none. A task that is not
    `needed` raises `Stopped` at its end if a callback asks to stop. `data` is what the
    callbacks may ask for: `X`, `y` and so on.
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
    ) -> ReportedTask:
        """Return a task that is a part of this one."""
        return self._part(name, number, n_parts, self.draw, needed)

    def numbered_draw(self, number: int, n_parts: int) -> ReportedTask:
        """Return a part that ends as soon as its draw is not wanted any more."""
        return self._part("draw", number, n_parts, number, True)

    def _part(self, name, number, n_parts, draw, needed) -> ReportedTask:
        in_turn = self.context.sequential_subtasks
        with self.shared.lock:
            context = self.context.subcontext(
                name,
                task_id=None if in_turn else number,
                max_subtasks=n_parts,
                sequential_subtasks=False,
            )
        return ReportedTask(self.estimator, context, self.shared, draw, needed)

    def __enter__(self) -> ReportedTask:
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
        """Return the lock for calling callbacks; end a draw that is not wanted."""
        if self.draw > self.shared.last_draw:
            raise Stopped
        return self.shared.lock


def reported_fit(estimator, n_stages: int, **data) -> Progress:
    """Return the task `fit`, which has so many stages, one after the other.

    The `fit` of the estimator is decorated with `with_callbacks`. `data` is what the
    callbacks may ask for: `X`, `y` and so on.
    """
    context = estimator._init_callback_context(max_subtasks=n_stages)
    if not has_callbacks(estimator):
        return SILENT
    return ReportedTask(estimator, context, _SharedByTasks(), needed=True, **data)


@dataclass(frozen=True)
class DrawOutcome:
    """The result of a draw (None if it was ended before), or what went wrong."""

    result: Any = None
    stop: bool = False  # whether a callback asked to stop
    error: Exception | None = None


def run_draw(
    progress: Progress, number: int, n_parts: int, work: Callable, *arguments
) -> DrawOutcome:
    """Run `work(*arguments, progress)` as one of several draws, unless it is stopped.

    Nothing is raised if there are callbacks, so that no thread outlives `fit`.
    """
    if not isinstance(progress, ReportedTask):
        return DrawOutcome(work(*arguments, progress))
    try:
        with progress.numbered_draw(number, n_parts) as draw:
            result = work(*arguments, draw)
    except Stopped:
        progress.shared.end_after(number - 1)
        return DrawOutcome(stop=True)
    except Exception as error:
        progress.shared.end_after(number - 1)
        return DrawOutcome(error=error)
    return DrawOutcome(result, draw.stop)


def completed_draws(outcomes: Iterable[DrawOutcome]) -> list:
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
