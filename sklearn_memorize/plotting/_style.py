"""What all pictures share: matplotlib on demand, and colours all can tell apart."""

from numbers import Real

import numpy as np

# M. Okabe, K. Ito, "Color universal design", 2008; gray in place of its yellow, which
# is hard to see on white.
COLORS = (
    "#0072B2",  # blue
    "#D55E00",  # vermilion
    "#009E73",  # bluish green
    "#CC79A7",  # reddish purple
    "#E69F00",  # orange
    "#56B4E9",  # sky blue
    "#000000",  # black
    "#8C8C8C",  # gray
)
# Shape says what colour says, for readers who see no colour.
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "*")
# A legend to the right of the axes.
BESIDE: dict = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "frameon": False}

_LABELS = {
    "interpolation_probability": "interpolation probability",
    "n_hyperplanes": "hyperplanes n",
    "max_bias": "largest bias λ (in units of the data radius)",
    "second_layer_width": "second-layer width",
    "n_neurons": "neurons",
    "n_parameters": "parameters",
    "fit_time": "fit time (s)",
    "predict_time": "predict time (s)",
    "score": "score",
    "roc_auc": "area under the ROC curve",
    "train_accuracy": "training accuracy",
    "true_train_accuracy": "training accuracy (true labels)",
    "test_accuracy": "test accuracy",
    "true_test_accuracy": "test accuracy (true labels)",
    "test_score": "test accuracy",
    "n_draws": "draws kept",
    "n_samples": "training samples N",
}


def check_column(study, name: str, prefix: str = "") -> None:
    """Raise a ValueError unless a study has a column, and a number in it."""
    columns = [
        column.removeprefix(prefix)
        for column in study
        if column.startswith(prefix) and study[column].dtype.kind in "biuf"
    ]
    measured = [
        column for column in columns if not np.isnan(study[prefix + column]).all()
    ]
    if name not in measured:
        what = "measured nothing by that name"
        if name in columns:
            what = "has no number there, for the classifiers have no such size"
        raise ValueError(
            f"{name!r} cannot be drawn: the study {what}. There are "
            f"{', '.join(map(repr, measured))}."
        )


def color(number: int) -> str:
    """Return one of eight colours."""
    return COLORS[number % len(COLORS)]


def marker(number: int) -> str:
    """Return a shape; each round of colours is one further, so 64 looks are different.

    >>> from sklearn_memorize.plotting._style import marker
    >>> marker(0), marker(8)
    ('o', '^')
    """
    return MARKERS[(number + number // len(COLORS)) % len(MARKERS)]


def look(number: int) -> dict[str, str]:
    """Return colour and marker of a curve, or of the points of a class."""
    return {"color": color(number), "marker": marker(number)}


def label_of(column: str) -> str:
    """Return what an axis says of a column of a study."""
    name = column.removeprefix("param_").removeprefix("mean_")
    name = name.rpartition("__")[2]
    return _LABELS.get(name, name.replace("_", " "))


def varying_parameters(study) -> list[str]:
    """Return the columns of the parameters that differ within a study."""
    columns = [name for name in study if name.startswith("param_")]
    return [name for name in columns if len({str(v) for v in study[name]}) > 1]


def check_matplotlib(caller: str):
    """Return pyplot, or raise an ImportError that says what to install."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} draws with matplotlib, which is not installed. Install it with "
            "`pip install matplotlib`."
        ) from error
    return plt


def get_axes(ax, caller: str, figsize: tuple[float, float] = (6.4, 4.8)):
    """Return `ax`, or the axes of a new figure."""
    plt = check_matplotlib(caller)
    if ax is None:
        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    return ax


def short(value) -> str:
    """Write a value in a few characters: three significant digits, no exponent."""
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        return str(value)
    number = float(value)
    if not np.isfinite(number):
        return str(number)
    if number == round(number) or abs(number) >= 100:
        return f"{number:.0f}"
    return f"{number:.3g}"
