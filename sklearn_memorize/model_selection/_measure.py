"""What a fitted classifier is measured by, and how repeated measurements are told."""

import threading
import time
import warnings
from collections.abc import Sequence
from contextlib import contextmanager

import numpy as np
from sklearn.utils import Bunch

from ..exceptions import InterpolationError, InterpolationWarning

SIZES = ("n_hyperplanes", "second_layer_width", "n_neurons", "n_parameters")
# Of these studies tell the mean and the standard deviation.
QUANTITIES = ("train_accuracy", *SIZES, "fit_time")


@contextmanager
def misfits_are_counted():
    """Run the body without warnings of misfits, which studies count.

    Filters are shared by all threads of a process, so only its main thread may change
    them and put them back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterpolationWarning)
        yield


def fit_timed(estimator, X, y) -> float:
    """Fit, and return the seconds it took."""
    with misfits_are_counted():
        start = time.perf_counter()
        estimator.fit(X, y)
        return time.perf_counter() - start


def fit_once(X, y, estimator) -> dict[str, float]:
    """Fit, and measure on the training set; what could not be measured is NaN.

    Returns `interpolates` (0 or 1; 0 for an `InterpolationError`), `train_accuracy`,
    `fit_time` in seconds, and the sizes.
    """
    try:
        fit_time = fit_timed(estimator, X, y)
    except InterpolationError:
        unknown = dict.fromkeys(("train_accuracy", "fit_time", *SIZES), np.nan)
        return {"interpolates": 0.0, **unknown}
    accuracy = _train_accuracy(estimator, X, y)
    interpolates = getattr(_final(estimator), "interpolates_", accuracy == 1.0)
    return {
        "interpolates": float(interpolates),
        "train_accuracy": accuracy,
        "fit_time": fit_time,
        **fitted_sizes(estimator),
    }


def _train_accuracy(estimator, X, y) -> float:
    final = _final(estimator)
    if getattr(final, "interpolates_", False) and final.n_conflicts_ == 0:
        return 1.0  # certified in fit, through the same `predict`
    return float(np.mean(estimator.predict(X) == y))


def _final(estimator):
    """Return the classifier inside a pipeline or a fitted search."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def fitted_sizes(estimator) -> dict[str, float]:
    """Return the sizes of the network inside a fitted estimator; NaN without one.

    Multilayer perceptrons of scikit-learn are counted too, nonzero weights and biases
    as for our own networks.
    """
    estimator = _final(estimator)
    sizes = dict.fromkeys(SIZES, np.nan)
    network = getattr(estimator, "network_", None)
    if network is not None:
        sizes["n_neurons"] = float(network.n_neurons)
        sizes["n_parameters"] = float(network.n_parameters)
    elif hasattr(estimator, "coefs_") and hasattr(estimator, "intercepts_"):
        layers = [*estimator.coefs_, *estimator.intercepts_]
        sizes["n_parameters"] = float(sum(np.count_nonzero(part) for part in layers))
        sizes["n_neurons"] = float(sum(bias.size for bias in estimator.intercepts_))
    if hasattr(estimator, "second_layer_widths_"):
        sizes["second_layer_width"] = float(np.sum(estimator.second_layer_widths_))
    if hasattr(estimator, "n_hyperplanes_"):
        sizes["n_hyperplanes"] = float(estimator.n_hyperplanes_)
    return sizes


def summarize(
    settings: Sequence[dict], runs: Sequence[Sequence[dict[str, float]]]
) -> Bunch:
    """Return one row a setting: how often it interpolates, means and deviations.

    `settings`: the columns that name each setting; `runs`: for each of them, what
    `fit_once` returned in each repetition. One array for each column.
    """
    study = Bunch()
    for name in dict.fromkeys(name for setting in settings for name in setting):
        study[name] = as_column([setting.get(name) for setting in settings])
    study["n_repeats"] = np.array([len(repeats) for repeats in runs])
    study["interpolation_probability"] = measured(runs, "interpolates").data.mean(
        axis=1
    )
    for name in QUANTITIES:
        values = measured(runs, name)
        study[f"mean_{name}"] = values.mean(axis=1).filled(np.nan)
        # The sample standard deviation needs two values.
        study[f"std_{name}"] = values.std(axis=1, ddof=1).filled(np.nan)
    return study


def measured(runs: Sequence[Sequence[dict]], name: str) -> np.ma.MaskedArray:
    """Return one row a setting, with what was not measured masked."""
    values = [[run.get(name, np.nan) for run in repeats] for repeats in runs]
    return np.ma.masked_invalid(np.array(values or np.empty((0, 1)), dtype=float))


def as_column(values: Sequence) -> np.ndarray:
    """Return a flat array: of numbers or strings if all are, else of objects."""
    plain = [
        value.item() if isinstance(value, np.generic) else value for value in values
    ]
    kinds = {type(value) for value in plain}
    if any(kinds <= alike for alike in ({bool}, {int, float}, {str})):
        return np.array(values)
    column = np.empty(len(values), dtype=object)
    column[:] = list(values)
    return column
