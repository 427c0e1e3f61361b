"""Classifiers side by side: what they recall, and what they predict."""

from __future__ import annotations

import time
from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np
from scipy import stats
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import StratifiedKFold, check_cv
from sklearn.utils import Bunch, check_random_state

from .._estimator._messages import warn
from .._estimator._sklearn import Interval, _safe_indexing, validate_params
from ..exceptions import InterpolationError
from ._measure import as_column, fit_timed, fitted_sizes
from ._tasks import check_data, draw_seeds, run_tasks, seeded

_ACCURACIES = ("test_accuracy", "true_test_accuracy")
_MEANS = (
    "train_accuracy",
    "true_train_accuracy",
    "n_neurons",
    "n_parameters",
    "fit_time",
    "predict_time",
)


@validate_params(
    {
        "estimators": [Mapping],
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        "cv": ["cv_object"],
        "label_noise": ["array-like", Interval(Real, 0, 1, closed="left")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "progress": ["boolean"],
    },
    prefer_skip_nested_validation=False,
)
def compare_generalization(
    estimators,
    X,
    y,
    *,
    cv=5,
    label_noise=(0.0,),
    confidence_level=0.95,
    random_state=None,
    n_jobs=None,
    cache=None,
    progress=False,
):
    r"""Compare classifiers: training and test accuracy, label noise, time, size.

    Every classifier is cross-validated on the same folds. For each level p of label
    noise, a share p of all labels (training and test) is replaced by another class,
    drawn uniformly; higher levels change the same labels and more. Accuracy is told
    on the labels given and on the true ones: a classifier that interpolates recalls
    every wrong label it was given, and the question is what it says elsewhere.

    Parameters
    ----------
    estimators : dict
        Scikit-learn classifiers by name. They are cloned, and each of their
        `random_state` parameters (nested ones too) is overwritten with a seed that
        depends on the fold alone.
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The samples.
    y : array-like of shape (n_samples,)
        The true labels.
    cv : int, cross-validation generator or iterable, default=5
        The folds. An integer means that many stratified folds after shuffling.
    label_noise : float or array-like of floats in [0, 1), default=(0.0,)
        Shares of labels to replace.
    confidence_level : float, default=0.95
        Level of the confidence intervals.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds, the label noise and the classifiers.
    n_jobs : int or None, default=None
        Number of fits at a time; `joblib.parallel_config` chooses where they run. Use
        None to measure times that other fits do not disturb.
    cache : None, str, path-like or joblib.Memory, default=None
        Folder in which finished fits are kept, so that an interrupted comparison (with
        an integer `random_state`) goes on where it stopped. Adding a classifier
        or a level of noise later leaves the finished ones finished.
    progress : bool, default=False
        Show a progress bar (needs the extra `progress`).

    Returns
    -------
    comparison : Bunch of ndarray of shape (n_estimators * n_levels,)
        One row for each classifier and level, fit for `pandas.DataFrame(comparison)`:

        - `estimator`, `label_noise`, `n_folds`;
        - `interpolation_probability`: share of folds with training accuracy 1;
        - `train_accuracy`, `true_train_accuracy`: mean accuracy on the training
          samples, by the labels given and by the true labels;
        - `test_accuracy`, `true_test_accuracy`: the same on held-out samples, each
          with the ends `_low` and `_high` of its confidence interval;
        - `n_neurons`, `n_parameters`: mean sizes; NaN where there is no network;
        - `fit_time`, `predict_time`: mean wall-clock seconds for one training set and
          for one test set.

    Warns
    -----
    FitFailedWarning
        If a classifier raised `InterpolationError` in a fold (data that its theorem
        does not cover); the row is the mean over the other folds, or NaN.

    Raises
    ------
    ImportError
        If `progress=True` and rich is not installed.

    Notes
    -----
    With accuracies :math:`a_1, \dots, a_K` of K folds, their mean :math:`\bar a` and
    sample standard deviation s, the interval is

    .. math:: \bar a \pm t_{K-1} \, s \,
        \sqrt{\frac{1}{K} + \frac{n_\text{test}}{n_\text{train}}},

    clipped to [0, 1], where :math:`t_{K-1}` is the quantile of Student's distribution
    and :math:`n_\text{test}/n_\text{train}` the mean ratio of fold sizes. The second
    term is the correction of [1]_ for the overlap of the training sets, without which
    such intervals are too narrow. One fold alone gives no interval (NaN).

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the generalization error", Machine
       Learning 52, 2003.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn_memorize.model_selection import compare_generalization
    >>> X, y = load_iris(return_X_y=True)
    >>> comparison = compare_generalization(
    ...     {"1-NN": KNeighborsClassifier(1), "5-NN": KNeighborsClassifier(5)}, X, y,
    ...     label_noise=[0.0, 0.2], random_state=0,
    ... )
    >>> comparison.estimator
    array(['1-NN', '1-NN', '5-NN', '5-NN'], dtype='<U4')
    >>> comparison.train_accuracy[0]
    np.float64(1.0)
    """
    X, y = check_data(X, y)
    levels = _as_levels(label_noise)
    rng = check_random_state(random_state)
    fold_seed, noise_seed, first_seed = draw_seeds(rng, 3)
    folds = _as_folds(cv, X, y, fold_seed)
    seeds = draw_seeds(first_seed, len(folds))
    given = [noisy_labels(y, level, noise_seed) for level in levels]
    settings = [(name, number) for name in estimators for number in range(len(levels))]
    tasks = [
        {
            "estimator": seeded(estimators[name], {}, seed),
            "given": given[number],
            "train": train,
            "test": test,
        }
        for name, number in settings
        for (train, test), seed in zip(folds, seeds, strict=True)
    ]
    results = run_tasks(
        _measure, X, y, tasks, n_jobs=n_jobs, cache=cache, progress=progress
    )
    by_setting = [
        results[start : start + len(folds)]
        for start in range(0, len(results), len(folds))
    ]
    _warn_of_failures(settings, by_setting)
    ratio = float(np.mean([len(test) / len(train) for train, test in folds]))
    comparison = Bunch(
        estimator=as_column([name for name, _ in settings]),
        label_noise=np.array([levels[number] for _, number in settings]),
        n_folds=np.array([len(runs) for runs in by_setting]),
    )
    comparison.update(_summarize(by_setting, confidence_level, ratio))
    return comparison


def _as_levels(label_noise) -> list[float]:
    levels = np.atleast_1d(np.asarray(label_noise, dtype=float))
    if levels.ndim != 1 or not np.all((levels >= 0) & (levels < 1)):
        raise ValueError(f"label_noise must be shares in [0, 1), got {label_noise!r}.")
    return levels.tolist()


def _as_folds(cv, X, y, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    if cv is None or isinstance(cv, Integral):
        n_splits = 5 if cv is None else int(cv)
        cv = StratifiedKFold(n_splits, shuffle=True, random_state=seed)
    return list(check_cv(cv, y, classifier=True).split(X, y))


def noisy_labels(y: np.ndarray, level: float, seed: int) -> np.ndarray:
    """Replace a share of the labels by other classes; the same ones first, always."""
    classes, numbers = np.unique(y, return_inverse=True)
    n_changed = round(level * len(y))
    if n_changed and len(classes) == 1:
        raise ValueError("label_noise needs at least two classes in y, got one.")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    shift = rng.integers(1, max(2, len(classes)), size=len(y))
    changed = order[:n_changed]
    numbers[changed] = (numbers[changed] + shift[changed]) % len(classes)
    return classes[numbers]


def _measure(X, y, key, estimator, given, train, test):
    X_train, X_test = _safe_indexing(X, train), _safe_indexing(X, test)
    try:
        fit_time = fit_timed(estimator, X_train, given[train])
    except InterpolationError as error:
        return {"failure": str(error)}
    recalled = estimator.predict(X_train)
    start = time.perf_counter()
    predicted = estimator.predict(X_test)
    predict_time = time.perf_counter() - start
    return {
        "failure": None,
        "train_accuracy": float(np.mean(recalled == given[train])),
        "true_train_accuracy": float(np.mean(recalled == y[train])),
        "test_accuracy": float(np.mean(predicted == given[test])),
        "true_test_accuracy": float(np.mean(predicted == y[test])),
        "fit_time": fit_time,
        "predict_time": predict_time,
        **fitted_sizes(estimator),
    }


def _warn_of_failures(settings, by_setting) -> None:
    reasons: dict[str, str] = {}
    for (name, _), runs in zip(settings, by_setting, strict=True):
        for run in runs:
            if run["failure"]:
                reasons.setdefault(name, run["failure"])
    for name, reason in reasons.items():
        warn(
            f"{name!r} could not memorize the data in some folds, which are left out: "
            f"{reason}",
            FitFailedWarning,
        )


def _summarize(by_setting, confidence_level: float, ratio: float) -> dict:
    succeeded = [[run for run in runs if not run["failure"]] for runs in by_setting]
    columns = {
        "interpolation_probability": [
            np.mean([run.get("train_accuracy") == 1.0 for run in runs])
            for runs in by_setting
        ]
    }
    for name in _ACCURACIES:
        intervals = [
            _interval([run[name] for run in runs], confidence_level, ratio)
            for runs in succeeded
        ]
        for ending, values in zip(
            ("", "_low", "_high"), zip(*intervals, strict=True), strict=True
        ):
            columns[name + ending] = list(values)
    for name in _MEANS:
        columns[name] = [
            np.mean([run[name] for run in runs]) if runs else np.nan
            for runs in succeeded
        ]
    return {name: np.array(values, dtype=float) for name, values in columns.items()}


def _interval(
    values: list[float], confidence_level: float, ratio: float
) -> tuple[float, float, float]:
    """Return the mean and the ends of its confidence interval (see Notes above)."""
    n_folds = len(values)
    if n_folds == 0:
        return np.nan, np.nan, np.nan
    mean = float(np.mean(values))
    if n_folds == 1:
        return mean, np.nan, np.nan
    quantile = stats.t.ppf((1 + confidence_level) / 2, n_folds - 1)
    half = quantile * np.std(values, ddof=1) * np.sqrt(1 / n_folds + ratio)
    return mean, max(0.0, mean - half), min(1.0, mean + half)
