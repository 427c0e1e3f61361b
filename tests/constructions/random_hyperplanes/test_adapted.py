"""Hyperplanes that look at the data: what they depend on, and what they recall."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_digits, load_wine, make_classification
from sklearn.preprocessing import StandardScaler

from sklearn_memorize import MemorizingClassifier


def arrays_of(clf):
    """Return what is fitted, to be compared bit by bit."""
    network = clf.network_
    arrays = [clf.sample_indices_, clf.coverage_, network.quorum]
    for covering in network.coverings:
        layer = covering.hyperplanes.layer()
        arrays += [layer.weights, layer.biases, covering.masks, covering.bounds]
    if network.calibration is not None:
        arrays += [network.calibration.scale, network.calibration.offsets]
    return [
        part.toarray() if sparse.issparse(part) else np.asarray(part) for part in arrays
    ]


def assert_same(one, other, but_for_rows=False):
    pairs = zip(arrays_of(one), arrays_of(other), strict=True)
    for number, (first, second) in enumerate(pairs):
        if number or not but_for_rows:
            assert np.array_equal(first, second)


def data():
    return make_classification(
        300, 20, n_informative=5, n_redundant=3, n_classes=3, random_state=0
    )


@pytest.fixture(scope="module")
def reference():
    X, y = data()
    return MemorizingClassifier(hyperplanes="adapted", random_state=0).fit(X, y)


def test_the_network_depends_on_seed_and_content_alone(reference):
    X, y = data()
    order = np.random.default_rng(0).permutation(len(y))
    same = MemorizingClassifier(hyperplanes="adapted", random_state=0)
    assert_same(reference, same.set_params(n_jobs=2).fit(X, y))
    assert_same(reference, same.fit(np.asfortranarray(X), y))
    assert_same(reference, same.fit(sparse.csr_array(X), y))
    assert_same(reference, same.fit(X[order], y[order]), but_for_rows=True)
    other = MemorizingClassifier(hyperplanes="adapted", random_state=1).fit(X, y)
    assert not np.array_equal(arrays_of(reference)[3], arrays_of(other)[3])


def test_single_precision_copies_give_the_same_network():
    X, y = data()
    single = X.astype(np.float32)
    one = MemorizingClassifier(hyperplanes="adapted", random_state=0).fit(single, y)
    assert_same(
        one,
        MemorizingClassifier(hyperplanes="adapted", random_state=0).fit(
            single.astype(float), y
        ),
    )


def test_a_row_gets_one_answer(reference):
    X, _ = data()
    X = X + np.random.default_rng(1).normal(0, 1, X.shape)
    probabilities = reference.predict_proba(X)
    for rows in (slice(0, 1), slice(5, 80), slice(None, None, -1)):
        assert np.array_equal(reference.predict_proba(X[rows]), probabilities[rows])
    assert np.array_equal(reference.predict_proba(sparse.csr_array(X)), probabilities)
    assert np.allclose(probabilities.sum(axis=1), 1.0)
    answers = reference.classes_[probabilities.argmax(axis=1)]
    assert np.array_equal(answers, reference.predict(X))


def test_the_textbook_form_recalls_the_training_set(reference):
    X, y = data()
    outputs = X
    for layer in reference.network_.layers:
        potential = outputs @ layer.weights.T + layer.biases
        outputs = (potential > 0).astype(float)
    assert (outputs.argmax(axis=1) == y).all()
    assert (outputs.sum(axis=1) == 1).all()


def test_units_of_features_hardly_matter():
    X, y = load_wine(return_X_y=True)
    scaled = StandardScaler().fit_transform(X)
    powers = np.ldexp(scaled, np.arange(-6, 7))
    one = MemorizingClassifier(hyperplanes="adapted", random_state=0).fit(
        scaled[::2], y[::2]
    )
    other = MemorizingClassifier(hyperplanes="adapted", random_state=0).fit(
        powers[::2], y[::2]
    )
    agree = one.predict(scaled[1::2]) == other.predict(powers[1::2])
    assert agree.mean() > 0.97


@pytest.mark.parametrize("options", [{}, {"activation": "relu"}, {"n_draws": 1}])
def test_the_quorum_is_the_smallest_number_of_draws_that_cover_a_sample(options):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 12, (140, 2)).astype(float)
    X, first = np.unique(X, axis=0, return_index=True)
    y = rng.integers(0, 2, len(X))
    clf = MemorizingClassifier(hyperplanes="adapted", random_state=0, **options).fit(
        X, y
    )
    fires = [
        c.fires(c.hyperplanes.encode(X, c.activation)) for c in clf.network_.coverings
    ]
    own = np.sum([part[np.arange(len(y)), y] for part in fires], axis=0)
    assert clf.network_.quorum == own.min() >= 1
    others = np.sum([part[np.arange(len(y)), 1 - y] for part in fires], axis=0)
    assert (others == 0).all()
    assert clf.interpolates_ and clf.score(X, y) == 1.0


@given(
    st.lists(
        st.tuples(
            st.floats(-1e300, 1e300) | st.floats(-3, 3) | st.integers(-2, 2),
            st.floats(-3, 3) | st.sampled_from((0.0, 5e-324, -5e-324, 1.0)),
            st.integers(0, 2),
        ),
        min_size=1,
        max_size=25,
    )
)
@example([(0.0, 0.0, 0), (9.999999002079859e299, 0.0, 1), (9.9999989e299, 0.0, 0)])
@settings(max_examples=60, deadline=None)
@pytest.mark.filterwarnings("error", "ignore:.*several labels")
def test_every_sample_is_recalled(samples):
    X = np.array([sample[:2] for sample in samples], dtype=np.float64)
    y = np.array([sample[2] for sample in samples])
    clf = MemorizingClassifier(hyperplanes="adapted", n_draws=2, random_state=0).fit(
        X, y
    )
    assert clf.interpolates_


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("activation", ["threshold", "relu"])
@pytest.mark.parametrize("covering", ["random", "greedy"])
def test_all_options_recall(one_sided, activation, covering):
    X, y = data()
    y = y > 0
    clf = MemorizingClassifier(
        one_sided=one_sided,
        activation=activation,
        covering=covering,
        prune=True,
        n_draws=3,
        random_state=0,
    ).fit(X, y)
    assert clf.interpolates_ and clf.score(X, y) == 1.0


def test_batches_are_recalled_and_others_predicted():
    X, y = load_digits(return_X_y=True)
    clf = MemorizingClassifier(hyperplanes="adapted", n_draws=4, random_state=0)
    for rows in np.array_split(np.arange(600), 3):
        clf.partial_fit(X[rows], y[rows], classes=np.arange(10))
        assert clf.interpolates_
    assert clf.score(X[:600], y[:600]) == 1.0
    assert clf.score(X[600:], y[600:]) > 0.9
    assert 0.9 < clf.loo_score_ < 1.0


def test_rare_classes_are_surveyed():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((12_000, 2))
    y = np.zeros(len(X), dtype=int)
    y[:2] = 1
    clf = MemorizingClassifier(hyperplanes="adapted", n_draws=2, random_state=0).fit(
        X, y
    )
    assert clf.interpolates_


def test_random_hyperplanes_stay_as_they_are():
    """What the paper draws does not depend on what adapted hyperplanes look at."""
    X, y = data()
    clf = MemorizingClassifier(
        hyperplanes="random", n_draws=4, n_votes=3, random_state=0
    ).fit(X, y)
    assert clf.network_.widths[0] == 4000
    weights = clf.network_.layers[0].weights
    assert (weights != 0).all()
    assert abs(weights.std() - 1) < 0.02
