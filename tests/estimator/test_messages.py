"""Warnings name the line of the user's program."""

import inspect
import warnings

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.estimators import CLASSIFIERS, REGRESSORS, new

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.exceptions import ConflictingLabelsWarning, InterpolationWarning

X = np.arange(20.0)[:, np.newaxis].repeat(2, axis=0)
Y = np.arange(40) % 2


def lines_of_warnings(category, call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    found = [warning for warning in caught if issubclass(warning.category, category)]
    assert found
    return {(warning.filename, warning.lineno) for warning in found}


def here(offset=0):
    return __file__, inspect.currentframe().f_back.f_lineno + offset


@pytest.mark.parametrize("name", [*CLASSIFIERS, *REGRESSORS])
def test_conflicts_are_reported_where_fit_was_called(name):
    estimator = new(name)
    line = here(1)
    found = lines_of_warnings(ConflictingLabelsWarning, lambda: estimator.fit(X, Y))
    assert found == {line}


def test_pipelines_and_searches_in_between_do_not_show():
    model = make_pipeline(StandardScaler(), new("SlabClassifier"))
    search = GridSearchCV(model, {"slabclassifier__degenerate": ["split"]}, cv=2)
    for call in (
        lambda: model.fit(X, Y),
        lambda: search.fit(X, Y),
        lambda: cross_val_score(model, X, Y, cv=2),
    ):
        line = __file__, call.__code__.co_firstlineno
        assert lines_of_warnings(ConflictingLabelsWarning, call) == {line}


def test_threads_of_joblib_do_not_hide_the_warning():
    fit = joblib.delayed(new("SlabClassifier").fit)
    parallel = joblib.Parallel(n_jobs=2, backend="threading")
    lines_of_warnings(ConflictingLabelsWarning, lambda: parallel([fit(X, Y)] * 2))


def test_sizes_that_do_not_suffice_are_reported_where_fit_was_called():
    classifier = MemorizingClassifier(n_hyperplanes=1, random_state=0)
    line = here(1)
    found = lines_of_warnings(
        InterpolationWarning, lambda: classifier.fit(X[::2], Y[:20])
    )
    assert found == {line}


def test_partial_fit_after_fit_is_reported_where_it_was_called():
    classifier = MemorizingClassifier(random_state=0).fit(X[::2], Y[:20])
    line = here(2)
    found = lines_of_warnings(
        UserWarning, lambda: classifier.partial_fit(X[::2], Y[:20], classes=[0, 1])
    )
    assert found == {line}
