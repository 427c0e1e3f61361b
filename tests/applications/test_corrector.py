"""A corrected classifier answers every known case right, and moves no known answer."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks
from support.needs import needs

from sklearn_memorize.applications import MemorizingCorrector
from sklearn_memorize.exceptions import ConflictingLabelsWarning, InterpolationError

DIGITS = load_digits(return_X_y=True)
CANCER = load_breast_cancer(return_X_y=True)
BASES = [
    LogisticRegression(C=1e-4, max_iter=1000),
    make_pipeline(StandardScaler(), LogisticRegression(C=1e-3)),
    RandomForestClassifier(20, max_depth=3, random_state=0),
    HistGradientBoostingClassifier(max_iter=2, max_depth=2),
    DecisionTreeClassifier(max_depth=2),
    GaussianNB(),
    DummyClassifier(),
]
OPTIONS = [
    {},
    {"n_draws": 1},
    {"hyperplanes": "adapted"},
    {"reach": "narrow"},
    {"reach": "wide", "hyperplanes": "adapted"},
]


def corrector(base, **options):
    return MemorizingCorrector(base, **{"random_state": 0, **options})


@parametrize_with_checks(
    [
        corrector(LogisticRegression()),
        corrector(DecisionTreeClassifier(max_depth=1), hyperplanes="adapted"),
    ]
)
def test_scikit_learn_estimator_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("data", [DIGITS, CANCER], ids=["digits", "cancer"])
@pytest.mark.parametrize("base", BASES, ids=lambda base: type(base).__name__)
def test_every_known_case_is_answered_right(base, data, options):
    X, y = (array[:400] for array in data)
    frozen = FrozenEstimator(clone(base).fit(X[:100], y[:100]))
    patched = corrector(frozen, **options).fit(X, y)
    said = frozen.predict(X)
    assert (said != y).any()
    assert (patched.predict(X) == y).all()
    assert patched.interpolates_
    # Corrections act at the known errors, and at no case that the model gets right.
    np.testing.assert_array_equal(patched.acts_on(X), said != y)
    assert patched.n_errors_ == np.count_nonzero(said != y)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_after_each_call_all_cases_so_far_are_right(options):
    X, y = DIGITS
    model = FrozenEstimator(RidgeClassifier().fit(X[:200], y[:200]))
    patched = corrector(model, **options)
    for start in range(0, 1000, 125):
        patched.correct(X[start : start + 125], y[start : start + 125])
        n = start + 125
        assert (patched.predict(X[:n]) == y[:n]).all()
        np.testing.assert_array_equal(
            patched.acts_on(X[:n]), model.predict(X[:n]) != y[:n]
        )
        assert patched.n_cases_ == n


def test_where_no_correction_acts_the_model_answers():
    X, y = DIGITS
    model = LogisticRegression(C=1e-4).fit(X[:400], y[:400])
    patched = corrector(FrozenEstimator(model), n_draws=1).fit(X[:400], y[:400])
    new = X[400:]
    acts = patched.acts_on(new)
    assert 0 < np.count_nonzero(acts) < len(new)
    for name in ("predict", "predict_proba", "decision_function"):
        theirs, ours = getattr(model, name)(new), getattr(patched, name)(new)
        np.testing.assert_array_equal(ours[~acts], theirs[~acts])
        assert (ours[acts] != theirs[acts]).any()


@pytest.mark.parametrize("n_classes", [2, 10])
def test_probabilities_and_scores_name_the_class_that_is_predicted(n_classes):
    X, y = DIGITS
    X, y = X[y < n_classes], y[y < n_classes]
    model = LogisticRegression(C=1e-6).fit(X, y)
    rng = np.random.default_rng(0)
    new = rng.choice(n_classes, len(y))
    patched = corrector(FrozenEstimator(model)).fit(X, new)
    assert patched.acts_on(X).mean() > 0.3
    shares = patched.predict_proba(X)
    np.testing.assert_array_equal(shares.argmax(axis=1), new)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    np.testing.assert_array_equal(patched.predict_log_proba(X), np.log(shares))
    scores = patched.decision_function(X)
    named = scores > 0 if n_classes == 2 else scores.argmax(axis=1)
    np.testing.assert_array_equal(named, new)


def test_what_the_model_lacks_the_corrector_lacks():
    X, y = DIGITS
    patched = corrector(RidgeClassifier()).fit(X[:200], y[:200])
    assert not hasattr(patched, "predict_proba")
    assert hasattr(patched, "decision_function")
    assert not hasattr(corrector(GaussianNB()), "decision_function")
    pairs = SVC(decision_function_shape="ovo").fit(X[:200], y[:200])
    patched = corrector(FrozenEstimator(pairs)).fit(X[:300], y[:300])
    with pytest.raises(ValueError, match='decision_function_shape="ovr"'):
        patched.decision_function(X[:5])


def test_labels_that_the_model_does_not_know_become_classes():
    X, y = DIGITS
    known = y < 8
    model = LogisticRegression(C=1e-3, max_iter=500).fit(X[known][:300], y[known][:300])
    patched = corrector(FrozenEstimator(model)).fit(X[:300], y[:300])
    assert patched.classes_.tolist() == list(range(10))
    assert (patched.predict(X[:300]) == y[:300]).all()
    assert patched.predict_proba(X[:300]).shape == (300, 10)
    np.testing.assert_array_equal(
        patched.predict_proba(X[:300]).argmax(axis=1), y[:300]
    )
    scores = patched.decision_function(X[:300])
    np.testing.assert_array_equal(scores.argmax(axis=1), y[:300])
    with pytest.raises(ValueError, match=r"does not know: \[11\]"):
        patched.correct(X[300:301], [11])


def test_two_classes_may_become_three():
    X, y = DIGITS
    X, y = X[y < 3][:200], y[y < 3][:200]
    model = LogisticRegression(max_iter=500).fit(X[y < 2], y[y < 2])
    patched = corrector(FrozenEstimator(model)).fit(X, y)
    scores = patched.decision_function(X)
    assert scores.shape == (200, 3)
    np.testing.assert_array_equal(scores.argmax(axis=1), y)


def test_a_model_that_is_not_frozen_is_fitted_and_left_alone_afterwards():
    X, y = DIGITS
    base = LogisticRegression(C=1e-5)
    patched = corrector(base).fit(X[:300], y[:300])
    assert not hasattr(base, "coef_")
    before = patched.estimator_.coef_.copy()
    patched.correct(X[300:600], y[300:600])
    np.testing.assert_array_equal(patched.estimator_.coef_, before)
    assert patched.score(X[:600], y[:600]) == 1.0


def test_a_model_has_to_be_fitted_by_someone():
    X, y = DIGITS
    with pytest.raises(NotFittedError, match="FrozenEstimator"):
        corrector(LogisticRegression()).correct(X, y)
    with pytest.raises(NotFittedError):
        corrector(LogisticRegression()).predict(X)


@pytest.mark.parametrize("steps", [(), (StandardScaler(),)], ids=["alone", "pipeline"])
def test_a_fitted_model_that_is_not_frozen_is_refused_before_it_is_asked(steps):
    X, y = DIGITS
    model = make_pipeline(*steps, GaussianNB()).fit(X, y)
    with pytest.raises(NotFittedError, match="FrozenEstimator"):
        corrector(model if steps else model[-1]).correct(X, y)


def test_text_and_numbers_are_told_apart_by_what_the_transformer_makes_of_them():
    pandas = needs("pandas", "pandas")
    rng = np.random.default_rng(0)
    colors = rng.choice(["red", "green", "blue"], 300)
    sizes = rng.standard_normal(300).round(3)
    frame = pandas.DataFrame({"color": colors, "size": sizes})
    y = np.where((colors == "red") ^ (sizes > 0.3), "yes", "no")
    from sklearn.compose import make_column_transformer

    encoder = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["color"]), (StandardScaler(), ["size"])
    )
    model = make_pipeline(encoder, LogisticRegression()).fit(frame[:200], y[:200])
    with pytest.raises(ValueError, match="Set transformer="):
        corrector(FrozenEstimator(model)).fit(frame[:200], y[:200])
    view = FrozenEstimator(model[:-1])
    patched = corrector(FrozenEstimator(model), transformer=view)
    patched.fit(frame[:200], y[:200])
    assert patched.score(frame[:200], y[:200]) == 1.0
    assert patched.correct(frame[200:], y[200:]).score(frame, y) == 1.0
    assert patched.feature_names_in_.tolist() == ["color", "size"]
    names = patched.predict(frame[:3])
    assert names.tolist() == y[:3].tolist()


class Rounding(BaseEstimator):
    """Gives a row other numbers when it comes alone."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return X + (1e-16 if len(X) == 1 else 0.0)


def test_a_transformer_that_looks_at_the_batch_is_refused():
    X, y = DIGITS
    with pytest.raises(ValueError, match=r"gives row \d+ other numbers alone"):
        corrector(GaussianNB(), transformer=Rounding()).fit(X[:100], y[:100])


class Moody(ClassifierMixin, BaseEstimator):
    """Says something else each time."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.mood = 0
        return self

    def predict(self, X):
        self.mood += 1
        return np.full(len(X), self.classes_[self.mood % 2])


def test_a_model_that_contradicts_itself_is_found_out():
    X, y = CANCER
    with pytest.raises(InterpolationError, match="are not answered by their labels"):
        corrector(Moody()).fit(X[:100], y[:100])


# Contradictory cases.


def test_contradictory_cases_are_named():
    X, y = DIGITS
    model = FrozenEstimator(GaussianNB().fit(X[:300], y[:300]))
    X_bad = np.vstack([X[:5], X[2:3]])
    y_bad = np.append(y[:5], (y[2] + 1) % 10)
    strict = corrector(model, conflicts="raise")
    with pytest.raises(ValueError, match=r"Rows \[2\] look the same"):
        strict.fit(X_bad, y_bad)
    strict.fit(X[:5], y[:5])
    before = copy.deepcopy(vars(strict))
    with pytest.raises(ValueError, match=r"Rows \[1\] look the same"):
        strict.correct(X[[7, 2]], [y[7], (y[2] + 1) % 10])
    assert vars(strict).keys() == before.keys()
    assert strict.n_cases_ == 5
    assert strict.score(X[:5], y[:5]) == 1.0


def test_of_contradictory_cases_the_last_one_holds():
    X, y = DIGITS
    model = FrozenEstimator(GaussianNB().fit(X[:300], y[:300]))
    patched = corrector(model)
    with pytest.warns(ConflictingLabelsWarning, match=r"\[2\]"):
        patched.fit(X[[0, 1, 2, 2]], [*y[:3], (y[2] + 1) % 10])
    assert patched.predict(X[2:3]) == (y[2] + 1) % 10
    with pytest.warns(ConflictingLabelsWarning, match=r"\[0\]"):
        patched.correct(X[[2, 3]], [(y[2] + 2) % 10, y[3]])
    assert patched.predict(X[:4]).tolist() == [y[0], y[1], (y[2] + 2) % 10, y[3]]
    assert patched.n_cases_ == 6
    assert 2 not in patched.corrections_.case


def test_cases_that_come_again_change_nothing():
    X, y = DIGITS
    model = FrozenEstimator(GaussianNB().fit(X[:300], y[:300]))
    patched = corrector(model, conflicts="raise").fit(X[:400], y[:400])
    answers = patched.predict(X)
    patched.correct(X[:400], y[:400])
    np.testing.assert_array_equal(patched.predict(X), answers)


# Hostile data.


@settings(max_examples=40)
@given(
    n_samples=st.integers(1, 40),
    n_features=st.integers(1, 4),
    n_classes=st.integers(1, 6),
    exponent=st.integers(-150, 150),
    scales=st.lists(st.integers(-60, 60), min_size=4, max_size=4),
    seed=st.integers(0, 1000),
    options=st.sampled_from(OPTIONS),
)
def test_cases_of_any_scale_are_answered_right(
    n_samples, n_features, n_classes, exponent, scales, seed, options
):
    rng = np.random.default_rng(seed)
    X = rng.integers(-8, 9, (n_samples, n_features)) * 10.0**exponent
    X *= 2.0 ** np.array(scales[:n_features])
    X, first = np.unique(X, axis=0, return_index=True)
    y = rng.integers(n_classes, size=n_samples)[first]
    base = FrozenEstimator(DummyClassifier().fit([[0]], [0]))
    half = -(-len(y) // 2)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes")
        patched = corrector(base, **options).fit(X, y)
        assert (patched.predict(X) == y).all()
        patched = corrector(base, **options).fit(X[:half], y[:half])
        known = np.isin(y, patched.classes_)
        patched.correct(X[known], y[known])
        assert (patched.predict(X[known]) == y[known]).all()


def test_the_next_number_is_another_case():
    X = np.random.default_rng(0).standard_normal((30, 3))
    near = np.nextafter(X, np.inf)
    y = np.arange(30) % 2
    rows, labels = np.vstack([X, near]), np.concatenate([y, 1 - y])
    base = FrozenEstimator(DummyClassifier().fit([[0]], [0]))
    patched = corrector(base).fit(rows, labels)
    assert (patched.predict(rows) == labels).all()
    patched = corrector(base).fit(X, y)
    patched.correct(near, 1 - y)
    assert (patched.predict(rows) == labels).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_and_dense_cases_get_the_same_answers(dtype):
    X, y = DIGITS
    X = X.astype(dtype)
    model = FrozenEstimator(LogisticRegression(C=1e-4).fit(X[:300], y[:300]))
    dense = corrector(model).fit(X[:400], y[:400])
    rows = sparse.csr_array(X)
    from_sparse = corrector(model).fit(rows[:400], y[:400])
    np.testing.assert_array_equal(from_sparse.acts_on(rows), dense.acts_on(X))
    assert from_sparse.score(rows[:400], y[:400]) == 1.0


def test_the_answer_of_a_row_does_not_depend_on_the_batch():
    X, y = DIGITS
    model = FrozenEstimator(DecisionTreeClassifier(max_depth=4).fit(X[:300], y[:300]))
    patched = corrector(model, n_draws=1).fit(X[:600], y[:600])
    together = patched.predict(X)
    assert [patched.predict(X[[i]])[0] for i in range(0, 1797, 50)] == together[
        ::50
    ].tolist()
    np.testing.assert_array_equal(patched.predict(X[::-1])[::-1], together)
    parallel = corrector(model, n_draws=1, n_jobs=2).fit(X[:600], y[:600])
    np.testing.assert_array_equal(parallel.predict(X), together)


# What a correction stands for.


def test_each_correction_stands_for_a_known_error():
    X, y = DIGITS
    model = FrozenEstimator(LogisticRegression(C=1e-4).fit(X[:300], y[:300]))
    patched = corrector(model).fit(X[:600], y[:600])
    patched.correct(X[600:900], y[600:900])
    found = patched.corrections_
    errors = np.flatnonzero(model.predict(X[:900]) != y[:900])
    assert np.isin(found.case, errors).all()
    np.testing.assert_array_equal(found.label, y[found.case])
    assert (found.n_covered >= 1).all()
    assert set(found.draw) == {0, 1}
    # In each draw the corrections cover all errors.
    for draw in (0, 1):
        assert found.n_covered[found.draw == draw].sum() >= len(errors)


def test_samples_of_no_weight_are_no_cases():
    X, y = DIGITS
    weights = (np.arange(300) % 3 > 0).astype(float)
    patched = corrector(LogisticRegression(C=1e-4)).fit(X[:300], y[:300], weights)
    right = patched.predict(X[:300]) == y[:300]
    assert right[weights > 0].all()
    assert not right.all()
    assert not np.isin(patched.corrections_.case, np.flatnonzero(weights == 0)).any()
    from sklearn.neighbors import KNeighborsClassifier

    with pytest.raises(ValueError, match="does not take it"):
        corrector(KNeighborsClassifier()).fit(X[:300], y[:300], weights)


# Storage.


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_stored_corrector_answers_the_same_and_goes_on(options):
    X, y = DIGITS
    model = FrozenEstimator(LogisticRegression(C=1e-4).fit(X[:300], y[:300]))
    patched = corrector(model, **options).fit(X[:400], y[:400])
    other = pickle.loads(pickle.dumps(patched))
    np.testing.assert_array_equal(other.predict(X), patched.predict(X))
    for each in (patched, other):
        each.correct(X[400:700], y[400:700])
    np.testing.assert_array_equal(other.predict(X), patched.predict(X))
    np.testing.assert_array_equal(other.corrections_.case, patched.corrections_.case)


def test_a_damaged_file_is_refused():
    X, y = DIGITS
    patched = corrector(GaussianNB()).fit(X[:200], y[:200])
    state = patched.__getstate__()
    del state["memory_"]
    with pytest.raises(ValueError, match="it lacks memory_"):
        corrector(GaussianNB()).__setstate__(state)


def test_narrow_corrections_act_at_fewer_other_samples():
    X, y = DIGITS
    model = FrozenEstimator(LogisticRegression(C=1e-5).fit(X[:500], y[:500]))
    acts = {}
    for reach in ("wide", "narrow"):
        patched = corrector(model, reach=reach).fit(X[:900], y[:900])
        assert patched.reach_ == reach
        acts[reach] = patched.acts_on(X[900:])
    assert acts["narrow"].sum() < acts["wide"].sum()


def test_the_reach_is_narrow_where_errors_are_a_matter_of_chance():
    X, y = DIGITS
    model = LogisticRegression(C=1e-5).fit(X[:500], y[:500])
    patched = corrector(FrozenEstimator(model)).fit(X[:900], y[:900])
    assert patched.reach_ == "wide"
    rng = np.random.default_rng(0)
    wrong = rng.random(900) < 0.3
    labels = np.where(wrong, rng.integers(0, 10, 900), model.predict(X[:900]))
    patched = corrector(FrozenEstimator(model)).fit(X[:900], labels)
    assert patched.reach_ == "narrow"
    assert (patched.predict(X[:900]) == labels).all()


def test_the_reach_is_chosen_again_when_known_cases_have_doubled():
    X, y = DIGITS
    model = LogisticRegression(C=1e-5).fit(X[:500], y[:500])
    labels = model.predict(X)
    labels[:300:3] = (labels[:300:3] + 1) % 10
    patched = corrector(FrozenEstimator(model)).correct(X[:300], labels[:300])
    assert patched.reach_ == "narrow"
    patched.correct(X[300:400], y[300:400])
    assert patched.reach_ == "narrow"
    patched.correct(X[400:], y[400:])
    assert patched.reach_ == "wide"
