"""Classifiers side by side: what they recall, and what they predict."""

import time
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from numbers import Integral, Real

import numpy as np
from scipy import stats
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import get_scorer
from sklearn.model_selection import StratifiedKFold, check_cv
from sklearn.utils import Bunch

from .._estimator._messages import warn
from .._estimator._sklearn import Interval, _safe_indexing, draw_seeds, validate_params
from ..exceptions import InterpolationError
from ._measure import as_column, fit_timed, fitted_sizes, measured
from ._tasks import check_data, run_tasks, seeded

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
        "scoring": [str, callable, list, tuple, set, dict, None],
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
    scoring=None,
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
    scoring : str, callable, list, tuple, set or dict, default=None
        What to measure beside the accuracy: names of scikit-learn's scorers, such as
        "roc_auc"; a callable `scorer(estimator, X, y)`; several names; or a dict of
        names or callables by the names that their columns get.
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
        - `train_<name>`, `test_<name>`, `true_test_<name>` for each name of `scoring`
          ("score" for a callable): means of that score, on held-out samples with the
          ends `_low` and `_high` of their intervals;
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
    ValueError
        If the data, the folds, a share of noise or a scorer cannot be used; what a
        scorer itself raises, such as "roc_auc" for a classifier of more than two
        classes, is passed on.

    Notes
    -----
    With accuracies :math:`a_1, \dots, a_K` of K folds, their mean :math:`\bar a` and
    sample standard deviation s, the interval is

    .. math:: \bar a \pm t_{K-1} \, s \,
        \sqrt{\frac{1}{K} + \frac{n_\text{test}}{n_\text{train}}},

    clipped to [0, 1] for accuracies, where :math:`t_{K-1}` is the quantile of Student's
    distribution and :math:`n_\text{test}/n_\text{train}` the mean ratio of fold sizes.
    The second term is the correction of [1]_ for the overlap of the training sets,
    without which such intervals are too narrow. One fold alone gives no interval (NaN).

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
    scorers = as_scorers(scoring)
    levels = _as_levels(label_noise)
    fold_seed, noise_seed, first_seed = draw_seeds(random_state, 3)
    folds = _as_folds(cv, X, y, fold_seed)
    seeds = draw_seeds(first_seed, len(folds))
    given = [noisy_labels(y, level, noise_seed) for level in levels]
    settings = list(product(estimators, range(len(levels))))
    tasks = [
        {
            "estimator": seeded(estimators[name], {}, seed),
            "given": given[number],
            "train": train,
            "test": test,
            # Finished fits without scorers stay finished.
            **({"scorers": scorers} if scorers else {}),
        }
        for name, number in settings
        for (train, test), seed in zip(folds, seeds, strict=True)
    ]
    by_setting = run_tasks(
        _measure, X, y, tasks, len(folds), n_jobs=n_jobs, cache=cache, progress=progress
    )
    _warn_of_failures(settings, by_setting)
    ratio = float(np.mean([len(test) / len(train) for train, test in folds]))
    comparison = Bunch(
        estimator=as_column([name for name, _ in settings]),
        label_noise=np.array([levels[number] for _, number in settings]),
        n_folds=np.array([len(runs) for runs in by_setting]),
    )
    comparison.update(_summarize(by_setting, list(scorers), confidence_level, ratio))
    return comparison


def as_scorers(scoring) -> dict[str, Callable]:
    """Return scorers by name; the accuracy is measured anyway."""
    if scoring is None:
        return {}
    if isinstance(scoring, str):
        scoring = [scoring]
    if callable(scoring):
        scoring = {"score": scoring}
    if not isinstance(scoring, Mapping):
        scoring = {name: name for name in _names(scoring)}
    elif "accuracy" in scoring:
        raise ValueError(
            "scoring cannot hold a scorer by the name of 'accuracy', which is measured "
            "anyway; give it another name."
        )
    return {
        name: get_scorer(scorer) if isinstance(scorer, str) else scorer
        for name, scorer in scoring.items()
        if name != "accuracy"
    }


def _names(scoring: Iterable) -> list[str]:
    names = sorted(scoring) if isinstance(scoring, set) else list(scoring)
    if not all(isinstance(name, str) for name in names):
        raise ValueError(
            "scoring must hold names of scorers, or be a dict of scorers by name, got "
            f"{scoring!r}."
        )
    return names


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


def _measure(X, y, key, estimator, given, train, test, scorers=None):
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
        "train_accuracy": float(np.mean(recalled == given[train])),
        "true_train_accuracy": float(np.mean(recalled == y[train])),
        "test_accuracy": float(np.mean(predicted == given[test])),
        "true_test_accuracy": float(np.mean(predicted == y[test])),
        "fit_time": fit_time,
        "predict_time": predict_time,
        **_scores(estimator, scorers or {}, X_train, X_test, given, y, train, test),
        **fitted_sizes(estimator),
    }


def _scores(estimator, scorers, X_train, X_test, given, y, train, test) -> dict:
    """Return each score on the training set, and on the test set by both labels."""
    scores = {}
    is_noisy = bool((given[test] != y[test]).any())
    for name, scorer in scorers.items():
        scores[f"train_{name}"] = float(scorer(estimator, X_train, given[train]))
        score = scores[f"test_{name}"] = float(scorer(estimator, X_test, given[test]))
        scores[f"true_test_{name}"] = (
            float(scorer(estimator, X_test, y[test])) if is_noisy else score
        )
    return scores


def _warn_of_failures(settings, by_setting) -> None:
    reasons: dict[str, str] = {}
    for (name, _), runs in zip(settings, by_setting, strict=True):
        for run in runs:
            if "failure" in run:
                reasons.setdefault(name, run["failure"])
    for name, reason in reasons.items():
        warn(
            f"{name!r} could not memorize the data in some folds, which are left out: "
            f"{reason}",
            FitFailedWarning,
        )


def _summarize(
    by_setting, scores: list[str], confidence_level: float, ratio: float
) -> dict:
    """Return the columns: means over folds, and intervals (see the notes above)."""
    recalled = measured(by_setting, "train_accuracy").filled(np.nan) == 1.0
    columns = {"interpolation_probability": recalled.mean(axis=1)}
    for name in _ACCURACIES:
        columns |= _with_interval(by_setting, name, confidence_level, ratio)
        for end, limit in (("low", np.maximum), ("high", np.minimum)):
            bound = float(end == "high")
            columns[f"{name}_{end}"] = limit(bound, columns[f"{name}_{end}"])
    for score in scores:
        for name in (f"test_{score}", f"true_test_{score}"):
            columns |= _with_interval(by_setting, name, confidence_level, ratio)
    for name in (*_MEANS, *(f"train_{score}" for score in scores)):
        columns[name] = measured(by_setting, name).mean(axis=1).filled(np.nan)
    return columns


def _with_interval(by_setting, name: str, confidence_level: float, ratio: float):
    """Return the mean over folds, and the ends of its interval."""
    values = measured(by_setting, name)
    mean, n_folds = values.mean(axis=1), np.ma.masked_less(values.count(axis=1), 1)
    quantile = stats.t.ppf((1 + confidence_level) / 2, n_folds - 1)
    half = quantile * values.std(axis=1, ddof=1) * np.sqrt(1 / n_folds + ratio)
    return {
        name: mean.filled(np.nan),
        f"{name}_low": (mean - half).filled(np.nan),
        f"{name}_high": (mean + half).filled(np.nan),
    }
