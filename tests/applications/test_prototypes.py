"""Prototypes are samples whose neurons together recall all of them."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks
from support.needs import needs

from sklearn_memorize.applications import PrototypeSelector

X, Y = load_digits(return_X_y=True)


@parametrize_with_checks(
    [PrototypeSelector(random_state=0), PrototypeSelector(covering="greedy")]
)
def test_scikit_learn_estimator_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("covering", ["random", "greedy"])
@pytest.mark.parametrize("hyperplanes", ["random", "adapted"])
def test_few_samples_of_every_class_stand_for_all(covering, hyperplanes):
    selector = PrototypeSelector(
        covering=covering, hyperplanes=hyperplanes, random_state=0
    )
    few, labels = selector.fit_resample(X[:1000], Y[:1000])
    kept = selector.sample_indices_
    np.testing.assert_array_equal(few, X[kept])
    np.testing.assert_array_equal(labels, Y[kept])
    assert (np.diff(kept) > 0).all()
    assert set(labels) == set(range(10))
    assert selector.n_covered_.sum() >= 1000
    assert len(few) < 400
    assert selector.memorizer_.score(X[:1000], Y[:1000]) == 1.0
    nearest = KNeighborsClassifier(1).fit(few, labels)
    assert nearest.score(X[1000:], Y[1000:]) > 0.8


def test_frames_and_sparse_rows_stay_what_they_are():
    pandas = needs("pandas")
    frame = pandas.DataFrame(X[:300], columns=[f"pixel {k}" for k in range(64)])
    labels = pandas.Series(Y[:300].astype(str), index=frame.index)
    selector = PrototypeSelector(random_state=0)
    few, names = selector.fit_resample(frame, labels)
    assert list(few.index) == list(names.index) == selector.sample_indices_.tolist()
    assert selector.feature_names_in_.tolist() == list(frame.columns)
    again = PrototypeSelector(random_state=0)
    rows, _ = again.fit_resample(sparse.csr_array(X[:300]), Y[:300])
    assert sparse.issparse(rows)
    np.testing.assert_array_equal(again.sample_indices_, selector.sample_indices_)


def test_one_sample_stands_for_a_single_class():
    few, labels = PrototypeSelector().fit_resample(X[:7], np.zeros(7))
    np.testing.assert_array_equal(few, X[:1])
    assert labels.tolist() == [0]
