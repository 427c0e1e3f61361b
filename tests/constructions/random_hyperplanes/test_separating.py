"""Hyperplanes chosen from the data: any distinct rows are memorized."""

import time
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.pipeline import make_pipeline

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.constructions.random_hyperplanes._exact_hyperplanes import (
    AxisHyperplanes,
)
from sklearn_memorize.constructions.random_hyperplanes._hyperplane_layer import (
    HyperplaneLayer,
)
from sklearn_memorize.constructions.random_hyperplanes._separating import (
    separating_hyperplanes,
)
from sklearn_memorize.exceptions import InterpolationError, InterpolationWarning

# Wall clocks of busy machines are no measure: these are seconds of the processor.
MOST_SECONDS = 2.0

AFTER_ONE = np.nextafter(1.0, 2.0)


def lognormal_column(n=500):
    rng = np.random.default_rng(0)
    X = np.c_[rng.lognormal(10, 1, n), rng.normal(size=(n, 4))]
    return X, (X[:, 1] * X[:, 2] > 0).astype(int)


def iris_with_an_outlier():
    X, y = load_iris(return_X_y=True)
    X = X.copy()
    X[0, 0] = 1e6
    return X, y


def almost_equal():
    X = np.ones((2, 1000))
    X[1, 500] = AFTER_ONE
    return X, np.array([0, 1])


def of_all_scales():
    rng = np.random.default_rng(0)
    return 10.0 ** rng.uniform(-300, 300, (300, 4)), rng.integers(0, 2, 300)


def one_ulp_in_a_thousand():
    """Pairs of rows that differ in the last bit of one of 1,000 coordinates."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 1000))
    X[150:] = X[:150]
    X[150:, 7] = np.nextafter(X[:150, 7], 9.0)
    return X, np.repeat([0, 1], 150)


def lattice():
    axes = np.meshgrid(*[np.arange(10.0)] * 3)
    X = np.stack(axes, axis=-1).reshape(-1, 3)
    return X, np.random.default_rng(0).integers(0, 2, len(X))


HOSTILE = {
    "three": (np.array([[0.0], [1e-7], [1.0]]), np.array([0, 1, 0])),
    "a lognormal column": lognormal_column(),
    "an outlier": iris_with_an_outlier(),
    "time stamps": (1.7e18 + 1000.0 * np.arange(60)[:, None], np.arange(60) % 2),
    "beside ones": (np.c_[np.ones(60), 1e-19 * np.arange(60)], np.arange(60) % 2),
    "almost equal": almost_equal(),
    "an ulp in a thousand": one_ulp_in_a_thousand(),
    "all scales": of_all_scales(),
    "a lattice": lattice(),
}


def recalls(model, X, y) -> bool:
    """Return whether all rows are recalled, together and (some of them) alone."""
    some = range(min(10, X.shape[0]))
    alone = [model.predict(X[row : row + 1])[0] for row in some]
    together = model.predict(X)
    return (
        bool(model.interpolates_)
        and np.array_equal(together, y)
        and np.array_equal(alone, together[: len(alone)])
    )


@pytest.mark.parametrize("hyperplanes", ["random", "adapted"])
@pytest.mark.parametrize("activation", ["threshold", "relu"])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_data_are_recalled_without_delay(name, activation, hyperplanes):
    X, y = HOSTILE[name]
    model = MemorizingClassifier(
        hyperplanes=hyperplanes, activation=activation, random_state=0
    )
    start = time.process_time()
    model.fit(X, y)
    assert time.process_time() - start < MOST_SECONDS
    assert recalls(model, X, y)


def test_scales_that_no_relu_output_spans_are_refused_with_advice():
    X = np.array([[0.0], [5e-324], [2.0**999]])
    model = MemorizingClassifier(
        hyperplanes="random", activation="relu", n_draws=1, random_state=0
    )
    advice = r"rows \[.*Scale the features down.*threshold"
    with pytest.raises(InterpolationError, match=advice):
        model.fit(X, [0, 1, 0])
    X[1] = 1e-290
    assert recalls(model.fit(X, [0, 1, 0]), X, [0, 1, 0])


@pytest.mark.parametrize("n_features", [1, 3, 10])
@pytest.mark.parametrize("spread", [1e-15, 1e-8, 1.0])
@pytest.mark.parametrize("offset", [0.0, 1.0, 1e5, 1e10, 1e15])
def test_distinct_rows_are_recalled_wherever_they_stand(offset, spread, n_features):
    rng = np.random.default_rng(0)
    X = offset + spread * rng.normal(size=(60, n_features))
    X = np.unique(X, axis=0)
    y = np.arange(len(X)) % 2
    assert recalls(
        MemorizingClassifier(hyperplanes="random", random_state=0).fit(X, y), X, y
    )


@pytest.mark.slow
def test_a_hundred_thousand_rows_on_a_line_are_recalled():
    X = np.arange(100_000.0)[:, np.newaxis]
    y = (np.arange(len(X)) // 50) % 2
    model = MemorizingClassifier(hyperplanes="random", n_draws=1, random_state=0).fit(
        X, y
    )
    assert model.interpolates_


@pytest.mark.slow
@pytest.mark.parametrize("n_features", [1, 3])
def test_random_labels_on_a_line_and_on_a_lattice_are_recalled(n_features):
    n_values = {1: 20_000, 3: 30}[n_features]
    axes = np.meshgrid(*[np.arange(float(n_values))] * n_features)
    X = np.stack(axes, axis=-1).reshape(-1, n_features)
    y = np.random.default_rng(0).integers(0, 2, len(X))
    model = MemorizingClassifier(n_draws=1, random_state=0).fit(X, y)
    assert model.interpolates_
    assert np.array_equal(model.predict(X[::7]), y[::7])


@pytest.mark.parametrize(
    "parameters",
    [
        {"keep": "best"},
        {"prune": True},
        {"covering": "greedy"},
        {"one_sided": True},
        {"decision": "network"},
        {"center": False, "max_bias": 0.0},
    ],
    ids=repr,
)
@pytest.mark.parametrize("activation", ["threshold", "relu"])
def test_all_ways_of_building_recall_what_needs_separating(parameters, activation):
    X, y = lognormal_column(150)
    model = MemorizingClassifier(
        hyperplanes="random",
        min_hyperplanes=50,
        activation=activation,
        random_state=0,
        **parameters,
    ).fit(X, y)
    assert model.n_separating_hyperplanes_ > 0
    assert recalls(model, X, y)
    assert np.array_equal(model.predict(sparse.csr_array(X)), y)
    outputs = X
    for layer in model.network_.layers:
        outputs = layer.forward(outputs)
    if model.one_sided:
        assert np.array_equal(outputs[:, 0] > 0, y == 1)
    else:
        assert np.array_equal(outputs > 0, y[:, np.newaxis] == [0, 1])


def test_none_are_added_where_random_ones_suffice():
    X, y = load_iris(return_X_y=True)
    model = MemorizingClassifier(hyperplanes="random", random_state=0).fit(X, y)
    assert model.n_separating_hyperplanes_ == 0
    assert model.n_draws_ == 4
    assert model.n_hyperplanes_ == 4000


def test_without_them_the_error_says_what_to_do():
    X, y = lognormal_column()
    model = MemorizingClassifier(
        hyperplanes="random",
        separating_hyperplanes=False,
        max_hyperplanes=1000,
        random_state=0,
    )
    advice = r"rows \[.*separating_hyperplanes=True.*max_hyperplanes.*StandardScaler"
    with pytest.raises(InterpolationError, match=advice):
        model.fit(X, y)
    model = MemorizingClassifier(
        hyperplanes="random", n_hyperplanes=100, random_state=0
    )
    with pytest.warns(InterpolationWarning, match=r"rows \[.*'auto'.*StandardScaler"):
        model.fit(X, y)
    assert model.n_separating_hyperplanes_ == 0


def test_n_draws_is_how_many_are_kept():
    X, y = load_iris(return_X_y=True)
    best = MemorizingClassifier(hyperplanes="random", keep="best", random_state=0).fit(
        X, y
    )
    assert best.n_draws_ == 1
    assert (
        MemorizingClassifier(hyperplanes="random").fit(X, np.zeros(len(X))).n_draws_
        == 0
    )


@pytest.mark.parametrize("activation", ["threshold", "relu"])
def test_batches_that_need_separating_are_recalled(activation):
    X, y = lognormal_column(240)
    model = MemorizingClassifier(
        hyperplanes="random",
        min_hyperplanes=50,
        activation=activation,
        n_draws=2,
        random_state=0,
    )
    for stop in (40, 120, 240):
        start = {40: 0, 120: 40, 240: 120}[stop]
        model.partial_fit(X[start:stop], y[start:stop], classes=[0, 1])
        assert recalls(model, X[:stop], y[:stop])
    assert model.n_separating_hyperplanes_ > 0
    # The first batch holds one class, and the second lies among it.
    model = MemorizingClassifier(
        hyperplanes="random", activation=activation, random_state=0
    )
    Z = 1.0 + np.arange(40)[:, np.newaxis] * 2.0**-50
    model.partial_fit(Z[::2], np.zeros(20), classes=[0, 1])
    model.partial_fit(Z[1::2], np.ones(20))
    assert np.array_equal(model.predict(Z), np.arange(40) % 2)


def bright(axis: AxisHyperplanes, X) -> np.ndarray:
    return axis.distances(X) > 0


def is_separated(axis, X, labels, is_missed) -> bool:
    """Return whether each missed row is dark where each row of another class is not."""
    signs = bright(axis, X)
    for row in np.flatnonzero(is_missed):
        others = labels != labels[row]
        if not (signs[others] & ~signs[row]).any(axis=1).all():
            return False
    return True


NUMBERS = st.sampled_from(
    [0.0, 5e-324, 1e-300, 1.0, AFTER_ONE, 2.0, 1e15, 1e15 + 0.125, 1e300]
)
SIGNED = st.one_of(NUMBERS, NUMBERS.map(lambda number: -number))


@given(
    st.lists(st.tuples(SIGNED, SIGNED, SIGNED), min_size=2, max_size=30, unique=True),
    st.integers(2, 4),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_every_missed_sample_is_separated_from_all_other_classes(
    rows, n_classes, seed, is_sparse
):
    rng = np.random.default_rng(seed)
    X = np.unique(np.array(rows) + 0.0, axis=0)
    labels = rng.integers(0, n_classes, len(X))
    is_missed = rng.random(len(X)) < 0.5
    given_rows = sparse.csr_array(X) if is_sparse else X
    axis = separating_hyperplanes(given_rows, labels, is_missed, None, rng)
    assert len(axis) <= 2 * len(X)
    assert is_separated(axis, X, labels, is_missed)
    assert np.array_equal(bright(axis, sparse.csr_array(X)), bright(axis, X))


def test_no_more_features_are_looked_at_than_needed_in_wide_data():
    rng = np.random.default_rng(0)
    X = (rng.random((200, 500)) < 0.02).astype(float)
    X = np.unique(X, axis=0)
    labels = rng.integers(0, 2, len(X))
    every = np.ones(len(X), dtype=bool)
    axis = separating_hyperplanes(X, labels, every, None, rng)
    assert is_separated(axis, X, labels, every)
    assert len(axis) <= 2 * len(X)


def test_thresholds_are_exact_between_neighbours():
    below, above = 1.0, AFTER_ONE
    for side in (1, -1):
        axis = AxisHyperplanes(
            np.array([0]), np.array([side]), np.array([below]), np.array([0])
        )
        expected = [[False], [side > 0]]
        assert np.array_equal(bright(axis, np.array([[below], [above]])), expected)


def wide_text():
    words = ["cat", "dog", "house", "tree", "river", "stone", "bird", "fish", "moon"]
    documents = [
        f"the {word} of document number {7 * number} is about {word}"
        for number, word in enumerate(words)
    ]
    return documents, [number % 2 for number in range(len(words))]


@pytest.mark.parametrize("activation", ["threshold", "relu"])
def test_hashed_text_is_memorized_in_no_time(activation):
    documents, labels = wide_text()
    model = make_pipeline(
        HashingVectorizer(),
        MemorizingClassifier(
            hyperplanes="random", activation=activation, random_state=0
        ),
    )
    model.fit(documents, labels)  # imports and pools of threads come first
    start = time.process_time()
    model.fit(documents, labels)
    assert time.process_time() - start < 0.4
    assert model.score(documents, labels) == 1.0
    hyperplanes = model[-1].network_.coverings[0].hyperplanes
    assert hyperplanes.is_sparse
    assert hyperplanes.n_parameters < 1000 * 200


def wide_rows(n_used=60, n_features=9000, seed=0):
    """Rows of which few features are ever used; the values have several scales."""
    rng = np.random.default_rng(seed)
    X = np.zeros((40, n_features))
    used = rng.choice(n_features, n_used, replace=False)
    values = rng.normal(size=(40, n_used)) * (rng.random((40, n_used)) < 0.2)
    X[:, used] = values * 10.0 ** rng.integers(-9, 3, n_used)
    X[:, used[0]] = 1.0 + np.arange(40) * 2.0**-52
    return X, used


@pytest.mark.parametrize("activation", ["threshold", "relu"])
def test_features_that_are_always_zero_are_not_looked_at(activation):
    X, used = wide_rows()
    y = np.arange(40) % 2
    model = MemorizingClassifier(
        hyperplanes="random", min_hyperplanes=70, activation=activation, random_state=0
    )
    dense = model.fit(X, y).network_
    assert recalls(model, X, y)
    assert model.n_separating_hyperplanes_ > 0
    far_away = X.copy()
    far_away[:, np.setdiff1d(np.arange(9000), used)] = 1e3
    assert np.array_equal(model.predict(far_away), y)
    rows = sparse.csr_array(X)
    model.fit(rows, y)
    assert np.array_equal(model.predict(X), model.predict(rows))
    for before, after in zip(dense.coverings, model.network_.coverings, strict=True):
        assert np.array_equal(before.masks, after.masks)
        assert np.array_equal(before.hyperplanes.biases, after.hyperplanes.biases)


@pytest.mark.parametrize("share", [0.05, 0.6])
@pytest.mark.parametrize("activation", ["threshold", "relu"])
def test_sparse_directions_give_the_codes_of_dense_ones(share, activation):
    rng = np.random.default_rng(1)
    directions = rng.normal(size=(130, 400)).astype(np.float32)
    directions[rng.random(directions.shape) > share] = 0.0
    directions[:, ::2] = 0.0
    biases = rng.normal(size=130)
    X = rng.normal(size=(200, 400)) * (rng.random((200, 400)) < 0.3)
    X[::7] = np.rint(8 * X[::7]) / 8
    # Points on hyperplanes, as near as doubles come.
    biases[:20] = -(X[:20] @ directions[:20].T.astype(float)).diagonal()
    axis = AxisHyperplanes(
        np.array([1, 5]), np.array([1, -1]), np.array([0.25, 0.0]), np.array([0, 0])
    )
    dense = HyperplaneLayer(directions, biases, 3, None, axis)
    thin = HyperplaneLayer(sparse.csr_array(directions), biases, 3, None, axis)
    expected = dense.encode(X, activation).outputs()
    for points in (X, sparse.csr_array(X)):
        assert np.array_equal(thin.encode(points, activation).outputs(), expected)
    assert thin.n_parameters == dense.n_parameters
    assert np.array_equal(
        thin.layer().weights.toarray(), dense.layer().weights.astype(float)
    )


def test_wide_batches_bring_features_of_their_own():
    rng = np.random.default_rng(0)
    model = MemorizingClassifier(
        hyperplanes="random", min_hyperplanes=64, n_draws=2, random_state=0
    )
    rows, labels = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(3):
            X = np.zeros((20, 10_000))
            X[:, 100 * number : 100 * number + 30] = rng.normal(size=(20, 30))
            rows.append(X)
            labels.append(rng.integers(0, 2, 20))
            batch = sparse.csr_array(X)
            model.partial_fit(batch, labels[-1], classes=[0, 1])
    assert np.array_equal(model.predict(np.concatenate(rows)), np.concatenate(labels))


@pytest.mark.parametrize("n_features", [3, 10_000])
@pytest.mark.parametrize("activation", ["threshold", "relu"])
def test_sparse_rows_of_zeros_are_batches_too(activation, n_features):
    model = MemorizingClassifier(
        hyperplanes="random",
        min_hyperplanes=70,
        activation=activation,
        n_draws=2,
        random_state=0,
    )
    nothing = sparse.csr_array((2, n_features))
    model.partial_fit(nothing, [0, 0], classes=[0, 1])
    assert np.array_equal(model.predict(nothing), [0, 0])
    something = sparse.csr_array(np.eye(3, n_features))
    model.partial_fit(something, [1, 0, 1])
    assert np.array_equal(model.predict(something), [1, 0, 1])
    assert np.array_equal(model.predict(nothing), [0, 0])
