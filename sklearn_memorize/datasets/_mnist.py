"""The MNIST digits, from IDX files on disk or else from OpenML."""

import gzip
import os
import zlib
from pathlib import Path

import numpy as np
from sklearn.datasets import fetch_openml
from sklearn.utils import Bunch

_N_TRAIN = 60_000
# The files of images and those of labels, with their shapes.
_IMAGES = {
    "train-images-idx3-ubyte": (_N_TRAIN, 28, 28),
    "t10k-images-idx3-ubyte": (10_000, 28, 28),
}
_LABELS = {"train-labels-idx1-ubyte": (_N_TRAIN,), "t10k-labels-idx1-ubyte": (10_000,)}


def fetch_mnist(data_home=None, *, return_X_y=False):
    """Load the 70,000 handwritten digits of MNIST.

    The four IDX files (`train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
    `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each plain or with the
    ending ``.gz``) are read where they are found: in `data_home`, or else in the
    folder ``data/mnist`` below the one that the environment variable
    ``SKLEARN_MEMORIZE_DATA`` names. Without them the digits come from OpenML, through
    :func:`sklearn.datasets.fetch_openml`, which keeps its own cache.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of the IDX files, or of scikit-learn's cache of downloads.
    return_X_y : bool, default=False
        Return ``(data, target)`` in place of the Bunch.

    Returns
    -------
    mnist : Bunch
        With the attributes

        data : ndarray of shape (70000, 784), dtype float32
            Pixels from 0 to 255: the 60,000 training images, then the 10,000 test
            images.
        target : ndarray of shape (70000,)
            The digits.
        n_train : int
            60,000: rows before it are the training set, rows from it on the test set.
        images : ndarray of shape (70000, 28, 28)
            The same pixels as pictures (a view).

    (data, target) : tuple if `return_X_y`
        The first two of these.

    Raises
    ------
    ValueError
        If a file is not an IDX file of the expected kind.
    OSError
        If there are no files, and OpenML cannot be reached.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied
       to document recognition", Proceedings of the IEEE 86(11), 1998.

    Examples
    --------
    >>> from sklearn_memorize.datasets import fetch_mnist
    >>> X, y = fetch_mnist(return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (70000, 784)
    """
    folder = _find_folder(data_home)
    data, target = _from_openml(data_home) if folder is None else _from_idx(folder)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        n_train=_N_TRAIN,
        images=data.reshape(-1, 28, 28),
    )


def _find_folder(data_home) -> Path | None:
    """Return the first folder that holds the four files, if there is one."""
    candidates = [] if data_home is None else [Path(data_home)]
    if "SKLEARN_MEMORIZE_DATA" in os.environ:
        candidates.append(Path(os.environ["SKLEARN_MEMORIZE_DATA"], "data", "mnist"))
    for folder in candidates:
        if all(_file(folder, name).is_file() for name in (*_IMAGES, *_LABELS)):
            return folder
    return None


def _file(folder: Path, name: str) -> Path:
    compressed = folder / f"{name}.gz"
    return compressed if compressed.is_file() else folder / name


def _from_idx(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    images = [_read_idx(_file(folder, name), size) for name, size in _IMAGES.items()]
    labels = [_read_idx(_file(folder, name), size) for name, size in _LABELS.items()]
    pixels = np.concatenate(images).reshape(-1, 28 * 28)
    return pixels.astype(np.float32), np.concatenate(labels).astype(np.intp)


def _read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Read an array of bytes: the type, the dimension, big-endian sizes, the values."""
    problem = (
        f"{path} is not an IDX file of shape {shape}, as MNIST's are; delete it, or "
        "pass another data_home."
    )
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            content = stream.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(problem) from error
    # Type 8 are unsigned bytes.
    header = np.array([0x0800 + len(shape), *shape], dtype=">u4").tobytes()
    if not content.startswith(header) or len(content) != len(header) + np.prod(shape):
        raise ValueError(problem)
    return np.frombuffer(content, dtype=np.uint8, offset=len(header)).reshape(shape)


def _from_openml(data_home) -> tuple[np.ndarray, np.ndarray]:
    try:
        mnist = fetch_openml(
            "mnist_784", version=1, as_frame=False, data_home=data_home
        )
    except OSError as error:  # of which URLError is one
        raise OSError(
            f"MNIST cannot be fetched from OpenML ({error}). Connect to the internet, "
            f"or put the files {', '.join((*_IMAGES, *_LABELS))} into a folder, and "
            "pass it as data_home."
        ) from error
    return mnist.data.astype(np.float32), mnist.target.astype(np.intp)
