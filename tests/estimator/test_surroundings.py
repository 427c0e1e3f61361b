"""Byte order, scalars, settings of NumPy and scikit-learn: none of it shows."""

import copy
import pickle
import warnings
from numbers import Integral, Real

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from support.estimators import CLASSES, PUBLIC, REGRESSORS, VARIANTS, answers, new
from support.estimators import kind_of as kind_of_variant
from support.storage import LABELS, SAMPLES, fitted

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.applications import (
    MemorizingCorrector,
    MemorizingCorrectorRegressor,
)
from sklearn_memorize.exceptions import InterpolationError
from sklearn_memorize.inspection import memorization_scores

METHODS = ("predict", "decision_function", "predict_proba", "predict_log_proba")
METHODS += ("transform", "reasons", "acts_on")
# They correct models that look at no sample, so that nothing else can go wrong.
CORRECTORS = {
    "MemorizingCorrector": lambda: MemorizingCorrector(
        DummyClassifier(), random_state=0
    ),
    "MemorizingCorrectorRegressor": lambda: MemorizingCorrectorRegressor(
        DummyRegressor()
    ),
}


def made(name):
    return CORRECTORS[name]() if name in CORRECTORS else new(name)


def targets_of(name):
    kind = name if name in CORRECTORS else kind_of_variant(name)
    is_regressor = kind in REGRESSORS or kind.endswith("Regressor")
    return np.sin(SAMPLES[:, 0]) if is_regressor else LABELS


def same(one, other):
    return joblib.hash(one) == joblib.hash(other)


# Byte order. A data frame keeps that of its columns, and validation lets it pass.


def swapped(X, container):
    """Return the values of X, with the bytes of each in the other order."""
    X = X.astype(X.dtype.newbyteorder())
    if container == "frame":
        return pd.DataFrame(X)
    return sparse.csr_array(X) if container == "sparse" else X


@pytest.mark.parametrize(
    ("dtype", "container"),
    [("f4", "frame"), ("f8", "frame"), ("i4", "frame"), ("f4", "array")],
)
@pytest.mark.parametrize("name", [*VARIANTS, *CORRECTORS])
def test_the_order_of_bytes_does_not_show(name, container, dtype):
    X = (SAMPLES * 100).astype(dtype)
    y, given = targets_of(name), swapped(X, container)
    expected, model = made(name).fit(X, y), made(name)
    model.fit(given, y.astype(y.dtype.newbyteorder()))
    for fitted_on_either in (expected, model):
        said = answers(fitted_on_either, given)
        assert np.array_equal(said, answers(expected, X))
    if hasattr(model, "network_"):
        assert same(model.network_, expected.network_)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("container", ["frame", "array"])
def test_the_order_of_bytes_does_not_show_in_batches(container, dtype):
    X = SAMPLES.astype(dtype)
    both = []
    for rows in (X, swapped(X, container)):
        model = MemorizingClassifier(random_state=0)
        model.partial_fit(rows[:30], LABELS[:30], classes=[0, 1, 2])
        both.append(model.partial_fit(rows[30:], LABELS[30:]))
    one, other = both
    assert same(one.network_, other.network_)
    assert (other.predict(swapped(X, container)) == LABELS).all()


def test_the_order_of_bytes_does_not_show_in_corrections():
    both = []
    for rows in (SAMPLES, swapped(SAMPLES, "frame")):
        model = CORRECTORS["MemorizingCorrector"]().fit(rows[:40], LABELS[:40])
        both.append(model.correct(rows[40:], (LABELS[40:] + 1) % 3))
    assert same(both[0].corrections_, both[1].corrections_)


def test_the_order_of_bytes_does_not_show_in_scores_of_samples():
    expected = memorization_scores(SAMPLES, LABELS, n_draws=2, random_state=0)
    for container in ("frame", "array"):
        rows = swapped(SAMPLES, container)
        scores = memorization_scores(rows, LABELS, n_draws=2, random_state=0)
        assert np.array_equal(scores, expected)


# Parameters as NumPy scalars.

# Small enough for eight bits, and so large that sizes computed from them are not.
INTEGERS = {"n_layers": 5, "n_jobs": 2, "n_word_bits": 20, "n_draws": 3}
OF_ANY_SIZE = 120


def numbers_of(name):
    """Return the parameters that may be numbers, and such a number for each."""
    for parameter, constraints in CLASSES[name]._parameter_constraints.items():
        kinds = [getattr(c, "type", c) for c in constraints]
        if parameter == "random_state" or Integral in kinds:
            yield parameter, INTEGERS.get(parameter, OF_ANY_SIZE), "iu"
        elif Real in kinds:
            yield parameter, 0.25, "f"


SCALARS = {
    "iu": (np.uint8, np.int8, np.int64, np.uint64),
    "f": (np.float16, np.float64, np.longdouble),
}


@pytest.mark.filterwarnings("ignore::sklearn_memorize.exceptions.InterpolationWarning")
@pytest.mark.parametrize("name", PUBLIC)
def test_numpy_scalars_as_parameters_do_what_plain_numbers_do(name):
    y = targets_of(name)
    for parameter, number, kinds in numbers_of(name):
        plain = {parameter: number}
        if parameter == "n_word_bits":
            plain["n_hyperplanes"] = 100
        if name == "MemorizingClassifier":
            plain.setdefault("n_draws", 2)
        expected = answers(new(name, **plain).fit(SAMPLES, y), SAMPLES)
        for kind in SCALARS[kinds]:
            model = new(name, **{**plain, parameter: kind(number)})
            model.fit(SAMPLES, y)
            assert np.array_equal(answers(model, SAMPLES), expected), (parameter, kind)
            assert type(model.get_params()[parameter]) is type(number)
            clone(model)


@pytest.mark.parametrize("name", PUBLIC)
def test_numpy_scalars_are_refused_where_plain_numbers_are(name):
    for parameter, _, kinds in numbers_of(name):
        if parameter == "n_jobs":
            continue
        for kind in SCALARS[kinds]:
            if np.dtype(kind).kind == "u":
                continue
            with pytest.raises(ValueError, match=f"'{parameter}' parameter of {name}"):
                new(name, **{parameter: kind(-1)}).fit(SAMPLES, targets_of(name))


def test_numpy_scalars_are_plain_numbers_however_they_are_set():
    model = MemorizingClassifier(keep=np.str_("all"), prune=np.bool_(False))
    model.set_params(n_draws=np.uint8(3))
    model.n_hyperplanes = np.uint8(200)
    state = model.__getstate__() | {"max_bias": np.float32(0.5)}  # of a former version
    restored = object.__new__(MemorizingClassifier)
    restored.__setstate__(state)
    kinds = {name: type(value) for name, value in restored.get_params().items()}
    assert kinds["keep"] is str and kinds["prune"] is bool
    assert kinds["n_draws"] is kinds["n_hyperplanes"] is int
    assert kinds["max_bias"] is float
    restored.partial_fit(SAMPLES, LABELS, classes=[0, 1, 2])
    assert restored.n_hyperplanes_ == 600


def test_correctors_take_numpy_scalars():
    model = MemorizingCorrector(
        DummyClassifier(),
        n_hyperplanes=np.uint8(200),
        n_draws=np.uint8(2),
        random_state=np.uint8(0),
        n_jobs=np.uint8(2),
    )
    expected = MemorizingCorrector(DummyClassifier(), n_hyperplanes=200, n_draws=2)
    expected.set_params(random_state=0).fit(SAMPLES, LABELS)
    assert same(model.fit(SAMPLES, LABELS).network_, expected.network_)
    tolerant = CORRECTORS["MemorizingCorrectorRegressor"]()
    tolerant.set_params(tolerance=np.float16(0.25), reach=np.float32(0.5))
    assert tolerant.get_params()["tolerance"] == 0.25
    assert tolerant.fit(SAMPLES, np.sin(SAMPLES[:, 0])).interpolates_


# Settings of NumPy.


@pytest.mark.parametrize("scale", [1.0, 1e-310, 1e150])
@pytest.mark.parametrize("name", [*VARIANTS, *CORRECTORS])
def test_arithmetic_that_raises_for_others_does_not_raise_here(name, scale):
    X, y = SAMPLES * scale, targets_of(name)

    def outcome():
        try:
            model = made(name).fit(X, y)
        except InterpolationError as refused:  # there are such of steep networks
            return str(refused)
        methods = [method for method in METHODS if hasattr(model, method)]
        return {method: joblib.hash(getattr(model, method)(X)) for method in methods}

    expected = outcome()
    with np.errstate(all="raise"):
        assert outcome() == expected
        assert np.geterr()["under"] == "raise"


def test_arithmetic_that_raises_for_others_does_not_raise_in_batches():
    with np.errstate(all="raise"):
        model = MemorizingClassifier(random_state=0)
        for start in range(0, 60, 20):
            rows = slice(start, start + 20)
            model.partial_fit(SAMPLES[rows], LABELS[rows], classes=[0, 1, 2])
        corrector = CORRECTORS["MemorizingCorrector"]().fit(SAMPLES, LABELS)
        corrector.correct(SAMPLES + 100.0, LABELS)
    assert (model.predict(SAMPLES) == LABELS).all()


# Settings of scikit-learn.


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", [*VARIANTS, *CORRECTORS])
def test_what_is_not_finite_is_not_memorized_whatever_was_assumed(name, bad):
    X, y = SAMPLES.copy(), targets_of(name)
    X[3, 1] = bad
    model = made(name)
    with config_context(assume_finite=True), warnings.catch_warnings():
        warnings.simplefilter("error")
        for container in (np.asarray, pd.DataFrame, sparse.csr_array):
            if container is sparse.csr_array and name in CORRECTORS:
                continue
            with pytest.raises(ValueError, match="NaN|infinity"):
                model.fit(container(X), y)
        if hasattr(model, "partial_fit"):
            with pytest.raises(ValueError, match="NaN|infinity"):
                model.partial_fit(X, y, classes=[0, 1, 2])
        if name in CORRECTORS:
            model.fit(SAMPLES, y)
            with pytest.raises(ValueError, match="NaN|infinity"):
                model.correct(X, y)


@pytest.mark.parametrize("name", PUBLIC)
def test_targets_and_weights_that_are_not_finite_are_refused_likewise(name):
    y = targets_of(name).astype(np.float64)
    bad = np.where(np.arange(60) == 3, np.nan, y)
    weights = np.where(np.arange(60) == 3, np.nan, 1.0)
    if name == "RandomThresholdTransformer":
        pytest.skip("it takes neither")
    with config_context(assume_finite=True):
        with pytest.raises(ValueError, match="NaN"):
            new(name).fit(SAMPLES, bad)
        with pytest.raises(ValueError, match="NaN"):
            new(name).fit(SAMPLES, targets_of(name), sample_weight=weights)


# Attributes of the user's own.

OWN = [
    {"kind": "production"},
    {"kind": "dict"},
    {"kind": "as it is", "value": 1},
    {"kind": "sklearn_memorize.network.LayeredNetwork", "layers": (1, 2)},
    {"kind": 3, "nested": {"kind": "csr", "shape": (2, 3)}},
]


@pytest.mark.parametrize("own", OWN, ids=lambda own: str(own["kind"]))
@pytest.mark.parametrize("name", PUBLIC)
def test_dictionaries_of_the_users_own_are_stored_as_they_are(name, own):
    model = fitted(name)
    model.metadata_ = own
    for stored in (
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(copy.copy(model))),
    ):
        assert stored.metadata_ == own
        assert np.array_equal(answers(stored, SAMPLES), answers(model, SAMPLES))


def test_a_class_may_be_called_what_stored_objects_are():
    labels = np.array(["kind", "unkind"])[LABELS % 2]
    weights = {"kind": 2.0, "unkind": 1.0}
    model = MemorizingClassifier(class_weight=weights, random_state=0)
    model = pickle.loads(pickle.dumps(model.fit(SAMPLES, labels)))
    assert model.class_weight == weights
    assert clone(model).class_weight == weights
    assert (model.predict(SAMPLES) == labels).all()


# Chunks without rows.
