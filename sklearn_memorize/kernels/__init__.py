"""Bit kernels: an obvious NumPy version and a fast Numba one, bit for bit equal.

`backend()` says which runs. Numba (the extra `fast`) is used where it is installed; the
environment variable ``SKLEARN_MEMORIZE_KERNELS=numpy`` or the context manager
`use_backend` chooses the plain version.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

from . import _reference

__all__ = ["backend", "use_backend"]


def _load(name: str) -> ModuleType:
    if name == "numpy":
        return _reference
    if name == "numba":
        from . import _numba

        return _numba
    raise ValueError(f"backend must be 'numba' or 'numpy', got {name!r}.")


def _default() -> str:
    installed = "numba" if find_spec("numba") else "numpy"
    return os.environ.get("SKLEARN_MEMORIZE_KERNELS", installed)


_active = _load(_default())


def backend() -> str:
    """Say which kernels run: "numba" or "numpy".

    Examples
    --------
    >>> from sklearn_memorize import kernels
    >>> kernels.backend() in ("numba", "numpy")
    True
    """
    return "numpy" if _active is _reference else "numba"


@contextmanager
def use_backend(name: str):
    """Run the body with the kernels "numba" or "numpy".

    Parameters
    ----------
    name : {"numba", "numpy"}
        Which kernels to use; the choice holds for all threads.

    Examples
    --------
    >>> from sklearn_memorize import kernels
    >>> with kernels.use_backend("numpy"):
    ...     kernels.backend()
    'numpy'
    """
    global _active
    before, _active = _active, _load(name)
    try:
        yield
    finally:
        _active = before


def __getattr__(kernel: str):
    if kernel.startswith("__"):
        raise AttributeError(kernel)
    return getattr(_active, kernel)
