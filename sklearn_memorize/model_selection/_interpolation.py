"""How often a classifier interpolates, and at what size, over a grid."""

from __future__ import annotations

from numbers import Integral

from sklearn.model_selection import ParameterGrid

from .._estimator._sklearn import HasMethods, Interval, validate_params
from ._measure import fit_once, summarize
from ._tasks import check_data, draw_seeds, run_tasks, seeded


@validate_params(
    {
        "estimator": [HasMethods(["fit", "predict"])],
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        "param_grid": [dict, list],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "progress": ["boolean"],
    },
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
    settings = list(ParameterGrid(param_grid))
    seeds = draw_seeds(random_state, n_repeats)
    tasks = [
        {"estimator": seeded(estimator, setting, seed)}
        for setting in settings
        for seed in seeds
    ]
    results = run_tasks(
        _measure, X, y, tasks, n_jobs=n_jobs, cache=cache, progress=progress
    )
    runs = [
        results[start : start + n_repeats]
        for start in range(0, len(results), n_repeats)
    ]
    return summarize(
        [_named(setting) for setting in settings],
        runs,
    )


def _measure(X, y, key, estimator):
    return fit_once(X, y, estimator)


def _named(setting: dict) -> dict:
    return {f"param_{name}": value for name, value in setting.items()}
