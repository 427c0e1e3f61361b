"""How size and time grow with the number of samples."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.model_selection import ParameterGrid

from .._estimator._sklearn import HasMethods, Interval, _safe_indexing, validate_params
from ._measure import fit_once, summarize
from ._tasks import check_data, draw_seeds, run_tasks, seeded


@validate_params(
    {
        "estimator": [HasMethods(["fit", "predict"])],
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        "sizes": ["array-like"],
        "param_grid": [dict, list, None],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "progress": ["boolean"],
    },
    prefer_skip_nested_validation=False,
)
def sample_size_study(
    estimator,
    X,
    y,
    *,
    sizes,
    param_grid=None,
    n_repeats=5,
    random_state=None,
    n_jobs=None,
    cache=None,
    progress=False,
):
    """Measure network size and fit time against the number of training samples.

    In each repetition the samples are put into one random order in which every
    beginning is stratified (the share of each class is right to within one sample),
    and the classifier is fitted on beginnings of the sizes asked for. So the subsets
    of one repetition are nested, and a curve shows the effect of more samples, not of
    other ones. Every class is present in every subset that is large enough to hold
    them all.

    Parameters
    ----------
    estimator : classifier
        Any scikit-learn classifier. It is cloned, and each of its `random_state`
        parameters (nested ones too) is overwritten.
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The samples to draw from.
    y : array-like of shape (n_samples,)
        Labels.
    sizes : array-like of shape (n_sizes,)
        Numbers of samples (integers), or shares of all samples (floats in (0, 1]).
    param_grid : dict, list of dict or None, default=None
        Settings to repeat the study for, as for
        :class:`sklearn.model_selection.ParameterGrid`.
    n_repeats : int, default=5
        Number of random orders (and seeds) for each size and setting.
    random_state : int, RandomState instance or None, default=None
        Seed of the orders and seeds.
    n_jobs : int or None, default=None
        Number of fits at a time; `joblib.parallel_config` chooses where they run. Use
        None to measure times that other fits do not disturb.
    cache : None, str, path-like or joblib.Memory, default=None
        Folder in which finished fits are kept, so that an interrupted study (with an
        integer `random_state`) goes on where it stopped.
    progress : bool, default=False
        Show a progress bar (needs the extra `progress`).

    Returns
    -------
    study : Bunch of ndarray of shape (n_settings * n_sizes,)
        One row for each setting and size, fit for `pandas.DataFrame(study)`:
        `param_<name>`, `n_samples`, and the columns of `interpolation_study`.

    Raises
    ------
    ImportError
        If `progress=True` and rich is not installed.
    ValueError
        If a size is not between 1 and the number of samples.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_memorize.datasets import make_two_moons
    >>> from sklearn_memorize.model_selection import sample_size_study
    >>> X, y = make_two_moons(200, random_state=0)
    >>> study = sample_size_study(
    ...     DecisionTreeClassifier(), X, y, sizes=[0.1, 0.5], random_state=0
    ... )
    >>> study.n_samples
    array([ 20, 100])
    >>> study.mean_train_accuracy
    array([1., 1.])
    """
    X, y = check_data(X, y)
    sizes = _as_counts(sizes, len(y))
    settings = [
        (params, int(size))
        for params in ParameterGrid({} if param_grid is None else param_grid)
        for size in sizes
    ]
    seeds = draw_seeds(random_state, n_repeats)
    tasks = [
        {
            "estimator": seeded(estimator, params, seed),
            "n_samples": size,
            "order_seed": seed,
        }
        for params, size in settings
        for seed in seeds
    ]
    results = run_tasks(
        _measure, X, y, tasks, n_jobs=n_jobs, cache=cache, progress=progress
    )
    runs = [
        results[start : start + n_repeats]
        for start in range(0, len(results), n_repeats)
    ]
    named = [
        {**{f"param_{name}": value for name, value in params.items()}, "n_samples": n}
        for params, n in settings
    ]
    return summarize(named, runs)


def _as_counts(sizes, n_samples: int) -> np.ndarray:
    """Return the sizes as numbers of samples."""
    given = np.asarray(sizes)
    counts = given
    if given.dtype.kind == "f":
        if np.any((given <= 0) | (given > 1)):
            raise ValueError(
                f"sizes that are floats are shares in (0, 1], got {given.tolist()}; "
                "give integers for numbers of samples."
            )
        counts = np.maximum(1, np.round(given * n_samples)).astype(int)
    if given.ndim != 1 or counts.dtype.kind not in "iu":
        raise ValueError(f"sizes must be a flat list of numbers, got {sizes!r}.")
    if np.any((counts < 1) | (counts > n_samples)):
        raise ValueError(
            f"sizes must lie between 1 and the {n_samples} samples there are, got "
            f"{given.tolist()}."
        )
    return counts


def _measure(X, y, key, estimator, n_samples, order_seed):
    rows = stratified_order(y, order_seed)[:n_samples]
    return fit_once(_safe_indexing(X, rows), y[rows], estimator)


def stratified_order(y: np.ndarray, seed: int) -> np.ndarray:
    """Order the samples at random so that every beginning is stratified.

    The r-th sample (from 0) of a class of size s comes at "time" r / s; so by time t
    each class has given a share t of its samples, and each gives one at time 0.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(y))
    _, labels, counts = np.unique(y[shuffled], return_inverse=True, return_counts=True)
    by_class = np.argsort(labels, kind="stable")
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    times = np.empty(len(y))
    times[by_class] = (np.arange(len(y)) - starts) / np.repeat(counts, counts)
    return shuffled[np.argsort(times, kind="stable")]
