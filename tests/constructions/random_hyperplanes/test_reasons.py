"""Reasons name the training samples behind the neurons of the largest margins."""

import warnings
from fractions import Fraction

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import make_classification

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.exceptions import InterpolationWarning

X, y = make_classification(
    230, 6, n_informative=4, n_classes=3, class_sep=0.7, random_state=0
)
# Exact in single precision, so that a copy has the same values.
X = np.round(X * 64) / 64
TRAIN, NEW = slice(0, 150), slice(150, 230)

SETTINGS = {
    "random": {"hyperplanes": "random"},
    "adapted": {"hyperplanes": "adapted", "n_draws": 8},
    "relu": {"activation": "relu", "n_draws": 2},
    "adapted-relu": {"hyperplanes": "adapted", "activation": "relu", "n_draws": 3},
    "network": {"decision": "network"},
    "one-draw": {"keep": "best", "prune": True},
    "greedy": {"covering": "greedy", "n_votes": 1},
    "too-few": {"n_hyperplanes": 6},
    "one-sided": {"one_sided": True},
    "one-sided-network": {"one_sided": True, "decision": "network"},
}


def fitted(name):
    settings = SETTINGS[name]
    labels = y == 1 if settings.get("one_sided") else y
    model = MemorizingClassifier(
        **{"min_hyperplanes": 200, "random_state": 0, **settings}
    )
    if "n_hyperplanes" in settings:
        model.set_params(min_hyperplanes="auto")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterpolationWarning)
        return model.fit(X[TRAIN], labels[TRAIN])


@pytest.fixture(scope="module", params=SETTINGS)
def model(request):
    return fitted(request.param)


def margins_of(model, row):
    """Return the margins of all neurons at a row, as fractions, in order."""
    margins = []
    encoded = model.network_.encode(row[np.newaxis])
    for covering, codes in zip(model.network_.coverings, encoded, strict=True):
        n = covering.hyperplanes.n_hyperplanes
        if model.activation == "relu":
            outputs, n = codes.outputs()[0].astype(np.int64), n * 2**26
        else:
            outputs = codes.bits()[0].astype(np.int64)
        sums = covering.mask_matrix().astype(np.int64) @ outputs
        margins += [Fraction(int(m), n) for m in covering.bounds - sums]
    return margins


def classes_of_neurons(model):
    """Return the number of the class that each neuron speaks for."""
    first = 1 if model.one_sided else 0
    return np.concatenate(
        [
            first + np.repeat(np.arange(len(c.widths)), c.widths)
            for c in model.network_.coverings
        ]
    )


def strongest(model, row, number, n):
    """Return the first `n` neurons of a class that have different centers."""
    margins = margins_of(model, row)
    of_class = np.flatnonzero(classes_of_neurons(model) == number)
    order = sorted(of_class, key=lambda k: (-margins[k], -model.coverage_[k], k))
    found, centers = [], set()
    for neuron in order:
        if model.sample_indices_[neuron] not in centers:
            centers.add(model.sample_indices_[neuron])
            found.append(int(neuron))
    return found[:n], [float(margins[k]) for k in found[:n]]


def assert_equal(one, other):
    for name in ("classes", "sample_indices", "neurons", "margins", "coverage"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("n_reasons", [1, 3, 40])
def test_reasons_are_the_neurons_of_the_largest_margins(model, n_reasons):
    reasons = model.reasons(X[NEW], n_reasons)
    assert reasons.neurons.shape == (80, 2, n_reasons)
    numbers = np.searchsorted(model.classes_, reasons.classes)
    for i in range(0, 80, 7):
        for side in range(2):
            neurons, margins = strongest(model, X[NEW][i], numbers[i, side], n_reasons)
            found = reasons.neurons[i, side]
            assert found[found >= 0].tolist() == neurons
            assert (found[len(neurons) :] == -1).all()
            assert reasons.margins[i, side, : len(neurons)].tolist() == margins
            indices = reasons.sample_indices[i, side, : len(neurons)]
            np.testing.assert_array_equal(indices, model.sample_indices_[neurons])
            covered = reasons.coverage[i, side, : len(neurons)]
            np.testing.assert_array_equal(covered, model.coverage_[neurons])
    is_there = reasons.neurons >= 0
    assert (reasons.sample_indices[~is_there] == -1).all()
    assert (reasons.coverage[~is_there] == 0).all()
    np.testing.assert_array_equal(np.isnan(reasons.margins), ~is_there)


def test_the_first_class_is_predicted_and_the_second_scores_best_of_the_others(model):
    reasons = model.reasons(X[NEW])
    np.testing.assert_array_equal(reasons.classes[:, 0], model.predict(X[NEW]))
    assert (reasons.classes[:, 0] != reasons.classes[:, 1]).all()
    if model.one_sided:
        return
    scores = (
        model.network_.largest_margins(X[NEW])
        if model.decision == "network"
        else model.decision_function(X[NEW])
    )
    numbers = np.searchsorted(model.classes_, reasons.classes)
    rows = np.arange(80)
    second = scores[rows, numbers[:, 1]]
    scores[rows, numbers[:, 0]] = -np.inf
    np.testing.assert_array_equal(second, scores.max(axis=1))


def test_reasons_carry_the_label_that_they_speak_for(model):
    labels = (y == 1 if model.one_sided else y)[TRAIN]
    reasons = model.reasons(X[NEW], 2)
    expected = np.broadcast_to(reasons.classes[:, :, np.newaxis], (80, 2, 2))
    is_there = reasons.neurons >= 0
    assert is_there.all() or model.one_sided
    found = labels[reasons.sample_indices[is_there]]
    np.testing.assert_array_equal(found, expected[is_there])


@pytest.mark.parametrize("model", sorted({*SETTINGS} - {"too-few"}), indirect=True)
def test_a_training_sample_is_spoken_for_by_a_neuron_that_fires(model):
    labels = (y == 1 if model.one_sided else y)[TRAIN]
    rows = np.flatnonzero(labels) if model.one_sided else np.arange(150)
    reasons = model.reasons(X[TRAIN][rows])
    assert (reasons.margins[:, 0, 0] > 0).all()


@pytest.mark.parametrize(
    "copy",
    [
        np.asfortranarray,
        lambda X: X.astype(np.float32),
        sparse.csr_array,
        lambda X: X.tolist(),
    ],
    ids=["fortran", "float32", "sparse", "lists"],
)
def test_reasons_depend_on_values_alone(model, copy):
    assert_equal(model.reasons(X[NEW]), model.reasons(copy(X[NEW])))


def test_a_row_has_the_same_reasons_alone_and_in_any_batch(model, monkeypatch):
    together = model.reasons(X[NEW])
    order = np.random.default_rng(0).permutation(80)
    for rows in ([0], [17], [79], order):
        some = model.reasons(X[NEW][rows])
        for name in ("classes", "sample_indices", "neurons", "margins", "coverage"):
            expected = getattr(together, name)[rows]
            np.testing.assert_array_equal(getattr(some, name), expected)
    module = MemorizingClassifier.reasons.__module__
    monkeypatch.setattr(f"{module}._PAIRS_AT_ONCE", 100)
    assert_equal(together, model.reasons(X[NEW]))


def test_rows_of_batches_are_counted_from_the_first_batch_on():
    model = MemorizingClassifier(n_draws=2, random_state=0)
    for batch in (slice(0, 50), slice(50, 90), slice(90, 150)):
        model.partial_fit(X[batch], y[batch], classes=[0, 1, 2])
    reasons = model.reasons(X[TRAIN])
    # Some sample is its own reason, and a reason is nearest to the sample it is from.
    assert (reasons.sample_indices[:, 0] == np.arange(150)[:, np.newaxis]).any()
    expected = np.broadcast_to(reasons.classes[:, :, np.newaxis], (150, 2, 3))
    np.testing.assert_array_equal(y[reasons.sample_indices], expected)
    assert reasons.sample_indices.max() >= 90


def test_rows_that_are_left_out_of_the_fit_are_counted():
    weights = np.ones(150)
    weights[:30] = 0
    model = MemorizingClassifier(n_draws=2, random_state=0)
    reasons = model.fit(X[TRAIN], y[TRAIN], weights).reasons(X[NEW])
    assert reasons.sample_indices.min() >= 30
    expected = np.broadcast_to(reasons.classes[:, :, np.newaxis], (80, 2, 3))
    np.testing.assert_array_equal(y[reasons.sample_indices], expected)


def test_a_single_class_needs_no_reason():
    model = MemorizingClassifier().fit(X[:5], np.full(5, "only"))
    reasons = model.reasons(X[NEW], 2)
    assert (reasons.classes == "only").all()
    assert reasons.classes.shape == (80, 1)
    assert reasons.neurons.shape == (80, 1, 2)
    assert (reasons.neurons == -1).all()
    assert np.isnan(reasons.margins).all()


@pytest.mark.parametrize(("n", "error"), [(0, ValueError), (1.5, TypeError)])
def test_the_number_of_reasons_is_checked(n, error):
    model = MemorizingClassifier(n_draws=1).fit(X[TRAIN], y[TRAIN])
    with pytest.raises(error, match="n_reasons"):
        model.reasons(X[NEW], n)


def test_other_features_are_refused():
    model = MemorizingClassifier(n_draws=1).fit(X[TRAIN], y[TRAIN])
    with pytest.raises(ValueError, match="features"):
        model.reasons(X[NEW, :3])
