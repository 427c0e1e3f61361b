"""What a construction says of its progress, and to whom."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

__all__ = ["SILENT", "Progress"]


class Progress(Protocol):
    """A piece of work, entered when it begins and left when it ends.

    Leaving it may raise an exception, to end the construction.
    """

    def part(
        self, name: str, number: int, n_parts: int = 0, needed: bool = False
    ) -> Progress:
        """Return a part of this piece, which may run beside the other parts.

        Parameters
        ----------
        name : str
            What it does.
        number : int
            Tells it from the other parts.
        n_parts : int, default=0
            Number of parts that it has itself, at the most.
        needed : bool, default=False
            Whether what comes after it may not be left out.
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
        return "SILENT"

    def part(
        self, name: str, number: int, n_parts: int = 0, needed: bool = False
    ) -> _Silence:
        return self

    def __enter__(self) -> _Silence:
        return self

    def __exit__(self, kind, error, trace) -> None:
        pass


SILENT = _Silence()
