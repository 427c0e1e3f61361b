"""ONNX models, run by onnxruntime: the labels of `predict`."""

import numpy as np
import pytest
from sklearn.base import clone, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from support.estimators import new
from support.exported import (
    CASES,
    REFUSED,
    each_case,
    fitted,
    memorizing,
    predictors,
    samples,
)
from support.needs import needs

from sklearn_memorize import (
    InterpolatingNeighborsClassifier,
    InterpolatingNeighborsRegressor,
    NearbySetClassifier,
    RandomThresholdTransformer,
    SlabClassifier,
)
from sklearn_memorize.applications import MemorizingCorrector
from sklearn_memorize.export import register_onnx_converters, to_onnx

onnx, onnxruntime, skl2onnx = map(needs, ("onnx", "onnxruntime", "skl2onnx"))


def session(model):
    """Start onnxruntime on a model."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    written = model if isinstance(model, bytes) else model.SerializeToString()
    return onnxruntime.InferenceSession(
        written, options, providers=["CPUExecutionProvider"]
    )


def run(model, X):
    """Return the outputs of a model for some rows."""
    return session(model).run(None, {"X": X})


def assert_equal_scores(scores, expected):
    """Compare to the last bit; what comes after 0 is 2**-126 in ONNX."""
    np.testing.assert_allclose(scores, expected, rtol=0, atol=2.0**-126)


def test_every_predictor_is_compared_or_refused():
    compared = {type(estimator).__name__ for estimator, _, _ in CASES}
    assert compared | REFUSED == predictors()


@each_case
def test_the_model_says_what_predict_says(case):
    estimator, X, new = fitted(case)
    model = to_onnx(estimator)
    onnx.checker.check_model(model, full_check=True)
    for rows in (X, new):
        outputs = run(model, rows)
        if is_regressor(estimator):
            np.testing.assert_allclose(outputs[0], estimator.predict(rows), atol=1e-6)
            continue
        labels, found = outputs
        np.testing.assert_array_equal(labels, estimator.predict(rows))
        np.testing.assert_array_equal(
            estimator.classes_[found.argmax(axis=1)], estimator.predict(rows)
        )
        np.testing.assert_allclose(
            found, estimator.predict_proba(rows), rtol=1e-5, atol=1e-6
        )


@each_case
def test_scores_are_put_out_where_they_are_asked_for(case):
    estimator, X, new = fitted(case)
    if is_regressor(estimator):
        return
    model = to_onnx(estimator, raw_scores=True)
    assert [output.name for output in model.graph.output] == ["label", "scores"]
    for rows in (X, new):
        labels, scores = run(model, rows)
        np.testing.assert_array_equal(labels, estimator.predict(rows))
        expected = estimator.decision_function(rows)
        if len(estimator.classes_) == 2:
            np.testing.assert_array_equal(scores[:, 0], -scores[:, 1])
            scores = scores[:, 1]
        np.testing.assert_allclose(
            scores.reshape(expected.shape), expected, rtol=1e-6, atol=1e-6
        )


WORDS = np.array(["no", "yes", "maybe"])


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        (WORDS, ["smaybe", "sno", "syes"]),
        (np.array([7, -3, 11]), ["i-3", "i7", "i11"]),
        (np.array([1.0, 2.0, 3.0]), None),
        (np.array([False, True]), ["i0", "i1"]),
    ],
    ids=["texts", "integers", "real numbers", "booleans"],
)
def test_zipmaps_follow_the_conventions_of_skl2onnx(classes, names):
    X, numbers = samples(200, len(classes))
    estimator = memorizing().fit(X, classes[numbers])
    expected = estimator.predict_proba(X)
    model = to_onnx(estimator, zipmap=False)
    assert [output.name for output in model.graph.output] == ["label", "probabilities"]
    for labels, maps in (
        run(to_onnx(estimator, zipmap=True), X),
        run(skl2onnx.to_onnx(estimator, initial_types=double_input(5)), X),
    ):
        assert labels.tolist() == classes[numbers].tolist()
        assert [list(row) for row in maps] == [estimator.classes_.tolist()] * 200
        found = np.array([list(row.values()) for row in maps])
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-30)
    if names is None:  # skl2onnx names no columns after real numbers
        return
    model = to_onnx(estimator, zipmap="columns")
    outputs = [output.name for output in model.graph.output]
    assert outputs == ["output_label", *names]
    labels, *columns = run(model, X)
    assert labels.tolist() == classes[numbers].tolist()
    np.testing.assert_allclose(np.column_stack(columns), expected, rtol=1e-12)


def double_input(n_features):
    return [("X", skl2onnx.common.data_types.DoubleTensorType([None, n_features]))]


def wrapped(n_classes):
    """Yield the meta-estimators that skl2onnx converts, around our classifiers."""
    members = [
        ("covers", memorizing()),
        ("slabs", SlabClassifier(random_state=0)),
        ("cells", NearbySetClassifier()),
    ]
    yield VotingClassifier(members, voting="soft", flatten_transform=False)
    yield StackingClassifier(members, LogisticRegression(), cv=2)
    yield CalibratedClassifierCV(memorizing(), cv=2)
    if n_classes > 2:
        yield OneVsRestClassifier(memorizing())


@pytest.mark.parametrize("n_classes", [2, 3])
def test_meta_estimators_are_converted_with_what_is_in_them(n_classes):
    register_onnx_converters()
    X, y = samples(200, n_classes)
    new = np.random.default_rng(1).standard_normal((300, 5))
    for model in wrapped(n_classes):
        model.fit(X, y)
        converted = skl2onnx.to_onnx(
            model,
            initial_types=double_input(5),
            options={id(model): {"zipmap": False}},
        )
        labels, found = run(converted, new)
        expected = model.predict_proba(new)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        # Sums of several models may tie, up to rounding.
        clear = np.diff(np.sort(expected, axis=1)[:, -2:])[:, 0] > 1e-5
        assert clear.mean() > 0.9
        np.testing.assert_array_equal(labels[clear], model.predict(new)[clear])


@pytest.mark.parametrize("activation", ["threshold", "relu"])
@pytest.mark.parametrize("decision", ["vote", "network"])
def test_the_scores_of_coverings_are_equal_to_the_last_bit(decision, activation):
    X, y = samples(300, 4)
    estimator = memorizing(decision=decision, activation=activation).fit(X, y)
    new = 2 * np.random.default_rng(1).standard_normal((10_000, 5))
    _, scores = run(to_onnx(estimator, raw_scores=True), new)
    assert_equal_scores(scores, estimator.decision_function(new))


@pytest.mark.parametrize(
    "classes",
    [
        np.array(["no", "yes", "maybe"]),
        np.array(["no", "yes", "maybe"], dtype=object),
        np.array([7, -3, 2**40]),
        np.array([0, 200, 255], dtype=np.uint8),
        np.array([0, 2**53 + 1, 2**63 - 1], dtype=np.uint64),
        np.array([-(2**63), 2**53 + 1, 2**63 - 1]),
        np.array([-1.0, 0.0, 2.0]),
        np.array([False, True]),
    ],
    ids=lambda classes: classes.dtype.name,
)
def test_labels_keep_their_values(classes):
    X, numbers = samples(200, len(classes))
    y = classes[numbers]
    labels, _ = run(to_onnx(memorizing().fit(X, y)), X)
    assert labels.tolist() == y.tolist()


def test_labels_that_onnx_does_not_know_are_refused():
    X, y = samples(100, 2)
    estimator = memorizing().fit(X, y)
    estimator.classes_ = np.array([None, (1, 2)], dtype=object)
    with pytest.raises(ValueError, match="labels of type object have no counterpart"):
        to_onnx(estimator)


@pytest.mark.parametrize("largest", [2**63, 2**64 - 1])
def test_labels_of_more_bits_than_onnx_has_are_refused(largest):
    X, numbers = samples(60, 3)
    y = np.array([0, 1, largest], dtype=np.uint64)[numbers]
    model = memorizing(n_draws=1)
    for estimator in (
        model,
        make_pipeline(StandardScaler(), model),
        VotingClassifier([("one", model), ("other", clone(model))]),
        MemorizingCorrector(DummyClassifier(), n_draws=1, random_state=0),
    ):
        estimator.fit(X, y)
        assert estimator.predict(X).max() == largest
        for zipmap in (False, True):
            with pytest.raises(ValueError, match=f"label {largest} is not below"):
                to_onnx(estimator, zipmap=zipmap)
    register_onnx_converters()
    with pytest.raises(ValueError, match=f"label {largest} is not below"):
        skl2onnx.to_onnx(model, initial_types=double_input(5))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_digits_in_a_pipeline(dtype):
    X, y = load_digits(return_X_y=True)
    X = X.astype(dtype)
    model = make_pipeline(StandardScaler(), memorizing()).fit(X[:900], y[:900])
    labels, _ = run(to_onnx(model, dtype=dtype), X)
    assert (labels[:900] == y[:900]).all()
    # In single precision the scaler rounds otherwise than scikit-learn's.
    differing = (labels != model.predict(X)).sum()
    assert differing <= (0 if dtype == np.float64 else 2)


def test_a_search_and_the_transformer_in_a_pipeline():
    X, y = samples(300, 3)
    model = GridSearchCV(
        make_pipeline(
            StandardScaler(),
            RandomThresholdTransformer(n_hyperplanes=200, random_state=0),
            SlabClassifier(random_state=0),
        ),
        {"slabclassifier__degenerate": ["split"]},
        cv=2,
    ).fit(X, y)
    labels, _ = run(to_onnx(model), X)
    np.testing.assert_array_equal(labels, model.predict(X))


def test_skl2onnx_converts_once_the_converters_are_registered():
    register_onnx_converters()
    X, y = samples(200, 3)
    split = make_column_transformer(
        (StandardScaler(), [0, 1]), ("passthrough", [2, 3, 4])
    )
    model = make_pipeline(split, memorizing()).fit(X, y)
    converted = skl2onnx.to_onnx(model, X[:1], options={"zipmap": False})
    labels, _ = run(converted, X)
    np.testing.assert_array_equal(labels, y)


def test_columns_may_come_one_by_one():
    register_onnx_converters()
    X, y = samples(200, 3)
    estimator = memorizing().fit(X, y)
    column = skl2onnx.common.data_types.DoubleTensorType([None, 1])
    names = [f"x{number}" for number in range(X.shape[1])]
    converted = skl2onnx.to_onnx(
        estimator, initial_types=[(name, column) for name in names]
    )
    inputs = {name: X[:, [number]] for number, name in enumerate(names)}
    labels, _ = session(converted).run(None, inputs)
    np.testing.assert_array_equal(labels, y)


@pytest.mark.parametrize("single_precision", [False, True])
def test_the_transformer(single_precision):
    X, _ = samples(300, 3)
    transformer = RandomThresholdTransformer(n_hyperplanes=100, random_state=0).fit(X)
    model = to_onnx(transformer, single_precision=single_precision)
    (signs,) = run(model, X)
    np.testing.assert_array_equal(signs, transformer.transform(X))
    assert signs.dtype == (np.float32 if single_precision else np.float64)


def test_single_precision_inputs_are_taken_as_they_are():
    X, y = samples(300, 3)
    X = X.astype(np.float32)
    estimator = memorizing().fit(X, y)
    labels, scores = run(to_onnx(estimator, dtype=np.float32, raw_scores=True), X)
    np.testing.assert_array_equal(labels, y)
    assert_equal_scores(scores, estimator.decision_function(X))


def test_rows_far_from_the_origin_keep_their_sides():
    X, y = samples(300, 3)
    estimator = memorizing().fit(X + 1e9, y)
    new = np.random.default_rng(0).standard_normal((2000, 5)) * 2 + 1e9
    labels, scores = run(to_onnx(estimator, raw_scores=True), new)
    np.testing.assert_array_equal(labels, estimator.predict(new))
    assert_equal_scores(scores, estimator.decision_function(new))


def test_in_single_precision_only_rows_near_a_tie_get_another_label():
    X, y = samples(600, 4)
    estimator = memorizing(min_hyperplanes=1000).fit(X, y)
    new = np.random.default_rng(0).standard_normal((10_000, 5)) * 2
    model = to_onnx(estimator, dtype=np.float32, single_precision=True)
    types = {tensor.data_type for tensor in model.graph.initializer}
    assert onnx.TensorProto.DOUBLE not in types
    labels, single = run(model, new.astype(np.float32))
    assert single.dtype == np.float32
    scores = estimator.decision_function(new)
    changed = labels != estimator.predict(new)
    # A hyperplane that changes its side moves each of n_draws margins by 1 / n.
    two_best = np.sort(scores[changed], axis=1)[:, -2:]
    assert changed.mean() < 0.005
    assert (np.diff(two_best, axis=1) < 8 / 1000).all()


@pytest.mark.parametrize(
    "estimator",
    [memorizing(activation="relu"), SlabClassifier(random_state=0)],
    ids=["relu", "slabs"],
)
def test_single_precision_is_refused_where_it_would_not_do(estimator):
    X, y = samples(100, 3)
    with pytest.raises(ValueError, match="Set single_precision=False"):
        to_onnx(estimator.fit(X, y), single_precision=True)


def test_other_types_of_input_are_refused():
    X, y = samples(100, 3)
    with pytest.raises(ValueError, match="dtype must be numpy.float64 or"):
        to_onnx(memorizing().fit(X, y), dtype=np.int64)


def test_what_is_no_network_is_refused():
    X, y = samples(50, 3)
    for kind in (InterpolatingNeighborsClassifier, InterpolatingNeighborsRegressor):
        with pytest.raises(TypeError, match="cannot be exported: it builds no network"):
            to_onnx(kind().fit(X, y))


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_numbers_of_more_bits_than_doubles_have_are_refused(name):
    X, y = samples(50, 3)
    with pytest.raises(TypeError, match="cannot be exported"):
        to_onnx(new(name).fit(X, y))


def test_the_model_says_where_it_comes_from():
    X, y = samples(100, 3)
    (entry,) = to_onnx(memorizing().fit(X, y)).metadata_props
    assert entry.key == "sklearn_memorize"


def test_damaged_and_foreign_files_are_refused():
    X, y = samples(100, 3)
    written = to_onnx(memorizing().fit(X, y)).SerializeToString()
    for damaged in (written[: len(written) // 2], b"not a model", b""):
        with pytest.raises(Exception, match=r"(?i)protobuf|parse|graph|model"):
            session(damaged)
    # Rows of another width are no input of this model.
    with pytest.raises(Exception, match="invalid dimensions"):
        run(written, X[:, :4])


def test_a_function_without_a_converter_is_named():
    X, y = samples(100, 3)
    model = make_pipeline(FunctionTransformer(np.sinh), memorizing()).fit(X, y)
    with pytest.raises(Exception, match="(?i)FunctionTransformer"):
        to_onnx(model)
