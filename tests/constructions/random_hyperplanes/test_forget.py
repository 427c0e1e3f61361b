"""After `forget`, the estimator is the one that never saw the samples."""

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_digits

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.constructions.random_hyperplanes._forgetting import turns_of

X, Y = load_digits(return_X_y=True)
BALL = {"low": 0.0, "high": 16.0}
CLASSES = np.arange(10)
OPTIONS = [
    {},
    {"n_draws": 1, "min_hyperplanes": 8},  # leaves samples to separating hyperplanes
    {"min_hyperplanes": 16, "separating_hyperplanes": False},
    {"n_hyperplanes": 12, "decision": "network"},  # does not suffice
    {"activation": "relu", "min_hyperplanes": 32},
    {"covering": "greedy", "prune": True, "min_hyperplanes": 64},
    {"keep": "best", "min_hyperplanes": 64},
]
# Those that recall samples however close to each other.
SEPARATING = [options for options in OPTIONS if "separating_hyperplanes" not in options]


def memorizing(**options):
    defaults = {"hyperplanes": "random", "ball": BALL, "n_draws": 2}
    defaults |= {"min_hyperplanes": 64, "random_state": 0}
    return MemorizingClassifier(**{**defaults, **options})


def taught(model, X, y, weights=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.partial_fit(X, y, classes=CLASSES, sample_weight=weights)


def assert_same(model, other):
    """Compare all that is stored, byte for byte."""
    ours, theirs = model.__getstate__(), other.__getstate__()
    assert ours.keys() == theirs.keys()
    assert not [k for k in ours if pickle.dumps(ours[k]) != pickle.dumps(theirs[k])]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_what_is_left_is_what_one_call_would_have_memorized(options):
    model = memorizing(**options)
    for start in range(0, 300, 60):
        taught(model, X[start : start + 60], Y[start : start + 60])
    gone = np.random.default_rng(0).choice(300, 90, replace=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert model.forget(gone) is model
    left = np.setdiff1d(np.arange(300), gone)
    assert_same(model, taught(memorizing(**options), X[left], Y[left]))
    if "n_hyperplanes" not in options:
        assert model.interpolates_
        assert (model.predict(X[left]) == Y[left]).all()


@st.composite
def histories(draw):
    """Draw what happens: batches of few distinct rows and labels, and forgetting."""
    n_features = draw(st.integers(1, 3))
    values = st.sampled_from([-1.0, -0.0, 0.0, 0.5, 1.0, 1.0 + 2**-52, 3.0])
    row = st.tuples(
        st.lists(values, min_size=n_features, max_size=n_features),
        st.integers(0, 2),
        st.sampled_from([0.0, 0.25, 1.0, 1.0, 2.0]),
    )
    batch = st.tuples(st.just("come"), st.lists(row, min_size=1, max_size=8))
    leave = st.tuples(st.just("go"), st.floats(0, 1), st.integers(0, 10**6))
    return [draw(batch), *draw(st.lists(batch | leave, min_size=1, max_size=7))]


@settings(max_examples=150, deadline=None)
@given(history=histories(), options=st.sampled_from(SEPARATING))
def test_any_sequence_leads_to_the_state_of_one_call(history, options):
    options = {**options, "ball": {"center": 0.25, "radius": 2.0}}
    model = memorizing(**options)
    rows, labels, weights = [], [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for step in history:
            if step[0] == "come":
                given_rows, given_labels, given_weights = zip(*step[1], strict=True)
                if not any(given_weights):
                    continue
                rows += given_rows
                labels += given_labels
                weights += given_weights
                model.partial_fit(
                    given_rows, given_labels, [0, 1, 2], sample_weight=given_weights
                )
                continue
            _, share, seed = step
            chosen = np.random.default_rng(seed).random(len(rows)) < share
            left = np.flatnonzero(~chosen)
            if not any(weights[k] for k in left):
                continue
            model.forget(np.flatnonzero(chosen))
            rows, labels, weights = (
                [values[k] for k in left] for values in (rows, labels, weights)
            )
        if not rows:
            return
        once = memorizing(**options)
        once.partial_fit(rows, labels, [0, 1, 2], sample_weight=weights)
    assert_same(model, once)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_network_does_not_depend_on_the_order(seed):
    order = np.random.default_rng(seed).permutation(200)
    model = taught(memorizing(), X[:200], Y[:200])
    half = taught(memorizing(), X[order[:120]], Y[order[:120]])
    other = taught(half, X[order[120:]], Y[order[120:]])
    assert pickle.dumps(other.network_.__getstate__()) == pickle.dumps(
        model.network_.__getstate__()
    )
    np.testing.assert_array_equal(order[other.sample_indices_], model.sample_indices_)


def test_a_pickle_holds_nothing_of_what_was_forgotten():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((200, 4))
    labels = rng.integers(3, size=200)
    model = memorizing(ball={"center": 0.0, "radius": 4.0})
    model.partial_fit(rows, labels, [0, 1, 2])
    secret = rows[:50]
    assert all(value.tobytes() in pickle.dumps(model) for value in secret.ravel())
    model.forget(np.arange(50))
    written = pickle.dumps(model)
    assert not any(value.tobytes() in written for value in secret.ravel())
    assert all(value.tobytes() in written for value in rows[50:].ravel())


def test_rows_are_forgotten_wherever_they_came():
    model = taught(memorizing(), X[[*range(50), 3, 3]], Y[[*range(50), 3, 3]])
    model.forget(X=X[[3, 7]])
    left = np.setdiff1d(np.arange(50), [3, 7])
    assert_same(model, taught(memorizing(), X[left], Y[left]))
    with pytest.raises(ValueError, match=r"Rows \[1\] are not among"):
        model.forget(X=X[[4, 3]])


def test_an_equal_sample_that_is_left_keeps_the_row():
    model = taught(memorizing(), X[[0, 1, 2, 1]], Y[[0, 1, 2, 1]])
    model.forget(1)
    assert (model.predict(X[:3]) == Y[:3]).all()
    assert_same(model, taught(memorizing(), X[[0, 2, 1]], Y[[0, 2, 1]]))


def test_a_label_that_was_outvoted_comes_back():
    rows, labels = X[[0, 1, 2, 0]], [*Y[:3], (Y[0] + 1) % 10]
    model = taught(memorizing(), rows, labels, [1.0, 1.0, 1.0, 2.0])
    assert model.predict(X[:1]) == (Y[0] + 1) % 10
    assert model.forget([3]).predict(X[:1]) == Y[0]
    assert model.n_conflicts_ == 0


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dense_and_sparse_rows_of_either_precision(container, dtype):
    rows = container(X[:200].astype(dtype))
    model = taught(memorizing(), rows[:120], Y[:120])
    taught(model, rows[120:], Y[120:200])
    model.forget(np.arange(0, 200, 3))
    left = np.flatnonzero(np.arange(200) % 3)
    assert_same(model, taught(memorizing(), rows[left], Y[left]))
    dense = taught(memorizing(), X[left], Y[left])
    np.testing.assert_array_equal(dense.predict(X), model.predict(X))


@pytest.mark.parametrize("n_jobs", [2, -1])
def test_the_state_does_not_depend_on_the_number_of_jobs(n_jobs):
    model = taught(memorizing(), X[:200], Y[:200]).forget(np.arange(40))
    parallel = taught(memorizing(n_jobs=n_jobs), X[:200], Y[:200])
    parallel.forget(np.arange(40)).set_params(n_jobs=None)
    assert_same(model, parallel)


# Where the ball comes from the samples.


@pytest.mark.parametrize(
    "options",
    [
        {"ball": None},
        {"ball": None, "hyperplanes": "adapted"},
        {"hyperplanes": "adapted"},
    ],
    ids=str,
)
def test_all_is_built_again_where_hyperplanes_depend_on_the_samples(options):
    model = taught(memorizing(**options), X[:100], Y[:100])
    taught(model, X[100:200], Y[100:200])
    before = pickle.dumps(model)
    with pytest.raises(ValueError, match="Set rebuild=True"):
        model.forget([3])
    assert pickle.dumps(model) == before
    gone = np.arange(0, 200, 7)
    model.forget(gone, rebuild=True)
    left = np.setdiff1d(np.arange(200), gone)
    assert_same(model, taught(memorizing(**options), X[left], Y[left]))
    taught(model, X[200:300], Y[200:300])
    assert (model.predict(X[left]) == Y[left]).all()
    assert model.score(X[200:300], Y[200:300]) == 1.0


def test_equal_samples_with_weights_are_rebuilt_too():
    rows, labels = X[[0, 1, 2, 0, 0]], [*Y[:3], (Y[0] + 1) % 10, Y[0]]
    weights = [0.5, 1.0, 1.0, 2.0, 0.0]
    model = taught(memorizing(ball=None), rows, labels, weights)
    model.forget([3], rebuild=True)
    left = [0, 1, 2, 4]
    other = taught(
        memorizing(ball=None), rows[left], np.array(labels)[left], weights[:3] + [0.0]
    )
    assert_same(model, other)


# Refusals.


def test_what_cannot_be_forgotten_is_refused_and_nothing_changes():
    model = taught(memorizing(), X[:30], Y[:30])
    before = pickle.dumps(model)
    for arguments, reason in (
        ({}, "either indices or X"),
        ({"indices": [1], "X": X[:1]}, "either indices or X"),
        ({"indices": [30]}, r"indices \[30\] are not among the 30 samples"),
        ({"indices": [-1]}, r"indices \[-1\]"),
        ({"indices": [0.5]}, "must be integers"),
        ({"indices": np.arange(30)}, "No sample would be left"),
        ({"X": X[:1, :3]}, "features"),
    ):
        with pytest.raises(ValueError, match=reason):
            model.forget(**arguments)
    assert pickle.dumps(model) == before
    with pytest.raises(ValueError, match="needs the samples that partial_fit keeps"):
        memorizing().fit(X, Y).forget([0])


def test_forgetting_nothing_changes_nothing():
    model = taught(memorizing(), X[:30], Y[:30])
    before = pickle.dumps(model)
    assert pickle.dumps(model.forget([])) == before


@pytest.mark.parametrize(
    ("ball", "reason"),
    [
        ({"center": 0.0}, "have the keys"),
        ({"center": 0.0, "radius": 0.0}, "must be positive"),
        ({"center": np.nan, "radius": 1.0}, "must be a finite number"),
        ({"center": [0.0, 1.0], "radius": 1.0}, "one for each of the 64 features"),
        ({"low": 1.0, "high": 0.0}, "low must not be above high"),
        ({"low": 1.0, "high": 1.0}, "must be positive"),
    ],
)
def test_balls_that_are_none_are_refused(ball, reason):
    for call in ("fit", "partial_fit"):
        arguments = {"classes": CLASSES} if call == "partial_fit" else {}
        with pytest.raises(ValueError, match=reason):
            getattr(memorizing(ball=ball), call)(X[:30], Y[:30], **arguments)


def test_the_ball_and_sizes_are_settled():
    model = taught(memorizing(), X[:30], Y[:30])
    for changed in (
        {"ball": None},
        {"ball": {"low": 0.0, "high": 17.0}},
        {"min_hyperplanes": 65},
        {"max_bias": 0.5},
    ):
        model.set_params(**changed)
        for call in (lambda: model.forget([0]), lambda: taught(model, X[:3], Y[:3])):
            with pytest.raises(ValueError, match="in the calls of partial_fit so far"):
                call()
        model.set_params(ball=BALL, min_hyperplanes=64, max_bias=1.0)
    taught(model, X[30:60], Y[30:60]).forget([0])
    loose = taught(memorizing(ball=None), X[:30], Y[:30]).set_params(ball=BALL)
    with pytest.raises(ValueError, match="in the calls of partial_fit so far"):
        taught(loose, X[:3], Y[:3])


def test_fit_draws_its_hyperplanes_for_the_given_ball():
    ball = {"center": np.full(64, 7.0), "radius": 80.0}
    model = memorizing(ball=ball).fit(X, Y)
    assert model.radius_ == 80.0
    assert model.score(X, Y) == 1.0
    low, high = np.full(64, -1.0), np.full(64, 3.0)
    assert memorizing(ball={"low": low, "high": high}).fit(X, Y).radius_ == 16.0


@pytest.mark.parametrize("scale", [1e-150, 1e-3, 1e3, 1e150])
def test_samples_anywhere_are_memorized_whatever_the_ball(scale):
    """A ball that is far off leaves all to separating hyperplanes."""
    rows = scale * (X[:60] - 5.0)
    model = taught(memorizing(min_hyperplanes=32), rows, Y[:60])
    assert (model.predict(rows) == Y[:60]).all()
    model.forget(np.arange(20))
    assert (model.predict(rows[20:]) == Y[20:60]).all()


def test_rows_whose_hashes_collide_have_an_order_all_the_same(monkeypatch):
    from sklearn_memorize._estimator import _training_set
    from sklearn_memorize.constructions.random_hyperplanes import _sample_set

    def coarse(rows):
        return np.asarray(
            np.abs(rows).sum(axis=1), dtype=np.uint64
        ).ravel() % np.uint64(5)

    for module in (_sample_set, _training_set):
        monkeypatch.setattr(module, "row_hashes", coarse)
    model = taught(memorizing(), X[:100], Y[:100])
    taught(model, X[100:150], Y[100:150]).forget(np.arange(0, 150, 4))
    left = np.flatnonzero(np.arange(150) % 4)
    assert_same(model, taught(memorizing(), X[left], Y[left]))
    assert (model.predict(X[left]) == Y[left]).all()


def test_turns_are_distinct_and_keyed():
    hashes = np.arange(1000, dtype=np.uint64)
    first, second = turns_of(hashes, 0), turns_of(hashes, 1)
    assert len(np.unique(first)) == 1000
    assert (np.argsort(first) != np.argsort(second)).any()
