"""A corrected regressor meets every known target, and moves no known answer."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_diabetes
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_memorize.applications import MemorizingCorrectorRegressor
from sklearn_memorize.exceptions import ConflictingLabelsWarning

X, Y = load_diabetes(return_X_y=True)
BASES = [
    Ridge(),
    make_pipeline(StandardScaler(), Ridge()),
    RandomForestRegressor(10, random_state=0),
    DecisionTreeRegressor(max_depth=3),
    DummyRegressor(),
]


@parametrize_with_checks(
    [
        MemorizingCorrectorRegressor(Ridge()),
        MemorizingCorrectorRegressor(Ridge(), reach=0),
    ]
)
def test_scikit_learn_estimator_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("tolerance", [0.0, 30.0])
@pytest.mark.parametrize("base", BASES, ids=lambda base: type(base).__name__)
def test_every_known_target_is_met(base, tolerance):
    model = FrozenEstimator(base.fit(X[:200], Y[:200]))
    patched = MemorizingCorrectorRegressor(model, tolerance=tolerance)
    for stop in (200, 300, 442):
        start = patched.n_cases_ if hasattr(patched, "n_cases_") else 0
        patched.correct(X[start:stop], Y[start:stop])
        said, answers = model.predict(X[:stop]), patched.predict(X[:stop])
        missed = np.abs(said - Y[:stop]) > tolerance
        np.testing.assert_array_equal(answers[missed], Y[:stop][missed])
        np.testing.assert_array_equal(answers[~missed], said[~missed])
        np.testing.assert_array_equal(patched.acts_on(X[:stop]), missed)
        assert patched.n_errors_ == np.count_nonzero(missed)


def test_a_correction_moves_what_is_within_its_reach_and_nothing_else():
    model = FrozenEstimator(Ridge().fit(X[:300], Y[:300]))
    patched = MemorizingCorrectorRegressor(model, tolerance=50.0).fit(X[:300], Y[:300])
    found = patched.corrections_
    rng = np.random.default_rng(0)
    steps = rng.uniform(-1, 1, (len(found.case), X.shape[1]))
    steps[:, 0] = 1.0  # so that the largest difference is the step itself
    for factor, acts in ((0.99, True), (1.01, False)):
        near = X[found.case] + factor * found.reach[:, np.newaxis] * steps
        said, answers = model.predict(near), patched.predict(near)
        assert (patched.acts_on(near) == acts).all()
        np.testing.assert_array_equal(answers, said + found.shift if acts else said)


def test_no_known_case_is_within_reach_of_another():
    patched = MemorizingCorrectorRegressor(Ridge()).fit(X, Y)
    found = patched.corrections_
    apart = np.abs(X[:, np.newaxis] - X[found.case]).max(axis=2)
    apart[found.case, np.arange(len(found.case))] = np.inf
    assert (2 * found.reach <= apart.min(axis=0)).all()
    assert (found.reach > 0).all()


def test_the_reach_may_be_given():
    exact = MemorizingCorrectorRegressor(Ridge(), reach=0.0).fit(X, Y)
    assert (exact.corrections_.reach == 0).all()
    assert exact.score(X, Y) == 1.0
    assert not exact.acts_on(np.nextafter(X, np.inf)).any()
    near = MemorizingCorrectorRegressor(Ridge(), reach=1e-3).fit(X, Y)
    assert near.corrections_.reach.max() == 1e-3


@given(
    n_samples=st.integers(1, 40),
    n_features=st.integers(1, 4),
    exponent=st.integers(-300, 290),
    seed=st.integers(0, 1000),
)
def test_targets_of_any_scale_are_met(n_samples, n_features, exponent, seed):
    rng = np.random.default_rng(seed)
    points = rng.integers(-8, 9, (n_samples, n_features)) * 10.0**exponent
    points = np.unique(points, axis=0)
    targets = rng.standard_normal(len(points)) * 10.0 ** rng.integers(-100, 100)
    base = FrozenEstimator(DummyRegressor().fit([[0]], [0.0]))
    half = -(-len(points) // 2)
    patched = MemorizingCorrectorRegressor(base).fit(points[:half], targets[:half])
    assert (patched.predict(points[:half]) == targets[:half]).all()
    assert (patched.correct(points, targets).predict(points) == targets).all()


def test_the_next_number_is_another_case():
    points = np.random.default_rng(0).standard_normal((30, 3))
    near = np.nextafter(points, np.inf)
    rows, targets = np.vstack([points, near]), np.arange(60.0)
    patched = MemorizingCorrectorRegressor(DummyRegressor()).fit(rows, targets)
    assert (patched.predict(rows) == targets).all()
    smallest = np.array([[0.0], [5e-324], [1e-323]])
    patched = MemorizingCorrectorRegressor(DummyRegressor()).fit(smallest, [1, 2, 3])
    assert patched.predict(smallest).tolist() == [1, 2, 3]


def test_what_leaves_double_precision_is_refused():
    with pytest.raises(ValueError, match="Scale the features down"):
        MemorizingCorrectorRegressor(DummyRegressor()).fit([[1e308], [-1e308]], [1, 2])


def test_contradictory_cases_are_named_and_the_last_one_holds():
    model = FrozenEstimator(Ridge().fit(X, Y))
    strict = MemorizingCorrectorRegressor(model, conflicts="raise")
    with pytest.raises(ValueError, match=r"Rows \[1\] look the same"):
        strict.fit(X[[0, 1, 1]], [1.0, 2.0, 3.0])
    strict.fit(X[:2], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"Rows \[1\] look the same"):
        strict.correct(X[[2, 0]], [5.0, 6.0])
    assert strict.n_cases_ == 2
    assert strict.predict(X[:2]).tolist() == [1.0, 2.0]
    patched = MemorizingCorrectorRegressor(model)
    with pytest.warns(ConflictingLabelsWarning, match=r"\[1\]"):
        patched.fit(X[[0, 1, 1]], [1.0, 2.0, 3.0])
    with pytest.warns(ConflictingLabelsWarning, match=r"\[1\]"):
        patched.correct(X[[2, 0]], [5.0, 6.0])
    assert patched.predict(X[:3]).tolist() == [6.0, 3.0, 5.0]
    assert set(patched.corrections_.case) == {2, 3, 4}


def test_a_model_has_to_be_fitted_by_someone():
    with pytest.raises(NotFittedError, match="FrozenEstimator"):
        MemorizingCorrectorRegressor(Ridge()).correct(X, Y)


def test_models_of_several_targets_are_refused():
    model = FrozenEstimator(LinearRegression().fit(X, np.stack((Y, Y), axis=1)))
    with pytest.raises(ValueError, match="MultiOutputRegressor"):
        MemorizingCorrectorRegressor(model).fit(X, Y)


def test_sparse_and_dense_rows_get_the_same_answers():
    model = FrozenEstimator(DecisionTreeRegressor(max_depth=3).fit(X, Y))
    dense = MemorizingCorrectorRegressor(model).fit(X[:300], Y[:300])
    rows = sparse.csr_array(X)
    from_sparse = MemorizingCorrectorRegressor(model).fit(rows[:300], Y[:300])
    np.testing.assert_array_equal(from_sparse.predict(rows), dense.predict(X))


def test_a_stored_corrector_answers_the_same_and_goes_on():
    model = FrozenEstimator(Ridge().fit(X, Y))
    patched = MemorizingCorrectorRegressor(model).fit(X[:300], Y[:300])
    other = pickle.loads(pickle.dumps(patched))
    np.testing.assert_array_equal(other.predict(X), patched.predict(X))
    other.correct(X[300:], Y[300:])
    assert (other.predict(X) == Y).all()
