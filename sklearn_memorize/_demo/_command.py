"""The command line of the demonstration: memorize, certify, compare, draw."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from sklearn.callback import ProgressBar
from sklearn.preprocessing import StandardScaler

from .. import MemorizingClassifier, __version__, kernels
from ..exceptions import InterpolationError
from ._comparison import comparison
from ._data import Data, DataError, digits, read

__all__ = ["main"]

_PROGRAM = "python -m sklearn_memorize"
_PICTURES = (".png", ".pdf", ".svg")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration.

    Parameters
    ----------
    arguments : sequence of str or None
        The command line; None: that of the process.

    Returns
    -------
    exit_code : int
        0; 2 if the request or the data cannot be used; 1 if memorizing failed.
    """
    options = _parser().parse_args(arguments)
    try:
        if options.target is not None and options.data is None:
            raise DataError("--target names a column of the file given by --data")
        data = digits() if options.data is None else read(options.data, options.target)
        picture = _picture_path(options, data)
        _demonstrate(data, picture, options)
    except DataError as error:
        return _fail(error, exit_code=2)
    except InterpolationError as error:
        return _fail(error, exit_code=1)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description=(
            "Memorize a labelled data set with a network of random hyperplanes, check "
            "that every training sample gets its own label back, compare the accuracy "
            "on unseen samples with other classifiers, and draw what the neurons hold."
        ),
    )
    add = parser.add_argument
    add(
        "--data",
        type=Path,
        metavar="FILE",
        help="CSV with a line of column names, or NPZ with arrays X and y "
        "(default: the handwritten digits that ship with scikit-learn)",
    )
    add(
        "--target",
        metavar="NAME",
        help="column (CSV; default: the last one) or array (NPZ; default: y) of labels",
    )
    add(
        "--output",
        type=Path,
        metavar="FILE",
        help="where to save the picture (default: <name of the data>_memorized.png)",
    )
    add("--no-picture", action="store_true", help="draw nothing")
    add(
        "--n-jobs",
        type=_n_jobs,
        metavar="N",
        help="processes to run at once, -1 for one a core (default: 1)",
    )
    add(
        "--random-state",
        type=_seed,
        default=0,
        metavar="SEED",
        help="seed of everything that is drawn (default: 0)",
    )
    add("--version", action="version", version=f"sklearn_memorize {__version__}")
    return parser


def _n_jobs(text: str) -> int:
    n_jobs = int(text)
    if n_jobs == 0:
        raise argparse.ArgumentTypeError("0 processes can do nothing; -1 is all cores")
    return n_jobs


def _seed(text: str) -> int:
    seed = int(text)
    if not 0 <= seed < 2**32:
        raise argparse.ArgumentTypeError("must be at least 0 and below 2**32")
    return seed


def _fail(error: Exception, exit_code: int) -> int:
    message = " ".join(str(error).split())
    print(f"{_PROGRAM}: error: {message}", file=sys.stderr)
    return exit_code


def _picture_path(options: argparse.Namespace, data: Data) -> Path | None:
    """Return where the picture goes, or None where there will be none."""
    if options.no_picture:
        return None
    path = options.output or Path(f"{data.name}_memorized.png")
    if not path.parent.is_dir():
        raise DataError(f"--output {path}: there is no folder {path.parent}")
    if path.suffix.lower() not in _PICTURES:
        raise DataError(f"--output {path}: must end in one of {', '.join(_PICTURES)}")
    if find_spec("matplotlib") is None:
        _say("Note", 'no picture without matplotlib: pip install ".[plot]"')
        return None
    return path


def _demonstrate(data: Data, picture: Path | None, options: argparse.Namespace) -> None:
    classes = np.unique(data.y)
    n_samples, n_features = data.X.shape
    _say(
        "Data",
        f"{data.name}: {n_samples:,} samples of {n_features:,} features, "
        f"{len(classes)} classes",
    )
    # Pixels share one unit; columns of a table need not.
    scaler = StandardScaler() if data.image_shape is None else None
    X = data.X if scaler is None else scaler.fit_transform(data.X)
    _prepare_kernels(X, data.y)
    model, seconds = _memorize(X, data.y, options)
    _report(model, seconds, X, data.y)
    print()
    for line in comparison(data, scaler, options.random_state, options.n_jobs):
        print(line, flush=True)
    if picture is not None:
        _draw(model, data, picture)


def _say(topic: str, text: str) -> None:
    print(f"{topic:<13} {text}", flush=True)


def _prepare_kernels(X: np.ndarray, y: np.ndarray) -> None:
    """Run all kernels once, so that no time below is that of compiling them."""
    if kernels.backend() == "numpy":
        _say("Kernels", 'numpy; for faster ones: pip install ".[fast]"')
        return
    start = time.perf_counter()
    _, few = np.unique(y, return_index=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MemorizingClassifier(min_hyperplanes=64, random_state=0)
        model.fit(X[few], y[few]).decision_function(X[few])
    elapsed = time.perf_counter() - start
    _say("Kernels", f"numba, ready after {elapsed:.1f} s (compiled once, then cached)")


def _memorize(X, y, options) -> tuple[MemorizingClassifier, float]:
    """Return the fitted model and the seconds that fitting took."""
    model = MemorizingClassifier(
        random_state=options.random_state, n_jobs=options.n_jobs
    )
    if find_spec("rich") is not None:
        model.set_callbacks(ProgressBar())
    else:
        _say("Note", 'no progress bar without rich: pip install ".[progress]"')
        _say("Memorizing", "...")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
    for warning in caught:
        _say("Note", " ".join(str(warning.message).split()))
    return model, seconds


def _report(model: MemorizingClassifier, fit_seconds: float, X, y) -> None:
    start = time.perf_counter()
    predicted = model.predict(X)
    predict_seconds = time.perf_counter() - start
    n_recalled = int((predicted == y).sum())
    network = model.network_
    widths = "-".join(f"{width:,}" for width in network.widths)
    _say(
        "Certificate",
        f"{n_recalled:,} of {len(y):,} training samples get their own label back; "
        f"interpolates_ is {model.interpolates_}",
    )
    draws = f" ({model.n_draws} draws side by side)" if _stands_together(model) else ""
    _say(
        "Network",
        f"{network.depth} layers of {widths} neurons, "
        f"{network.n_parameters:,} nonzero parameters{draws}",
    )
    neurons = ", ".join(
        f"{label}: {width:,}"
        for label, width in zip(model.classes_, model.second_layer_widths_, strict=True)
    )
    _say("Second layer", f"neurons by class: {neurons}")
    _say(
        "Time",
        f"fit {fit_seconds:.2f} s, predict {predict_seconds:.2f} s "
        f"({1e6 * predict_seconds / len(y):.0f} microseconds a sample)",
    )


def _stands_together(model: MemorizingClassifier) -> bool:
    return model.keep == "all" and model.n_draws > 1


def _draw(model: MemorizingClassifier, data: Data, path: Path) -> None:
    # matplotlib is an extra, and slow to import.
    from ._picture import draw

    try:
        draw(model, data).savefig(path, dpi=150)
    except OSError as error:
        raise DataError(f"--output {path}: {error.strerror or error}") from error
    print()
    _say("Picture", str(path))
