"""How often a classifier interpolates, and at what size, over a grid of settings."""

from numbers import Integral

import numpy as np
from sklearn.model_selection import ParameterGrid

from .._estimator._sklearn import (
    HasMethods,
    Interval,
    _safe_indexing,
    draw_seeds,
    validate_params,
)
from ._measure import fit_once, summarize
from ._tasks import check_data, run_tasks, seeded

_CONSTRAINTS: dict = {
    "estimator": [HasMethods(["fit", "predict"])],
    "X": ["array-like", "sparse matrix"],
    "y": ["array-like"],
    "n_repeats": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
    "n_jobs": [Integral, None],
    "progress": ["boolean"],
}


@validate_params(
    {**_CONSTRAINTS, "param_grid": [dict, list]},
    prefer_skip_nested_validation=False,
)
def interpolation_study(
    estimator,
    X,
    y,
    *,
    param_grid,
    n_repeats=10,
    random_state=None,
    n_jobs=None,
    cache=None,
    progress=False,
):
    """Measure interpolation probability and network size over a grid of parameters.

    Each setting of the grid is fitted `n_repeats` times on the same data with
    different seeds, as for the heat maps of [1]_. The r-th repetition has the same
    seed in every setting, and all seeds are drawn before the first fit: the results,
    times aside, do not depend on `n_jobs`.

    Parameters
    ----------
    estimator : classifier
        Any scikit-learn classifier. It is cloned, and each of its `random_state`
        parameters (nested ones too) is overwritten.
    X : array-like or sparse matrix of shape (n_samples, n_features)
        Training samples.
    y : array-like of shape (n_samples,)
        Labels.
    param_grid : dict or list of dict
        Lists of values by parameter name, as for
        :class:`sklearn.model_selection.ParameterGrid`.
    n_repeats : int, default=10
        Number of fits for each setting.
    random_state : int, RandomState instance or None, default=None
        Seed of the seeds.
    n_jobs : int or None, default=None
        Number of fits at a time; `joblib.parallel_config` chooses where they run.
    cache : None, str, path-like or joblib.Memory, default=None
        Folder in which finished fits are kept. A study that was interrupted and is
        started again with the same arguments and an integer `random_state` does not
        repeat them (their times are those of the first run).
    progress : bool, default=False
        Show a progress bar (needs the extra `progress`).

    Returns
    -------
    study : Bunch of ndarray of shape (n_settings,)
        One row for each setting, fit for `pandas.DataFrame(study)`:

        - `param_<name>`: the setting;
        - `n_repeats`: the number of fits;
        - `interpolation_probability`: the share of fits that recall every training
          sample. What the classifier certifies (`interpolates_`) counts, or else a
          training accuracy of 1; an `InterpolationError` counts as a failure;
        - `mean_<quantity>` and `std_<quantity>` (sample standard deviation) of
          `train_accuracy`, `n_hyperplanes`, `second_layer_width` (summed over
          classes), `n_neurons`, `n_parameters` and `fit_time` (wall-clock seconds).
          Quantities that a classifier does not have are NaN.

    Raises
    ------
    ImportError
        If `progress=True` and rich is not installed.

    References
    ----------
    .. [1] S. Dirksen, P. Finke, M. Genzel, "Memorization with neural nets: going
       beyond the worst case", JMLR 25(347), 2024, Section 4.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_memorize.datasets import make_two_moons
    >>> from sklearn_memorize.model_selection import interpolation_study
    >>> X, y = make_two_moons(100, random_state=0)
    >>> study = interpolation_study(
    ...     DecisionTreeClassifier(), X, y, param_grid={"max_depth": [1, None]},
    ...     n_repeats=3, random_state=0,
    ... )
    >>> study.interpolation_probability
    array([0., 1.])
    """
    X, y = check_data(X, y)
    settings = [(params, None) for params in ParameterGrid(param_grid)]
    seeds = draw_seeds(random_state, n_repeats)
    return _run(estimator, X, y, settings, seeds, n_jobs, cache, progress)


@validate_params(
    {
        **_CONSTRAINTS,
        "sizes": ["array-like"],
        "param_grid": [dict, list, None],
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
    counts = _as_counts(sizes, len(y)).tolist()
    settings = [
        (params, count)
        for params in ParameterGrid({} if param_grid is None else param_grid)
        for count in counts
    ]
    seeds = draw_seeds(random_state, n_repeats)
    return _run(estimator, X, y, settings, seeds, n_jobs, cache, progress)


def _run(estimator, X, y, settings, seeds, n_jobs, cache, progress):
    """Return the study of settings (parameters, number of samples or None)."""
    tasks = [
        {
            "estimator": seeded(estimator, params, seed),
            "n_samples": n_samples,
            "order_seed": seed,
        }
        for params, n_samples in settings
        for seed in seeds
    ]
    runs = run_tasks(
        _measure, X, y, tasks, len(seeds), n_jobs=n_jobs, cache=cache, progress=progress
    )
    columns = []
    for params, n_samples in settings:
        columns.append({f"param_{name}": value for name, value in params.items()})
        if n_samples is not None:
            columns[-1]["n_samples"] = n_samples
    return summarize(columns, runs)


def _measure(X, y, key, estimator, n_samples, order_seed):
    """Fit the beginning of a random order; all samples as they come for None."""
    if n_samples is not None:
        rows = stratified_order(y, order_seed)[:n_samples]
        X, y = _safe_indexing(X, rows), y[rows]
    return fit_once(X, y, estimator)


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
