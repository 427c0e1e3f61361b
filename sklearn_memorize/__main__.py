"""The guided demonstration: memorize, certify, compare, draw.

Run it with `python -m sklearn_memorize --help`. What it can do, the package does; here
is what is said on the way.
"""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from sklearn.callback import ProgressBar
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.utils import Bunch

from . import kernels
from ._estimator._sklearn import _safe_indexing
from ._estimator._version import __version__
from .constructions.random_hyperplanes import MemorizingClassifier
from .datasets._labelled_file import DataError, LabelledData, read_labelled
from .exceptions import InterpolationError
from .model_selection import compare_generalization
from .plotting import CoverageDisplay, GeneralizationDisplay

_PROGRAM = "python -m sklearn_memorize"
_PICTURES = (".png", ".pdf", ".svg")
# Support vector machines take long on more samples.
_MOST_SAMPLES = 10_000
_MOST_FOLDS = 5
# Centers that are drawn: of so many classes, so many of each.
_MOST_CLASSES, _MOST_CENTERS = 12, 9
# What shells report of programs that a closed pipe, or Ctrl-C, has ended.
_CLOSED_PIPE, _INTERRUPTED = 128 + 13, 128 + 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration.

    Parameters
    ----------
    arguments : sequence of str or None
        The command line; None: that of the process.

    Returns
    -------
    exit_code : int
        0; 2 if the request or the data cannot be used; 1 if memorizing failed, or the
        memory does not suffice.
    """
    options = _parser().parse_args(arguments)
    try:
        data = _data(options)
        _demonstrate(data, _picture_path(options, data), options)
    except (DataError, InterpolationError, MemoryError) as error:
        message = " ".join(str(error).split())
        print(f"{_PROGRAM}: error: {message}", file=sys.stderr)
        return 2 if isinstance(error, DataError) else 1
    return 0


def _run_as_program() -> int:
    """Run `main`, and end without a word if nobody reads on, or the user has enough."""
    # Pictures go to files. What a screen would need is not asked for, right or wrong.
    os.environ["MPLBACKEND"] = "agg"
    try:
        try:
            exit_code = main()
        finally:
            sys.stdout.flush()
        return exit_code
    except BrokenPipeError:
        # Python writes what is left when it ends, and would complain once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _CLOSED_PIPE
    except KeyboardInterrupt:
        print(f"{_PROGRAM}: interrupted", file=sys.stderr)
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description=(
            "Memorize a labelled data set with a network of hyperplanes, check "
            "that every training sample gets its own label back, compare the accuracy "
            "on unseen samples with other classifiers, and draw what the neurons hold."
        ),
    )
    add = parser.add_argument
    add(
        "--data",
        type=Path,
        metavar="FILE",
        help="a table (.csv, .tsv, either with .gz; .parquet) of numbers, texts and "
        "gaps, or .npz with arrays X and y "
        "(default: the handwritten digits that ship with scikit-learn)",
    )
    add(
        "--target",
        metavar="NAME",
        help="column (default: the last one) or array (NPZ; default: y) of labels",
    )
    add(
        "--header",
        choices=("auto", "yes", "no"),
        default="auto",
        help="whether the first line of a CSV or TSV file names the columns "
        "(default: look at what stands below)",
    )
    add(
        "--keep",
        metavar="NAME",
        action="append",
        default=[],
        help="a column to keep that would be left out since it numbers the rows, or "
        "holds a text of its own in each; may be given several times",
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


def _say(topic: str, text: str) -> None:
    print(f"{topic:<13} {text}", flush=True)


def _data(options: argparse.Namespace) -> LabelledData:
    if options.data is not None:
        return read_labelled(
            options.data, options.target, header=options.header, keep=options.keep
        )
    if options.target is not None or options.keep:
        name = "--target" if options.target is not None else "--keep"
        raise DataError(f"{name} names a column of the file given by --data")
    X, y = load_digits(return_X_y=True)
    return LabelledData("digits", X, y, image_shape=(8, 8))


def _demonstrate(
    data: LabelledData, picture: Path | None, options: argparse.Namespace
) -> None:
    n_samples, n_features = data.X.shape
    size = f"{n_samples:,} samples of {n_features:,} features"
    if data.categories:
        size += f" ({len(data.numbers):,} numbers, {len(data.categories):,} categories)"
    _say("Data", f"{data.name}: {size}, {len(np.unique(data.y))} classes")
    for note in data.notes:
        _say("Note", note)
    _say("Kernels", kernels.backend())
    model = _memorize(data, options)
    print()
    study = _compare(data, options)
    if picture is not None:
        _draw(model, data, study, picture)


def _prepared(data: LabelledData, classifier) -> Pipeline:
    """Return a pipeline that makes numbers of one scale of what there is.

    Marks keep rows with a gap apart from rows with the mean there, and each category
    has a column: rows that differ still differ.
    """
    if data.image_shape is not None:  # pixels share one unit; columns need not
        return make_pipeline(classifier)
    numbers = [StandardScaler()]
    if data.has_gaps:
        numbers.insert(0, SimpleImputer(add_indicator=True))
    if not data.categories:
        return make_pipeline(*numbers, classifier)
    parts = [(OneHotEncoder(handle_unknown="ignore"), data.categories)]
    if data.numbers:
        parts.insert(0, (make_pipeline(*numbers), data.numbers))
    return make_pipeline(make_column_transformer(*parts), classifier)


def _memorize(data: LabelledData, options) -> MemorizingClassifier:
    """Fit, and say what was built."""
    X, y = data.X, data.y
    model = MemorizingClassifier(
        random_state=options.random_state, n_jobs=options.n_jobs
    )
    pipeline = _prepared(data, model)
    if find_spec("rich") is None:
        _say("Note", "no progress bar without rich: pip install rich")
        _say("Memorizing", "...")
    elif sys.stdout.isatty():
        model.set_callbacks(ProgressBar())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        start = time.perf_counter()
        pipeline.fit(X, y)
        fit_seconds = time.perf_counter() - start
    for warning in caught:
        _say("Note", " ".join(str(warning.message).split()))
    if len(pipeline) > 1:
        _say("Pipeline", str(pipeline).replace("\n", f"\n{' ' * 14}"))
    start = time.perf_counter()
    n_recalled = int((pipeline.predict(X) == y).sum())
    predict_seconds = time.perf_counter() - start
    network = model.network_
    widths = "-".join(f"{width:,}" for width in network.widths)
    neurons = ", ".join(
        f"{label}: {width:,}"
        for label, width in zip(model.classes_, model.second_layer_widths_, strict=True)
    )
    others = ""
    if model.interpolates_ and n_recalled < len(y):
        others = (
            f", and {len(y) - n_recalled:,} the label that most of the samples with "
            "the same features carry"
        )
    _say(
        "Certificate",
        f"{n_recalled:,} of {len(y):,} training samples get their own label back"
        f"{others}; interpolates_ is {model.interpolates_}",
    )
    if model.n_draws_ == 0:
        _say("Network", "a constant, since one label is left")
    else:
        _say(
            "Network",
            f"{network.depth} layers of {widths} neurons, {network.n_parameters:,} "
            f"nonzero parameters ({model.n_draws_} draws side by side)",
        )
    _say("Second layer", f"neurons by class: {neurons}")
    _say(
        "Time",
        f"fit {fit_seconds:.2f} s, predict {predict_seconds:.2f} s "
        f"({1e6 * predict_seconds / len(y):.0f} microseconds a sample)",
    )
    return model


def _compare(data: LabelledData, options: argparse.Namespace) -> Bunch | None:
    """Cross-validate the classifiers, and print a table; None if that is impossible."""
    seed = options.random_state
    X, y = _at_most(_MOST_SAMPLES, data.X, data.y, seed)
    labels, counts = np.unique(y, return_counts=True)
    n_folds = int(min(_MOST_FOLDS, counts.min()))
    if n_folds < 2:
        print(f"No cross-validation: class {labels[counts.argmin()]} has one sample.")
        return None
    print(f"{n_folds}-fold cross-validation on {len(y):,} samples ...", flush=True)
    classifiers = {
        "MemorizingClassifier": MemorizingClassifier(),
        "1-nearest neighbour": KNeighborsClassifier(n_neighbors=1),
        "Random forest": RandomForestClassifier(),
        "RBF SVM": SVC(),
    }
    # All of them are given the same numbers.
    for name, classifier in classifiers.items():
        classifiers[name] = _prepared(data, classifier)
    with warnings.catch_warnings():
        # What there is to say was said when all the samples were memorized.
        warnings.simplefilter("ignore", UserWarning)
        study = compare_generalization(
            classifiers, X, y, cv=n_folds, random_state=seed, n_jobs=options.n_jobs
        )
    print(
        "  accuracy:                  train      test       (95 % interval)"
        "   fit [s]  predict [s]"
    )
    columns = ["estimator", "train_accuracy", "test_accuracy", "test_accuracy_low"]
    columns += ["test_accuracy_high", "fit_time", "predict_time"]
    line = "  {:<22}{:>10.4f}{:>10.4f}    ({:.4f} to {:.4f}){:>10.3f}{:>13.3f}"
    for row in zip(*(study[column] for column in columns), strict=True):
        print(line.format(*row))
    return study


def _at_most(n_samples: int, X, y, seed: int):
    if len(y) <= n_samples:
        return X, y
    stratify = y if np.unique(y, return_counts=True)[1].min() > 1 else None
    chosen, _ = train_test_split(
        np.arange(len(y)), train_size=n_samples, stratify=stratify, random_state=seed
    )
    return _safe_indexing(X, chosen), y[chosen]


def _picture_path(options: argparse.Namespace, data: LabelledData) -> Path | None:
    """Return where the picture goes, or None where there will be none."""
    if options.no_picture:
        return None
    path = options.output or Path(f"{data.name}_memorized.png")
    if not path.parent.is_dir():
        raise DataError(f"--output {path}: there is no folder {path.parent}")
    if path.suffix.lower() not in _PICTURES:
        raise DataError(f"--output {path}: must end in one of {', '.join(_PICTURES)}")
    if find_spec("matplotlib") is None:
        _say("Note", "no picture without matplotlib: pip install matplotlib")
        return None
    try:
        import matplotlib.figure  # noqa: F401
    except Exception as error:  # an installation may be broken in any way
        _say("Note", f"no picture, for matplotlib cannot be imported: {error}")
        return None
    return path


def _draw(model, data: LabelledData, study: Bunch | None, path: Path) -> None:
    """Draw what the neurons cover, the accuracies, and of pictures the centers."""
    # matplotlib is an extra, and slow to import.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16 if data.image_shape else 9, 9), layout="constrained")
    figure.suptitle(
        f"{len(data.y):,} training samples, "
        f"{'recalled' if model.interpolates_ else 'not all recalled'} by "
        f"{np.sum(model.second_layer_widths_):,} second-layer neurons"
    )
    charts = figure
    if data.image_shape is not None:
        centers, charts = figure.subfigures(1, 2, squeeze=False)[0]
        _draw_centers(centers, model, data)
    axes = charts.subplots(1 if study is None else 2, 1, squeeze=False)[:, 0]
    CoverageDisplay.from_estimator(model, data.X, data.y, ax=axes[0])
    if study is not None:
        GeneralizationDisplay.from_study(study, value="test_accuracy", ax=axes[1])
    try:
        figure.savefig(path, dpi=100)
    except OSError as error:
        raise DataError(f"--output {path}: {error.strerror or error}") from error
    _say("\nPicture", str(path))


def _draw_centers(figure, model, data: LabelledData) -> None:
    """Show the samples behind the neurons that recall most, class by class."""
    figure.suptitle("Centers of the neurons, and how many samples each recalls")
    shown = model.classes_[:_MOST_CLASSES]
    rows = figure.subplots(len(shown), _MOST_CENTERS, squeeze=False)
    largest_first = np.argsort(-model.coverage_, kind="stable")
    for label, row in zip(shown, rows, strict=True):
        of_class = data.y[model.sample_indices_[largest_first]] == label
        neurons = largest_first[of_class]
        # Draws may share a center.
        _, first = np.unique(model.sample_indices_[neurons], return_index=True)
        for axes, neuron in zip(row, neurons[np.sort(first)], strict=False):
            image = data.X[model.sample_indices_[neuron]].reshape(data.image_shape)
            axes.imshow(image, cmap="gray_r", vmin=data.X.min(), vmax=data.X.max())
            axes.set_title(f"{model.coverage_[neuron]}", fontsize="small", pad=2)
        row[0].set_ylabel(f"class {label}", rotation=0, ha="right", va="center")
        for axes in row:
            axes.set(xticks=[], yticks=[], frame_on=False)


if __name__ == "__main__":
    sys.exit(_run_as_program())
