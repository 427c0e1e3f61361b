"""Probabilities: rows sum to one, led by the predicted class, the same in any batch."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from support.estimators import CLASSIFIERS, VARIANTS, kind_of, new
from support.samples import random_labels

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize._estimator._probabilities import (
    ONE_OBSERVATION,
    Softmax,
    class_numbers,
    exponential,
    logarithm,
    one_observation,
    probabilities,
    shares,
)

CLASSIFYING = [variant for variant in VARIANTS if kind_of(variant) in CLASSIFIERS]
NAMES = np.array(list("dacbe"))  # not in order
EPSILON = np.finfo(float).eps


def trained(variant, n_classes, n_samples=150):
    X, y = random_labels(n_samples, 3, n_classes)
    return new(variant).fit(X, NAMES[y]), X


def check_distributions(estimator, X):
    """Compare with `predict`, row by row."""
    found = estimator.predict_proba(X)
    n_classes = len(estimator.classes_)
    assert found.shape == (X.shape[0], n_classes)
    assert found.dtype == np.float64
    assert (found > 0).all()
    assert np.abs(found.sum(axis=1) - 1).max() <= 2 * n_classes * EPSILON
    answers = estimator.classes_[found.argmax(axis=1)]
    np.testing.assert_array_equal(answers, estimator.predict(X))
    logarithms = estimator.predict_log_proba(X)
    assert np.isfinite(logarithms).all()
    np.testing.assert_allclose(logarithms, np.log(found), rtol=4 * EPSILON, atol=0)


@pytest.mark.parametrize("n_classes", [1, 2, 5])
@pytest.mark.parametrize("variant", CLASSIFYING)
def test_the_predicted_class_is_the_most_probable_one(variant, n_classes):
    estimator, X = trained(variant, n_classes)
    unseen = 2 * np.random.default_rng(1).standard_normal((500, 3))
    for rows in (X, unseen, 1e300 * unseen, 0 * unseen[:1]):
        check_distributions(estimator, rows)


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("decision", ["vote", "network"])
@pytest.mark.parametrize("activation", ["threshold", "relu"])
def test_every_rule_of_coverings_leads_to_probabilities(
    activation, decision, one_sided
):
    X, y = random_labels(150, 3, 2)
    estimator = MemorizingClassifier(
        n_hyperplanes=16,  # ties and rows at which nobody fires
        activation=activation,
        decision=decision,
        one_sided=one_sided,
        random_state=0,
    )
    with pytest.warns(match="does not suffice"):
        estimator.fit(X, y)
    check_distributions(
        estimator, 2 * np.random.default_rng(1).standard_normal((2000, 3))
    )


@pytest.mark.slow
@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_most_probable_class_is_predicted_in_a_million_rows(name, n_classes):
    # NearbySetClassifier and BitExtractionClassifier take long for each row.
    n_samples = {"NearbySetClassifier": 40, "BitExtractionClassifier": 40}.get(name, 90)
    estimator, X = trained(name, n_classes, n_samples)
    rng = np.random.default_rng(2)
    for _ in range(10):
        rows = X[rng.integers(len(X), size=100_000)]
        check_distributions(estimator, rows + 0.5 * rng.standard_normal(rows.shape))


def both(estimator, rows):
    return np.hstack([estimator.predict_proba(rows), estimator.predict_log_proba(rows)])


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("variant", CLASSIFYING)
def test_a_row_gets_the_same_bytes_alone_and_in_a_batch(variant, n_classes):
    estimator, X = trained(variant, n_classes)
    rng = np.random.default_rng(1)
    rows = np.concatenate([X[:20], rng.standard_normal((40, 3))]).astype(np.float32)
    rows[np.abs(rows) < 0.3] = 0.0
    expected = both(estimator, rows)
    order = rng.permutation(len(rows))
    ways = {
        "alone": np.vstack([both(estimator, row[None]) for row in rows]),
        "two by two": np.vstack([both(estimator, part) for part in np.split(rows, 30)]),
        "double": both(estimator, rows.astype(np.float64)),
        "Fortran": both(estimator, np.asfortranarray(rows)),
        "strided": both(estimator, np.repeat(rows, 2, axis=1)[:, ::2]),
        "sparse": both(estimator, sparse.csr_array(rows)),
        "shuffled": both(estimator, rows[order])[np.argsort(order)],
        "many": both(estimator, np.tile(rows, (300, 1)))[-len(rows) :],
    }
    if "n_jobs" in estimator.get_params():
        two = estimator.__sklearn_clone__()
        ways["two jobs"] = both(
            two.set_params(n_jobs=2).fit(X, estimator.predict(X)), rows
        )
    for way, found in ways.items():
        assert found.tobytes() == expected.tobytes(), way


@pytest.mark.parametrize("rule", [ONE_OBSERVATION, Softmax(7.0)])
@pytest.mark.parametrize("n_classes", [2, 3, 10, 33])
def test_a_million_scores_get_the_same_bytes_in_blocks_of_any_length(rule, n_classes):
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((10**6 // n_classes, n_classes))
    whole = probabilities(rule, scores)
    logarithms = logarithm(whole)
    for start in (0, 1, 3):
        for step in (1, 2, 7, 129, 4099):
            stop = start + min(len(scores), 200 * step)
            for first in range(start, stop, step):
                part = np.array(scores[first : first + step])
                again = probabilities(rule, part)
                assert again.tobytes() == whole[first : first + step].tobytes()
                expected = logarithms[first : first + step].tobytes()
                assert logarithm(again).tobytes() == expected


@given(rows=st.lists(st.integers(0, 4), max_size=20), n_classes=st.integers(2, 5))
def test_one_observation_needs_no_scores(rows, n_classes):
    numbers = np.array(rows, dtype=np.intp) % n_classes
    scores = np.eye(n_classes)[numbers]
    found = one_observation(numbers, n_classes)
    assert found.tobytes() == probabilities(ONE_OBSERVATION, scores).tobytes()


def test_the_exponential_is_right_to_the_last_digits():
    x = -np.concatenate([np.linspace(0, 1, 10_001), np.geomspace(1e-300, 700, 100_000)])
    found = exponential(x)
    np.testing.assert_allclose(found, np.exp(x), rtol=4 * EPSILON)
    assert exponential(np.zeros(3)).tolist() == [1.0, 1.0, 1.0]
    assert (exponential(np.array([-1e308, -701.0])) == math.exp(-700)).all()
    assert (found > 0).all()
    assert (found <= 1).all()
    # The same values in any place, at any distance from each other.
    for shift in range(1, 20):
        assert exponential(x[shift:]).tobytes() == found[shift:].tobytes()
    assert exponential(x[::3]).tobytes() == found[::3].tobytes()


@given(st.lists(st.floats(1e-300, 1.0), min_size=1, max_size=40))
def test_the_logarithm_is_right_to_the_last_digits(values):
    found = logarithm(np.array([values]))
    np.testing.assert_allclose(found, np.log([values]), rtol=4 * EPSILON, atol=0)
    assert logarithm(np.ones((1, 2))).tolist() == [[0.0, 0.0]]


scores_of_any_size = st.lists(
    st.lists(
        st.one_of(
            st.sampled_from([0.0, -0.0, 1.0, 1.0 + EPSILON, 5e-324, 2.0**500]),
            st.floats(-(2.0**500), 2.0**500),
        ),
        min_size=6,
        max_size=6,
    ),
    min_size=1,
    max_size=10,
)


@pytest.mark.parametrize("rule", [ONE_OBSERVATION, Softmax(1.0), Softmax(128.0)])
@given(rows=scores_of_any_size, n_classes=st.integers(1, 6))
def test_ties_and_near_ties_go_to_the_predicted_class(rule, rows, n_classes):
    scores = np.array(rows)[:, :n_classes]
    scores = scores[:, 0] if n_classes == 1 else scores
    found = probabilities(rule, scores)
    assert (found.argmax(axis=1) == class_numbers(scores)).all()
    assert np.abs(found.sum(axis=1) - 1).max() < 1e-14
    assert (found > 0).all()


@given(
    weights=st.lists(st.floats(1e-300, 1e300), min_size=2, max_size=9),
    number=st.integers(0, 8),
)
def test_any_class_can_be_made_to_lead(weights, number):
    number %= len(weights)
    found = shares(np.array([weights]), np.array([number]))
    assert found.argmax() == number
    assert abs(sum(map(Fraction, found[0].tolist())) - 1) < Fraction(1, 10**14)


def test_an_answer_without_margins_counts_as_one_observation():
    X, y = random_labels(60, 3, 5)
    estimator = new("SlabClassifier").fit(X, y)
    found = estimator.predict_proba(X)
    np.testing.assert_allclose(found, (1 + np.eye(5)[y]) / 6, rtol=4 * EPSILON)


def test_votes_that_are_surer_have_larger_probabilities():
    X, y = random_labels(200, 3, 2)
    estimator = new("MemorizingClassifier").fit(X, y)
    scores = np.abs(estimator.decision_function(X))
    most = estimator.predict_proba(X).max(axis=1)
    assert (np.diff(most[np.argsort(scores)]) >= 0).all()


@pytest.mark.parametrize("container", [np.array, list, sparse.csr_array, "pandas"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_several_labels_for_a_sample_are_refused_with_a_remedy(name, container):
    X, y = random_labels(40, 3, 2)
    several = np.column_stack([y, 1 - y, X[:, 0] > 0]).astype(int)
    if container == "pandas":
        several = pytest.importorskip("pandas").DataFrame(several)
    else:
        several = several.tolist() if container is list else container(several)
    estimator = new(name)
    before = dict(vars(estimator))
    with pytest.raises(ValueError, match="3 labels.*MultiOutputClassifier.*Chain"):
        estimator.fit(X, several)
    assert vars(estimator) == before
    if hasattr(estimator, "partial_fit"):
        with pytest.raises(ValueError, match="3 labels.*MultiOutputClassifier"):
            clone(estimator).partial_fit(X, several, classes=[0, 1])
