"""What is stored can be read again; what is damaged or foreign is refused."""

import copy
import pickle

import joblib
import numpy as np
import pytest
from _estimators import PUBLIC
from scipy import sparse
from sklearn.base import clone, is_regressor
from sklearn.exceptions import InconsistentVersionWarning

import sklearn_memorize
from sklearn_memorize import MemorizingClassifier, RandomThresholdTransformer
from sklearn_memorize.constructions.random_hyperplanes._network import CoverNetwork
from sklearn_memorize.network import Layer, LayeredNetwork, Network

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 5))
Y = np.arange(60) % 3
NETWORKS = [name for name in PUBLIC if name != "RandomThresholdTransformer"]


def fitted(name, **parameters):
    kind = getattr(sklearn_memorize, name)
    if "random_state" in kind().get_params():
        parameters["random_state"] = 0
    estimator = kind(**parameters)
    return estimator.fit(X, np.sin(X[:, 0]) if is_regressor(estimator) else Y)


def restored(estimator, state):
    """Make an estimator of a state, as pickle does."""
    other = object.__new__(type(estimator))
    other.__setstate__(state)
    return other


def answers(estimator, rows):
    for name in ("decision_function", "predict", "transform"):
        if hasattr(estimator, name):
            return getattr(estimator, name)(rows)
    return None


def places(plain, path=()):
    """Yield where the arrays of a state are."""
    if isinstance(plain, dict):
        for key, part in plain.items():
            yield from places(part, (*path, key))
    elif isinstance(plain, list):
        for number, part in enumerate(plain[:2]):
            yield from places(part, (*path, number))
    elif isinstance(plain, np.ndarray):
        yield path


def with_other(plain, path, change):
    """Return a copy of a state with one of its arrays changed."""
    changed = copy.deepcopy(plain)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = change(holder[path[-1]])
    return changed


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", PUBLIC)
def test_a_restored_estimator_answers_alike(name, dtype, tmp_path):
    estimator = fitted(name)
    new = (2 * np.random.default_rng(1).standard_normal((200, 5))).astype(dtype)
    joblib.dump(estimator, tmp_path / "estimator.joblib")
    for other in (
        pickle.loads(pickle.dumps(estimator)),
        copy.deepcopy(estimator),
        joblib.load(tmp_path / "estimator.joblib", mmap_mode="r"),
        pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(estimator)))),
    ):
        np.testing.assert_array_equal(answers(other, new), answers(estimator, new))
        assert other.get_params() == estimator.get_params()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_can_be_stored_alone(name):
    network = fitted(name).network_
    other = pickle.loads(pickle.dumps(network))
    assert type(other) is type(network)
    assert repr(other) == repr(network)
    np.testing.assert_array_equal(other.forward(X), network.forward(X))


@pytest.mark.parametrize("name", PUBLIC)
def test_an_estimator_that_is_not_fitted_can_be_stored(name):
    estimator = clone(fitted(name))
    other = pickle.loads(pickle.dumps(estimator))
    assert other.get_params() == estimator.get_params()
    assert not hasattr(other, "n_features_in_")


def test_restored_networks_are_read_only_and_hold_nothing_precomputed():
    estimator = fitted("MemorizingClassifier")
    estimator.predict(X)
    (covering, *_) = pickle.loads(pickle.dumps(estimator)).network_.coverings
    assert not covering.masks.flags.writeable
    assert not covering.hyperplanes.directions.flags.writeable
    assert set(vars(covering.hyperplanes)) == {
        "directions",
        "scaled_biases",
        "exponent",
        "shift",
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_stored_are_arrays_numbers_and_texts(name):
    def kinds(plain):
        if isinstance(plain, dict):
            return set().union(*map(kinds, plain.values()))
        if isinstance(plain, list):
            return set().union(*map(kinds, plain))
        return {type(plain)}

    state = fitted(name).__getstate__()["network_"]
    assert kinds(state) <= {np.ndarray, np.int64, int, float, str, bool, type(None)}


@pytest.mark.parametrize("name", NETWORKS)
def test_an_array_that_lost_entries_is_refused(name):
    estimator = fitted(name)
    state = estimator.__getstate__()
    arrays = list(places(state["network_"]))
    assert arrays
    for path in arrays:
        if path[-1] == "members":  # of a slab; the network does not look at them
            continue
        path = ("network_", *path)
        for change in (lambda array: array[:-1], lambda array: np.zeros((2, 3, 4))):
            damaged = with_other(state, path, change)
            with pytest.raises(
                ValueError, match=f"stored {name} is damaged.*fit again"
            ):
                restored(estimator, damaged)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_part_that_is_missing_is_refused(name):
    estimator = fitted(name)
    state = estimator.__getstate__()
    for part in state["network_"]:
        damaged = copy.deepcopy(state)
        del damaged["network_"][part]
        with pytest.raises(ValueError, match="is damaged"):
            restored(estimator, damaged)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("attribute", ["network_", "n_features_in_", "n_conflicts_"])
def test_a_fitted_attribute_that_is_missing_is_named(name, attribute):
    estimator = fitted(name)
    state = estimator.__getstate__()
    del state[attribute]
    with pytest.raises(ValueError, match=f"is damaged: it lacks {attribute}"):
        restored(estimator, state)


def test_a_parameter_that_is_missing_is_named():
    estimator = fitted("MemorizingClassifier")
    state = estimator.__getstate__()
    del state["decision"]
    with pytest.raises(ValueError, match="it lacks decision"):
        restored(estimator, state)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"n_features_in_": 6}, "reads 5 features, and n_features_in_ is 6"),
        ({"classes_": np.arange(2)}, "3 outputs for 2 classes_"),
        ({"classes_": np.zeros((3, 1))}, "classes_ is not a vector"),
        ({"classes_": [0, 1, 2]}, "classes_ is not a vector"),
    ],
)
def test_attributes_that_do_not_fit_are_refused(changes, reason):
    estimator = fitted("MemorizingClassifier")
    with pytest.raises(ValueError, match=reason):
        restored(estimator, {**estimator.__getstate__(), **changes})


def damaged_covering(**changes):
    state = fitted("MemorizingClassifier", n_draws=2).__getstate__()
    first, second = state["network_"]["coverings"]
    coverings = [{**first, **changes}, second]
    return {**state, "network_": {**state["network_"], "coverings": coverings}}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"activation": "tanh"}, "no such activation"),
        ({"activation": "relu"}, "the same activation"),
        ({"bounds": np.ones(3)}, "bounds must be integers"),
        ({"masks": np.zeros((1, 1), dtype=np.int64)}, "masks must be words"),
        (
            {"hyperplanes": {"kind": "sklearn_memorize.network.Layer"}},
            "the parts of a Layer do not fit",
        ),
        ({"hyperplanes": {"kind": "print"}}, "there is no 'print'"),
        ({"hyperplanes": None}, "do not fit"),
    ],
)
def test_coverings_that_do_not_fit_are_refused(changes, reason):
    estimator = MemorizingClassifier()
    with pytest.raises(ValueError, match=reason):
        restored(estimator, damaged_covering(**changes))


def test_masks_of_absent_hyperplanes_and_not_finite_numbers_are_refused():
    estimator = fitted("MemorizingClassifier", n_draws=1, n_hyperplanes=100)
    state = estimator.__getstate__()
    path = ("network_", "coverings", 0)

    def set_all(array):
        return np.full_like(array, -1 if array.dtype.kind == "f" else 2**64 - 1)

    with pytest.raises(ValueError, match="hyperplanes that are not there"):
        restored(estimator, with_other(state, (*path, "masks"), set_all))
    for part in ("directions", "scaled_biases"):
        place = (*path, "hyperplanes", part)
        with pytest.raises(ValueError, match="must be finite"):
            restored(estimator, with_other(state, place, lambda a: a * np.nan))


def test_a_quorum_that_cannot_be_reached_is_refused():
    estimator = fitted("MemorizingClassifier")
    state = with_other(estimator.__getstate__(), ("network_", "quorum"), lambda _: 99)
    with pytest.raises(ValueError, match="quorum"):
        restored(estimator, state)


@pytest.mark.parametrize("name", PUBLIC)
def test_what_another_program_or_format_stored_is_refused(name):
    estimator = fitted(name)
    state = estimator.__getstate__()
    for change in ({"_sklearn_memorize_format": 0}, {"_sklearn_memorize_format": None}):
        with pytest.raises(ValueError, match="version 0.1.0 cannot read it.*fit again"):
            restored(estimator, {**state, **change})
    with pytest.raises(ValueError, match="by another version"):
        restored(estimator, dict(estimator.get_params()))


@pytest.mark.parametrize("state", [None, {}, {"format": 1}, {"format": 2, "kind": "X"}])
def test_a_foreign_state_of_a_network_is_refused(state):
    network = object.__new__(CoverNetwork)
    with pytest.raises(ValueError, match="CoverNetwork was stored by another version"):
        network.__setstate__(state)


def test_another_version_of_the_same_format_is_read_with_a_warning():
    estimator = fitted("MemorizingClassifier")
    state = {**estimator.__getstate__(), "_sklearn_memorize_version": "0.0.9"}
    with pytest.warns(InconsistentVersionWarning, match=r"0\.0\.9 of sklearn_memorize"):
        other = restored(estimator, state)
    np.testing.assert_array_equal(other.predict(X), Y)


def test_sparse_layers_are_checked():
    hidden = Layer(sparse.csr_array(np.eye(3)), np.zeros(3), "relu")
    network = LayeredNetwork([hidden])
    state = network.__getstate__()
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(network)).forward(X[:, :3]), network.forward(X[:, :3])
    )
    for part in ("data", "indices", "indptr"):
        damaged = with_other(state, ("layers", 0, "weights", part), lambda a: a[:-1])
        with pytest.raises(ValueError, match="LayeredNetwork is damaged"):
            object.__new__(LayeredNetwork).__setstate__(damaged)
    damaged = with_other(state, ("layers", 0, "weights", "indices"), lambda a: a + 99)
    with pytest.raises(ValueError, match="LayeredNetwork is damaged"):
        object.__new__(LayeredNetwork).__setstate__(damaged)


def test_every_network_says_what_it_is_made_from():
    def below(kind):
        return {kind, *(k for child in kind.__subclasses__() for k in below(child))}

    made = {type(fitted(name).network_) for name in NETWORKS} | {LayeredNetwork}
    ours = {k for k in below(Network) if k.__module__.startswith("sklearn_memorize")}
    assert ours - {Network} == made


def test_a_transformer_with_damaged_hyperplanes_is_refused():
    transformer = RandomThresholdTransformer(n_hyperplanes=7, random_state=0).fit(X)
    state = transformer.__getstate__()
    for part in ("directions", "scaled_biases"):
        damaged = with_other(state, ("hyperplanes_", part), lambda array: array[:-1])
        with pytest.raises(ValueError, match="directions and biases must agree"):
            restored(transformer, damaged)
