"""partial_fit recalls every batch so far, by a network that fit might have built."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from support.data import mnist

from sklearn_memorize import MemorizingClassifier, kernels
from sklearn_memorize.constructions.random_hyperplanes._rows import Rows
from sklearn_memorize.exceptions import (
    ConflictingLabelsWarning,
    InterpolationError,
    InterpolationWarning,
)

rng = np.random.default_rng(0)


X = rng.standard_normal((600, 8)).astype(np.float32).astype(np.float64)


Y = rng.integers(0, 4, 600)


CLASSES = np.arange(4)


BATCHES = [slice(0, 50), slice(50, 51), slice(51, 300), slice(300, 600)]


VARIANTS = {
    "default": {},
    "one draw": {"n_draws": 1},
    "best draw": {"n_draws": 3, "keep": "best"},
    "greedy": {"covering": "greedy", "n_draws": 1},
    "pruned": {"prune": True, "n_draws": 2},
    "paper": {"decision": "network", "n_draws": 1},
    "ReLU": {"activation": "relu", "min_hyperplanes": 200, "n_draws": 1},
    "many hyperplanes asked for": {"min_hyperplanes": 5, "n_draws": 2},
    "adapted": {"hyperplanes": "adapted", "n_draws": 4},
}


def classifier(variant="default", **options):
    settings = {"hyperplanes": "random", "random_state": 0, **VARIANTS[variant]}
    return MemorizingClassifier(**{**settings, **options})


def taught(estimator, X=X, y=Y, batches=BATCHES, classes=CLASSES):
    for batch in batches:
        estimator.partial_fit(X[batch], y[batch], classes=classes)
    return estimator


def same_network(first, second):
    pairs = zip(first.network_.coverings, second.network_.coverings, strict=True)
    return all(
        a.masks.tobytes() == b.masks.tobytes()
        and a.bounds.tobytes() == b.bounds.tobytes()
        and a.starts.tobytes() == b.starts.tobytes()
        and a.hyperplanes.directions.tobytes() == b.hyperplanes.directions.tobytes()
        and a.hyperplanes.biases.tobytes() == b.hyperplanes.biases.tobytes()
        for a, b in pairs
    )


def counts(covering, X):
    """Return <u, Phi(x)> for each sample and neuron."""
    first = covering.hyperplanes.signs(X).astype(np.int64)
    return first @ covering.mask_matrix().T.astype(np.int64)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_batch_so_far_is_recalled_after_each_call(variant):
    clf = classifier(variant)
    for batch in BATCHES:
        clf.partial_fit(X[batch], Y[batch], classes=CLASSES)
        assert clf.interpolates_
        assert (clf.predict(X[: batch.stop]) == Y[: batch.stop]).all()
    # The textbook network says so too.
    outputs = X
    for layer in clf.network_.layers:
        outputs = layer.forward(outputs)
    assert (outputs.argmax(axis=1) == Y).all()
    assert (outputs.sum(axis=1) == 1).all()


@pytest.mark.parametrize(
    "variant", ["default", "greedy", "paper", "best draw", "adapted"]
)
def test_bounds_are_those_of_the_theorem(variant):
    clf = classifier(variant)
    for batch in BATCHES:
        clf.partial_fit(X[batch], Y[batch], classes=CLASSES)
        X_seen, y_seen = X[: batch.stop], Y[: batch.stop]
        first_neuron = 0
        for covering in clf.network_.coverings:
            classes = np.repeat(CLASSES, covering.widths)
            neurons = slice(first_neuron, first_neuron + covering.n_neurons)
            centers = clf.sample_indices_[neurons]
            first_neuron = neurons.stop
            n_counted = counts(covering, X_seen)
            sides = covering.hyperplanes.signs(X_seen[centers])
            assert (covering.mask_matrix() == ~sides).all()
            assert (y_seen[centers] == classes).all()
            others = y_seen[:, np.newaxis] != classes
            smallest = np.where(others, n_counted, 10**6).min(axis=0)
            assert (covering.bounds == smallest).all()
            fires = n_counted < covering.bounds
            assert not (fires & others).any()
            assert fires[centers, np.arange(len(centers))].all()
            assert (clf.coverage_[neurons] == fires.sum(axis=0)).all()


def test_no_center_is_covered_by_an_older_neuron():
    # As in Algorithm 1, which draws centers from the samples left over.
    clf = taught(classifier("one draw"))
    (covering,) = clf.network_.coverings
    fires = counts(covering, X[clf.sample_indices_]) < covering.bounds
    older = np.triu(fires.T, 1)  # older[j, i]: neuron j fires at center i > j
    assert not older.any()


def test_neurons_stay_unless_an_older_one_covers_their_center():
    clf, before = classifier("one draw"), np.empty(0, dtype=int)
    for batch in BATCHES:
        clf.partial_fit(X[batch], Y[batch], classes=CLASSES)
        centers = clf.sample_indices_
        (covering,) = clf.network_.coverings
        fires = counts(covering, X[: batch.stop]) < covering.bounds
        of_class = np.repeat(CLASSES, covering.widths)
        for k, center in enumerate(before):
            if center not in centers:
                older = np.isin(centers, before[:k]) & (of_class == Y[center])
                assert fires[center, older].any()
        kept = centers[np.isin(centers, before)]
        assert kept.tolist() == [c for c in before if c in kept]
        before = centers


def test_greedy_covers_have_no_neuron_without_a_sample_of_its_own_turn():
    clf = taught(classifier("greedy"))
    drawn = taught(classifier("one draw"))
    assert clf.second_layer_widths_.sum() < drawn.second_layer_widths_.sum()


@pytest.mark.parametrize("variant", ["default", "greedy", "pruned", "ReLU", "adapted"])
def test_the_first_batch_gives_the_network_of_fit(variant):
    fitted = classifier(variant).fit(X, Y)
    clf = classifier(variant).partial_fit(X, Y, classes=CLASSES)
    assert same_network(fitted, clf)
    assert (fitted.sample_indices_ == clf.sample_indices_).all()
    assert (fitted.coverage_ == clf.coverage_).all()
    assert fitted.radius_ == clf.radius_


@pytest.mark.parametrize(
    "variant", ["default", "greedy", "ReLU", "best draw", "adapted"]
)
def test_one_seed_and_the_same_batches_give_one_network(variant):
    expected = taught(classifier(variant))
    assert same_network(expected, taught(classifier(variant, n_jobs=2)))
    with kernels.use_backend("numpy"):
        assert same_network(expected, taught(classifier(variant)))


@pytest.mark.parametrize("variant", ["default", "adapted"])
def test_neither_order_nor_repetition_within_a_batch_matters(variant):
    expected = taught(classifier(variant))
    clf = classifier(variant)
    for batch in BATCHES:
        order = rng.permutation(np.arange(batch.start, batch.stop))
        order = np.concatenate((order, order[:5]))
        clf.partial_fit(X[order], Y[order], classes=CLASSES)
    assert same_network(expected, clf)


@pytest.mark.parametrize("first", [np.asarray, sparse.csr_matrix, np.float32])
@pytest.mark.parametrize("second", [np.asarray, sparse.csc_array, np.float32])
def test_batches_may_come_in_different_containers(first, second):
    expected = taught(classifier("one draw"))
    clf = classifier("one draw")
    for number, batch in enumerate(BATCHES):
        container = second if number % 2 else first
        clf.partial_fit(container(X[batch]), Y[batch], classes=CLASSES)
    assert same_network(expected, clf)


def test_classes_may_come_later_than_they_are_declared():
    labels = np.array(["a", "b", "c", "never"])
    order = np.argsort(Y, kind="stable")
    X_sorted, y_sorted = X[order], labels[Y[order] % 3]
    clf = classifier("one draw")
    for batch in BATCHES:
        clf.partial_fit(X_sorted[batch], y_sorted[batch], classes=labels)
        seen = slice(0, batch.stop)
        assert (clf.predict(X_sorted[seen]) == y_sorted[seen]).all()
        assert clf.decision_function(X_sorted[seen]).shape == (batch.stop, 4)
    assert (clf.classes_ == labels).all()
    assert (clf.second_layer_widths_[:3] > 0).all()
    assert clf.second_layer_widths_[3] == 0


@pytest.mark.parametrize("decision", ["vote", "network"])
@pytest.mark.parametrize("first", [0, 1])
def test_one_sided_covers_grow_too(decision, first):
    y = Y % 2
    order = np.argsort(y == 1 - first, kind="stable")  # one class alone at first
    clf = classifier("one draw", one_sided=True, decision=decision)
    for batch in BATCHES:
        rows = order[: batch.stop]
        clf.partial_fit(X[order[batch]], y[order[batch]], classes=[0, 1])
        assert (clf.predict(X[rows]) == y[rows]).all()
        assert ((clf.decision_function(X[rows]) > 0) == y[rows]).all()
    assert clf.second_layer_widths_[0] == 0


def directions(clf):
    return [c.hyperplanes.directions for c in clf.network_.coverings]


def test_adapted_hyperplanes_are_drawn_anew_when_samples_have_doubled():
    clf = classifier("adapted")
    sizes, renewed = (20, 39, 40, 79, 80, 81), (True, False, True, False, True, False)
    before = None
    for first, size, is_new in zip((0, *sizes), sizes, renewed, strict=False):
        clf.partial_fit(X[first:size], Y[first:size], classes=CLASSES)
        assert (clf.predict(X[:size]) == Y[:size]).all()
        now = directions(clf)
        same = before is not None and all(map(np.array_equal, before, now))
        assert same != is_new
        before = now


def test_adapted_hyperplanes_stay_once_they_have_seen_many_samples():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((9000, 2))
    y = (X[:, 0] > 0).astype(int)
    clf = classifier("adapted").partial_fit(X[:4096], y[:4096], classes=[0, 1])
    before = directions(clf)
    clf.partial_fit(X[4096:], y[4096:])
    assert clf.interpolates_ and (clf.predict(X) == y).all()
    assert all(map(np.array_equal, before, directions(clf)))


def test_adapted_hyperplanes_wait_for_a_second_class():
    """What is drawn when it comes is what the first batch would have led to."""
    y = (X[:, 0] > 0).astype(int)
    order = np.argsort(y, kind="stable")
    clf = classifier("adapted")
    for rows in np.split(order, [100, np.count_nonzero(y == 0), 500]):
        clf.partial_fit(X[rows], y[rows], classes=[0, 1])
        assert clf.interpolates_ and (clf.predict(X[rows]) == y[rows]).all()
    assert clf.score(X, y) == 1.0
    rest = np.random.default_rng(2).standard_normal((1000, 8))
    assert clf.score(rest, rest[:, 0] > 0) > 0.9


def test_votes_and_calibration_follow_the_batches():
    """They are those that leaving out one of all samples so far gives."""
    clf = classifier("adapted")
    y = (X[:, :4] > 0) @ [1, 1, 1, 1] // 2
    scores = []
    for batch in BATCHES:
        clf.partial_fit(X[batch], y[batch], classes=CLASSES)
        scores.append((clf.loo_score_, clf.network_.calibration.scale))
    assert len(set(scores)) == len(scores)
    fitted = classifier("adapted").fit(X, y)
    assert abs(fitted.loo_score_ - clf.loo_score_) < 0.08
    rest = np.random.default_rng(2).standard_normal((1000, 8))
    labels = (rest[:, :4] > 0) @ [1, 1, 1, 1] // 2
    assert abs(fitted.score(rest, labels) - clf.score(rest, labels)) < 0.06


def test_declared_classes_that_never_come_change_no_vote():
    y = (X[:, :4] > 0) @ [1, 1, 1, 1] // 2
    rest = np.random.default_rng(2).standard_normal((1000, 8))
    few = classifier("adapted").partial_fit(X, y, classes=[0, 1, 2])
    more = classifier("adapted").partial_fit(X, y, classes=[0, 1, 2, 3, 4])
    assert few.n_votes_ == more.n_votes_ and few.loo_score_ == more.loo_score_
    assert (few.predict(rest) == more.predict(rest)).all()
    probabilities = more.predict_proba(rest)[:, :3]
    assert np.allclose(probabilities, few.predict_proba(rest), atol=1e-3)


def test_a_single_class_is_constant():
    clf = classifier().partial_fit(X[:9], np.full(9, 7), classes=[7])
    clf.partial_fit(X[9:20], np.full(11, 7))
    assert clf.interpolates_
    assert (clf.predict(X) == 7).all()


def test_votes_of_all_batches_decide_a_conflict():
    clf = classifier("one draw").partial_fit(X[:99], Y[:99], classes=CLASSES)
    row, other = X[[5]], (Y[[5]] + 1) % 4
    for n_votes, expected in ((1, min(Y[5], other[0])), (2, other[0])):
        with pytest.warns(ConflictingLabelsWarning, match="1 distinct rows"):
            clf.partial_fit(row, other)
        assert clf.interpolates_ and clf.n_conflicts_ == 1
        assert clf.predict(row) == expected, n_votes
    # A sample that changed sides is behind no neuron of its old class.
    centers = clf.sample_indices_ == 5
    classes = np.repeat(CLASSES, clf.second_layer_widths_)
    assert (classes[centers] == other[0]).all()
    with pytest.warns(ConflictingLabelsWarning):
        clf.partial_fit(row, Y[[5]], sample_weight=[1e-300 + 1.0])
    assert clf.predict(row) == min(Y[5], other[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # other rows are not in conflict
        clf.partial_fit(X[99:200], Y[99:200])
    assert clf.n_conflicts_ == 1


def test_bounds_rise_where_the_sample_that_set_them_changes_sides():
    y = Y.copy()
    y[:300] = (y[:300] + 1) % 4  # to be outvoted
    clf = taught(classifier("one draw"), y=y)
    with pytest.warns(ConflictingLabelsWarning):
        clf.partial_fit(X, Y, sample_weight=np.full(600, 2.0))
    (covering,) = clf.network_.coverings
    classes = np.repeat(CLASSES, covering.widths)
    others = Y[:, np.newaxis] != classes
    smallest = np.where(others, counts(covering, X), 10**6).min(axis=0)
    assert (covering.bounds == smallest).all()
    assert (clf.predict(X) == Y).all()


def test_weights_are_added_up_exactly():
    clf = classifier("one draw", min_hyperplanes=30)
    tiny = np.full(3, 0.1)  # 0.1 + 0.1 + 0.1 < 0.30000000000000004 in rationals
    clf.partial_fit([[0.0], [1.0]], [0, 1], classes=[0, 1])
    clf.partial_fit([[2.0]] * 3, [0] * 3, sample_weight=tiny)
    with pytest.warns(ConflictingLabelsWarning):
        clf.partial_fit([[2.0]], [1], sample_weight=[0.1 + 0.1 + 0.1])
    exact = 3 * 3602879701896397 - int((0.1 + 0.1 + 0.1) * 2**55)
    assert clf.predict([[2.0]])[0] == int(exact < 0)


def test_samples_without_weight_are_ignored_but_counted():
    clf = classifier("one draw").partial_fit(X[:50], Y[:50], classes=CLASSES)
    weights = np.ones(50)
    weights[::2] = 0
    clf.partial_fit(X[50:100], Y[50:100], sample_weight=weights)
    clf.partial_fit(X[100:200], Y[100:200])
    kept = np.r_[0:50, 51:100:2, 100:200]
    assert np.isin(clf.sample_indices_, kept).all()
    classes = np.repeat(CLASSES, clf.second_layer_widths_)
    assert (Y[clf.sample_indices_] == classes).all()


def test_hyperplanes_are_added_where_they_are_needed():
    clf = classifier("one draw", min_hyperplanes=8)
    clf.partial_fit([[0.0], [1.0]], [0, 1], classes=[0, 1])
    n_before = clf.n_hyperplanes_
    line = np.linspace(-3, 3, 60)[:, np.newaxis]
    clf.partial_fit(line, np.arange(60) % 2)
    assert clf.interpolates_
    assert clf.n_hyperplanes_ > n_before
    assert (clf.predict(line) == np.arange(60) % 2).all()
    assert (clf.predict([[0.0], [1.0]]) == [0, 1]).all()


@pytest.mark.parametrize(
    "activation, scale",
    [("threshold", 1e3), ("threshold", 1e150), ("threshold", 1e290), ("relu", 20.0)],
)
def test_later_batches_may_be_far_larger(activation, scale):
    clf = classifier("one draw", activation=activation, min_hyperplanes=100)
    factors = (1 / scale, 1.0, scale)
    for factor in factors:
        clf.partial_fit(X[:40] * factor, Y[:40], classes=CLASSES)
        assert clf.interpolates_
    for factor in factors:
        assert (clf.predict(X[:40] * factor) == Y[:40]).all()
    farthest = np.linalg.norm(X[:40] / 1e9, axis=1).max() * scale
    assert clf.radius_ / 1e9 >= 0.99 * farthest


@pytest.mark.parametrize("offsets", [(1e9, 1e9 + 20, 1e9 - 40), (0.0, 30.0, -9.0)])
def test_later_batches_may_lie_elsewhere(offsets):
    clf = classifier("one draw", min_hyperplanes=100)
    for offset in offsets:
        clf.partial_fit(X[:40] + offset, Y[:40], classes=CLASSES)
        assert clf.interpolates_
    for offset in offsets:
        assert (clf.predict(X[:40] + offset) == Y[:40]).all()


def test_outgrown_hyperplanes_are_drawn_anew():
    # All hyperplanes of the first call pass through its only sample.
    clf = classifier("one draw", n_hyperplanes=1000)
    clf.partial_fit([[0.0]], [0], classes=[0, 1])
    line = np.linspace(-3, 3, 20)[:, np.newaxis]
    clf.partial_fit(line, np.arange(20) % 2)
    assert clf.interpolates_
    assert clf.n_hyperplanes_ == 1000
    assert (clf.predict(line) == np.arange(20) % 2).all()


def test_a_fixed_number_that_does_not_suffice_is_reported_each_time():
    clf = classifier("one draw", n_hyperplanes=2)
    for batch in BATCHES[:2]:
        with pytest.warns(InterpolationWarning, match="n_hyperplanes=2"):
            clf.partial_fit(X[batch], Y[batch], classes=CLASSES)
        assert not clf.interpolates_
    clf.set_params(n_hyperplanes=1000)
    clf.partial_fit(X[51:99], Y[51:99])
    assert clf.interpolates_
    assert (clf.predict(X[:99]) == Y[:99]).all()


FAILURES = {
    "undeclared label": (dict(X=X[:3], y=[0, 1, 9]), {}, "does not declare: .9."),
    "other type of label": (dict(X=X[:1], y=["0"]), {}, "does not declare"),
    "other classes": (dict(X=X[:3], y=Y[:3], classes=[0, 1]), {}, "differ from"),
    "features": (dict(X=X[:3, :4], y=Y[:3]), {}, "4 features"),
    "not finite": (dict(X=X[:1] * np.nan, y=Y[:1]), {}, "NaN"),
    "conflict": (dict(X=X[:1], y=[(Y[0] + 1) % 4]), {"conflicts": "raise"}, "several"),
    "activation": (dict(X=X, y=Y), {"activation": "relu"}, "activation was 'thresh"),
    "draws": (dict(X=X, y=Y), {"n_draws": 2}, "n_draws was 1"),
    "too large": (dict(X=X[:1] * 1e306, y=Y[:1]), {}, "Scale the features down"),
    "weight": (dict(X=X[:1], y=Y[:1], sample_weight=[-1.0]), {}, "Negative"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_call_leaves_the_estimator_as_it_was(name):
    arguments, parameters, message = FAILURES[name]
    clf = classifier("one draw").partial_fit(X[:99], Y[:99], classes=CLASSES)
    clf.set_params(**parameters)
    before = dict(vars(clf))
    with pytest.raises(ValueError, match=message):
        clf.partial_fit(**arguments)
    assert vars(clf) == before
    assert (clf.predict(X[:99]) == Y[:99]).all()


def test_what_cannot_be_memorized_is_refused_and_forgotten():
    clf = classifier("one draw", min_hyperplanes=1, max_hyperplanes=30, max_bias=0)
    clf.set_params(center=False, separating_hyperplanes=False)
    clf.partial_fit([[1.0], [-1.0]], [0, 1], classes=[0, 1])
    before = dict(vars(clf))
    with pytest.raises(InterpolationError, match="max_hyperplanes=30"):
        clf.partial_fit([[2.0]], [1])  # on one ray from the origin
    assert vars(clf) == before
    clf.partial_fit([[2.0]], [0])
    assert (clf.predict([[1.0], [-1.0], [2.0]]) == [0, 1, 0]).all()


def test_a_first_call_that_fails_leaves_nothing():
    clf = classifier()
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        clf.partial_fit(X, Y)
    with pytest.raises(ValueError, match="NaN"):
        clf.partial_fit(X * np.nan, Y, classes=CLASSES)
    assert vars(clf) == clf.get_params()


def test_fit_starts_afresh():
    clf = taught(classifier())
    clf.fit(X[:99], Y[:99])
    assert same_network(clf, classifier().fit(X[:99], Y[:99]))
    assert set(vars(clf)) == set(vars(classifier().fit(X[:99], Y[:99])))


def test_partial_fit_after_fit_starts_afresh_and_says_so():
    clf = classifier().fit(X[:300], Y[:300])
    with pytest.warns(UserWarning, match="forgets what fit memorized"):
        clf.partial_fit(X[300:], Y[300:])
    fresh = classifier().partial_fit(X[300:], Y[300:], classes=CLASSES)
    assert same_network(clf, fresh)


def test_a_pickle_continues_and_a_clone_does_not():
    clf = taught(classifier(), batches=BATCHES[:2])
    loaded = pickle.loads(pickle.dumps(clf))
    assert same_network(taught(clf), taught(loaded))
    with pytest.raises(ValueError, match="first call"):
        clone(clf).partial_fit(X, Y)


def test_a_copy_grows_on_its_own():
    clf = taught(classifier(), batches=BATCHES[:2])
    twin = copy.copy(clf)
    taught(twin, y=(Y + 1) % 4, batches=BATCHES[3:])
    taught(clf, batches=BATCHES[2:])
    assert (clf.predict(X) == Y).all()
    assert (twin.predict(X[300:]) == (Y[300:] + 1) % 4).all()


def test_an_empty_draw_of_new_rows_changes_nothing():
    clf = taught(classifier())
    before = pickle.dumps(clf.network_.coverings[0].bounds)
    clf.partial_fit(X[:30], Y[:30])
    assert pickle.dumps(clf.network_.coverings[0].bounds) == before


def test_digits_in_batches_need_no_wider_network_than_at_once():
    pixels, digits = mnist()
    pixels, digits = pixels[:1000], digits[:1000]
    at_once = classifier("one draw").fit(pixels, digits)
    clf = classifier("one draw")
    for start in range(0, 1000, 50):
        batch = slice(start, start + 50)
        clf.partial_fit(pixels[batch], digits[batch], classes=np.arange(10))
    assert (clf.predict(pixels) == digits).all()
    width, width_at_once = (m.second_layer_widths_.sum() for m in (clf, at_once))
    assert width <= 1.25 * width_at_once


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=8), st.lists(st.integers(0, 10**6))
)
def test_rows_in_parts_are_indexed_like_one_matrix(sizes, picks):
    matrix = np.arange(2.0 * sum(sizes)).reshape(-1, 2)
    borders = np.cumsum([0, *sizes])
    for container in (np.asarray, sparse.csr_array):
        rows = Rows((container(matrix[: sizes[0]]),))
        for start, stop in zip(borders[1:], borders[2:], strict=False):
            rows = rows.joined_by(container(matrix[start:stop]))
        assert rows.shape == matrix.shape
        chosen = np.array(picks, dtype=int) % max(1, len(matrix))
        for key in (chosen if len(matrix) else chosen[:0], slice(1, 7), slice(3, None)):
            found = rows[key]
            found = found.toarray() if sparse.issparse(found) else found
            assert (found == matrix[key]).all()
