"""Weights of classes weigh the vote, and leave recall as it is."""

import numpy as np
import pytest
from sklearn.datasets import make_classification

from sklearn_memorize import MemorizingClassifier

X, y = make_classification(
    500, 6, n_informative=3, weights=[0.85], flip_y=0.1, class_sep=0.6, random_state=0
)
NAMES = np.array(["common", "rare"])
TRAIN, NEW = slice(0, 250), slice(250, 500)
WAYS = [
    {"hyperplanes": "random", "n_draws": 4},
    {"hyperplanes": "adapted", "n_draws": 4},
    {"activation": "relu", "n_draws": 2},
    {"keep": "best"},
]


def model(**options):
    paper = {"hyperplanes": "random", "min_hyperplanes": 150, "random_state": 0}
    return MemorizingClassifier(**{**paper, **options})


@pytest.fixture(scope="module", params=WAYS, ids=str)
def way(request):
    return request.param


def believed(fitted, rows):
    """Return whether one class alone fires, in as many draws as it takes."""
    network = fitted.network_
    pairs = zip(network.coverings, network.encode(rows), strict=True)
    fires = np.stack([covering.fires(codes) for covering, codes in pairs])
    alone = fires.any(axis=0).sum(axis=1) == 1
    return alone & (fires.sum(axis=0).max(axis=1) >= network.quorum)


def test_probabilities_are_multiplied_where_the_vote_decides(way):
    weights = {"common": 0.5, "rare": 3.0}
    plain = model(**way).fit(X[TRAIN], NAMES[y[TRAIN]])
    weighted = model(class_weight=weights, **way).fit(X[TRAIN], NAMES[y[TRAIN]])
    free = ~believed(plain, X[NEW])
    assert 0 < free.mean() < 1
    expected = plain.predict_proba(X[NEW]) * [0.5, 3.0]
    expected /= expected.sum(axis=1, keepdims=True)
    found = weighted.predict_proba(X[NEW])
    np.testing.assert_allclose(found[free], expected[free], rtol=1e-9)
    predicted = weighted.predict(X[NEW])
    np.testing.assert_array_equal(predicted[~free], plain.predict(X[NEW])[~free])
    np.testing.assert_array_equal(predicted, NAMES[found.argmax(axis=1)])
    assert (predicted == "rare").sum() > (plain.predict(X[NEW]) == "rare").sum()


@pytest.mark.parametrize("weights", ["balanced", {1: 1e300}, {0: 1e300, 1: 1e-300}])
def test_every_training_sample_is_recalled_whatever_the_weights(way, weights):
    fitted = model(class_weight=weights, **way).fit(X[TRAIN], y[TRAIN])
    assert fitted.interpolates_
    np.testing.assert_array_equal(fitted.predict(X[TRAIN]), y[TRAIN])


def test_balanced_weights_go_by_the_number_of_distinct_rows():
    counts = np.bincount(y[TRAIN])
    weights = {0: 1.0 / counts[0], 1: 1.0 / counts[1]}
    # Adapted hyperplanes are calibrated, and repeated rows count there.
    random = {"hyperplanes": "random", "n_draws": 2}
    balanced = model(class_weight="balanced", **random)
    repeated = np.concatenate((np.arange(250), np.flatnonzero(y[TRAIN] == 0)))
    expected = model(class_weight=weights, **random).fit(X[TRAIN], y[TRAIN])
    for rows in (np.arange(250), repeated):
        found = balanced.fit(X[rows], y[rows]).decision_function(X[NEW])
        np.testing.assert_array_equal(found, expected.decision_function(X[NEW]))
    batches = model(class_weight="balanced", **random)
    for rows in (slice(0, 90), slice(90, 250)):
        batches.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    calibration = batches.network_.calibration
    offsets = calibration.offsets - calibration.offsets.min()
    np.testing.assert_allclose(np.exp(offsets[1]), counts[0] / counts[1])
    # A class without samples is not made more likely than the most common one.
    assert offsets[2] == offsets[0] == 0


def test_equal_weights_change_no_label():
    plain = model().fit(X[TRAIN], y[TRAIN]).predict(X[NEW])
    equal = model(class_weight={0: 7, 1: 7}).fit(X[TRAIN], y[TRAIN]).predict(X[NEW])
    np.testing.assert_array_equal(equal, plain)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_weight": {0: 0.0}}, "0 has no positive weight"),
        ({"class_weight": {1: np.inf}}, "1 has no positive weight"),
        ({"class_weight": {1: np.nan}}, "1 has no positive weight"),
        ({"class_weight": {"no": 1}}, "'no' is not a label"),
        ({"class_weight": "balanced", "decision": "network"}, "there is none"),
        ({"class_weight": "balanced", "one_sided": True}, "there is none"),
    ],
)
def test_weights_that_mean_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        model(**options).fit(X[TRAIN], y[TRAIN])
