"""What may come out of the public functions: finite numbers, or a reason."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
from sklearn.exceptions import FitFailedWarning

from sklearn_memorize import datasets, inspection, model_selection
from sklearn_memorize.exceptions import ConflictingLabelsWarning, InterpolationWarning

from .oracle import (
    RECALLED,
    REFUSED,
    ignore_what_scikit_learn_warns_of,
    in_time,
)

_DOCUMENTED = (FitFailedWarning, ConflictingLabelsWarning, InterpolationWarning)
_FROM_THE_DATA = ("class", "label", "n_splits", "number of folds", "double precision")


def _largest(problem):
    return float(np.abs(problem.dense()).max())


def answered(ask, problem=None):
    """Return what a function answers, or None if it refused with a reason."""
    with in_time(), warnings.catch_warnings():
        warnings.simplefilter("error")
        ignore_what_scikit_learn_warns_of()
        warnings.filterwarnings("ignore", "The least populated class in y has only")
        for category in _DOCUMENTED:
            warnings.simplefilter("ignore", category)
        try:
            return ask()
        except ValueError as error:
            assert len(str(error)) > 30, "no reason is given"
            far = problem is not None and _largest(problem) > 2.0**1000
            assert far or any(part in str(error) for part in _FROM_THE_DATA), error
            return None


def judge_report(problem, estimators, seed) -> str:
    """Compare constructions; what is not known is None, and never not a number."""
    report = answered(
        lambda: inspection.capacity_report(
            problem.X, problem.y, estimators, random_state=seed
        ),
        problem,
    )
    if report is None:
        return REFUSED
    assert len(report.rows) == len(estimators)
    assert "nan" not in report.summary + report._repr_html_() + repr(report)
    for row in report.rows:
        numbers = (row.predicted_neurons, row.predicted_parameters, row.bits_per_weight)
        assert not any(np.isnan(x) for x in numbers if x is not None)
        assert (row.built_neurons is None) == (len(row.failure) > 40)
        assert row.built_neurons is None or row.built_neurons >= 0
        for quantity, built in (
            ("neurons", row.built_neurons),
            ("parameters", row.built_parameters),
        ):
            bound = row.impossible(quantity)
            if bound is not None and row.interpolates:
                assert built >= bound.value, (row, bound)
    return RECALLED


def _shares(values, unknown=False):
    values = np.asarray(values, dtype=float)
    assert unknown or not np.isnan(values).any()
    assert ((values >= 0) & (values <= 1) | np.isnan(values)).all()


def judge_study(name, problem, estimator, seed) -> str:
    """Run a study, as small as it can be."""
    X, y, ask = problem.X, problem.y, getattr(model_selection, name)
    subject, options = estimator, {"n_repeats": 2, "param_grid": {}}
    if name == "compare_generalization":
        subject, options = {"it": estimator}, {"cv": 2, "label_noise": [0.0, 0.4]}
    elif name == "sample_size_study":
        options["sizes"] = [0.3, 1.0]
    study = answered(lambda: ask(subject, X, y, random_state=seed, **options), problem)
    if study is None:
        return REFUSED
    _shares(study.interpolation_probability)
    if name == "compare_generalization":
        for column in ("train_accuracy", "true_train_accuracy", "true_test_accuracy"):
            _shares(study[column], unknown=True)
        ends = study.test_accuracy_low, study.test_accuracy_high
        assert not (ends[0] > ends[1]).any()
    else:
        memorized = study.interpolation_probability > 0
        _shares(study.mean_train_accuracy[memorized])
        _shares(study.mean_train_accuracy, unknown=True)
    return RECALLED


def judge_generators(n_samples, noise, distance, angle, seed) -> str:
    """Make each data set; it lies in the unit disc."""
    for ask in (
        lambda: datasets.make_two_moons(n_samples, noise=noise, random_state=seed),
        lambda: datasets.make_parallel_lines(
            n_samples, distance=distance, angle=angle, random_state=seed
        ),
    ):
        X, y = answered(ask)
        assert X.shape == (n_samples, 2) and y.shape == (n_samples,)
        assert np.isfinite(X).all() and (np.linalg.norm(X, axis=1) <= 1 + 1e-12).all()
        assert set(y.tolist()) == {0, 1}
    return RECALLED


def public_functions():
    """Return the names of all public functions of data."""
    return sorted(
        name
        for module in (datasets, inspection, model_selection)
        for name in module.__all__
        if inspect.isroutine(getattr(module, name))
    )
