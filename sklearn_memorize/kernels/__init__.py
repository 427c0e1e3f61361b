"""Bit kernels: an obvious version in NumPy, and a fast one in C, bit for bit equal.

The kernels in C are compiled when the package is built, once for each instruction set,
and the fastest one that the processor has is chosen when this module is imported.
`backend` says which one runs. The environment variable ``SKLEARN_MEMORIZE_KERNELS`` or
the context manager `use_backend` chooses another: "numpy", or an instruction set by its
name. `README.md` in this folder draws how codes are laid out.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from functools import wraps
from types import ModuleType
from typing import Any, TypeVar, cast

import numpy as np

from . import _reference

# The kernels, by the names that callers use; `_choose` assigns them again.
from ._reference import (
    LANES,
    TERMS_OF_A_PART,
    TERMS_OF_A_ROUNDED_PART,
    LeftOut,
    Outputs,
    RoundedOutputs,
    aligned_room,
    arranged,
    ceilings_of_rows,
    classes_that_fire,
    classes_with_sums_below,
    compensated_sums,
    cover_in_order,
    covers,
    differences_of_pairs,
    first_apart,
    gini_gains,
    hash_coefficients,
    hinge_sums,
    integer_sums,
    largest_differences,
    largest_margins_of_sums,
    margin_sums,
    margins_and_fires,
    margins_of_rows,
    ordered_product,
    pack_bits,
    pack_signs,
    pack_signs_of_rows,
    packed_rows,
    pair_sums,
    round_outputs,
    round_outputs_of_rows,
    rounded_margins,
    row_hashes,
    row_norms,
    rows_in_double,
    shape_of_planes,
    signs_in_planes,
    smallest_counts,
    smallest_sums,
    sums_below,
    tiles_of_rows,
    two_smallest_counts,
    words_at,
)

try:
    import sklearn_memorize.kernels._c as _c

    from . import _compiled
except ImportError as error:  # no compiler was at hand when the package was built
    _c = _compiled = None  # type: ignore[assignment]
    _reason = str(error)

__all__ = ["backend", "backends", "use_backend"]

_VARIABLE = "SKLEARN_MEMORIZE_KERNELS"
# The kernels that there are twice.
_KERNELS = (
    "arranged",
    "ceilings_of_rows",
    "classes_that_fire",
    "classes_with_sums_below",
    "compensated_sums",
    "cover_in_order",
    "covers",
    "differences_of_pairs",
    "first_apart",
    "gini_gains",
    "hinge_sums",
    "integer_sums",
    "largest_differences",
    "largest_margins_of_sums",
    "margin_sums",
    "margins_and_fires",
    "margins_of_rows",
    "ordered_product",
    "pack_signs",
    "pack_signs_of_rows",
    "packed_rows",
    "pair_sums",
    "round_outputs",
    "round_outputs_of_rows",
    "rounded_margins",
    "row_hashes",
    "row_norms",
    "rows_in_double",
    "shape_of_planes",
    "signs_in_planes",
    "smallest_counts",
    "smallest_sums",
    "sums_below",
    "tiles_of_rows",
    "two_smallest_counts",
    "words_at",
)

# What NumPy does about arithmetic that leaves the range of numbers, unless it is told
# otherwise.
_USUAL_WARNINGS: dict = {
    "divide": "warn",
    "over": "warn",
    "under": "ignore",
    "invalid": "warn",
}

_backend = "numpy"
_Function = TypeVar("_Function", bound=Callable[..., Any])


def backends() -> tuple[str, ...]:
    """Return the names of all kernels that can run here, the fastest last.

    Returns
    -------
    names : tuple of str
        "numpy", and then the instruction sets of the processor, if the kernels in C
        were compiled: "baseline" (what every processor of the platform has: SSE2, or
        NEON), "avx2", "avx512_skylake", and "avx512" (which also counts bits).

    Examples
    --------
    >>> from sklearn_memorize import kernels
    >>> kernels.backends()[0]
    'numpy'
    """
    return ("numpy", *(_c.instruction_sets() if _c else ()))


def backend() -> str:
    """Return which kernels run: "numpy", or the instruction set of those in C.

    Examples
    --------
    >>> from sklearn_memorize import kernels
    >>> kernels.backend() in kernels.backends()
    True
    """
    return _backend


def _choose(name: str, where: str = "backend") -> None:
    """Let the names of this module stand for the kernels of a backend."""
    global _backend
    if name not in backends():
        compiled = "" if _c else f" The kernels in C were not compiled: {_reason}."
        raise ValueError(
            f"{where} must be one of {', '.join(map(repr, backends()))} on this "
            f"machine, got {name!r}.{compiled}"
        )
    if name != "numpy":
        _c.use(name)
    source: ModuleType = _reference if name == "numpy" else _compiled
    globals().update({kernel: getattr(source, kernel) for kernel in _KERNELS})
    _backend = name


@contextmanager
def use_backend(name: str):
    """Run the body with other kernels; the answers are the same.

    Parameters
    ----------
    name : str
        One of `backends()`; the choice holds for all threads.

    Raises
    ------
    ValueError
        If the processor has no such instruction set, or the kernels in C were not
        compiled when the package was built.

    Examples
    --------
    >>> from sklearn_memorize import kernels
    >>> with kernels.use_backend("numpy"):
    ...     kernels.backend()
    'numpy'
    """
    before = _backend
    _choose(name)
    try:
        yield
    finally:
        _choose(before)


def standard_arithmetic(function: _Function) -> _Function:
    """Let a function compute as usual, whatever its caller has set for itself.

    Denormal numbers are kept, if the kernels in C are there. Some libraries switch this
    off for a whole thread ("flush to zero", "denormals are zero"). The kernels in C set
    it for themselves; this is for NumPy code around them. It holds for the thread that
    calls, and for those that it starts.

    Results that are too small for a number become zero without an error, also within
    `np.errstate(all="raise")`: the code here expects them.
    """

    @wraps(function)
    def run(*arguments, **options):
        before = _c.get_control() if _c else 0
        if _c:
            _c.set_control(_c.STANDARD_CONTROL)
        try:
            with np.errstate(**_USUAL_WARNINGS):
                return function(*arguments, **options)
        finally:
            if _c:
                _c.set_control(before)

    return cast(_Function, run)


def _choose_first() -> None:
    wanted = os.environ.get(_VARIABLE)
    if wanted:  # one that is set to nothing is as good as none
        _choose(wanted, f"The environment variable {_VARIABLE}")
        return
    _choose(backends()[-1])
    if _c is None:
        warnings.warn(
            "sklearn_memorize was installed without its compiled kernels, and runs on "
            "NumPy: the results are the same, but slower by far. Install a wheel that "
            "was built for this platform, or install from source again where a C "
            "compiler is at hand (Debian: `apt install gcc python3-dev`). Setting "
            "SKLEARN_MEMORIZE_KERNELS=numpy says that this is intended.",
            RuntimeWarning,
            stacklevel=2,
        )


_choose_first()
