"""Corrected models as one graph: the answers of `predict`, by onnxruntime."""

import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from support.needs import needs

from sklearn_memorize.applications import (
    MemorizingCorrector,
    MemorizingCorrectorRegressor,
)
from sklearn_memorize.export import register_onnx_converters, to_onnx

onnx, onnxruntime, skl2onnx = map(needs, ("onnx", "onnxruntime", "skl2onnx"))

X, Y = load_digits(return_X_y=True)
BASES = [
    LogisticRegression(C=1e-4),
    GaussianNB(),
    RidgeClassifier(),
    RandomForestClassifier(10, max_depth=3, random_state=0),
    make_pipeline(StandardScaler(), LogisticRegression(C=1e-3)),
]


def run(model, inputs):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, inputs)


def to_onnx_of(base, rows):
    kind = skl2onnx.common.data_types.FloatTensorType([None, rows.shape[1]])
    return skl2onnx.to_onnx(base, initial_types=[("X", kind)])


@pytest.mark.parametrize("labels", ["numbers", "texts"])
@pytest.mark.parametrize("base", BASES, ids=lambda base: type(base).__name__)
def test_the_graph_says_what_the_corrected_classifier_says(base, labels):
    y = Y if labels == "numbers" else np.array(list("abcdefghij"))[Y]
    known = Y < 9  # the corrector knows one class more
    base = base.fit(X[known][:200], y[known][:200])
    patched = MemorizingCorrector(FrozenEstimator(base), n_draws=1, random_state=0)
    patched.fit(X[:300], y[:300])
    # skl2onnx converts the scores of linear models for single precision alone.
    dtype = np.float32 if isinstance(base, RidgeClassifier) else np.float64
    model = to_onnx(patched, dtype=dtype)
    onnx.checker.check_model(model, full_check=True)
    assert patched.acts_on(X).mean() > 0.05
    outputs = run(model, {"X": X.astype(dtype)})
    np.testing.assert_array_equal(outputs[0], patched.predict(X))
    if hasattr(base, "predict_proba"):
        shares = patched.predict_proba(X)
        np.testing.assert_allclose(outputs[1], shares, rtol=1e-3, atol=1e-5)
        np.testing.assert_array_equal(
            patched.classes_[outputs[1][:300].argmax(axis=1)], y[:300]
        )
    else:
        assert len(outputs) == 1


def test_two_classes_and_dictionaries():
    rows, y = X[Y < 2], Y[Y < 2]
    base = LogisticRegression(C=1e-6).fit(rows, y)
    patched = MemorizingCorrector(FrozenEstimator(base), random_state=0)
    patched.fit(rows[:300], 1 - y[:300])
    _, found = run(to_onnx(patched, zipmap=True), {"X": rows})
    assert [max(row, key=row.get) for row in found[:300]] == (1 - y[:300]).tolist()
    with pytest.raises(ValueError, match="leave out single_precision"):
        to_onnx(patched, single_precision=True)


def test_columns_of_text_come_with_the_transformer():
    pandas = needs("pandas")
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(
        {"color": rng.choice(["red", "green"], 200), "size": rng.standard_normal(200)}
    )
    y = ((frame["color"] == "red") ^ (frame["size"] > 0.2)).to_numpy().astype(int)
    encoder = make_column_transformer(
        (OneHotEncoder(), ["color"]), ("passthrough", ["size"])
    )
    base = make_pipeline(encoder, LogisticRegression()).fit(frame, y)
    patched = MemorizingCorrector(
        FrozenEstimator(base), transformer=FrozenEstimator(base[:-1]), random_state=0
    ).fit(frame, y)
    register_onnx_converters()
    kinds = skl2onnx.common.data_types
    model = skl2onnx.to_onnx(
        patched,
        initial_types=[
            ("color", kinds.StringTensorType([None, 1])),
            ("size", kinds.DoubleTensorType([None, 1])),
        ],
        options={MemorizingCorrector: {"zipmap": False}},
    )
    inputs = {
        "color": frame[["color"]].to_numpy().astype(object),
        "size": frame[["size"]].to_numpy(),
    }
    labels, _ = run(model, inputs)
    assert (labels == y).mean() > 0.99


@pytest.mark.parametrize(
    "base", [Ridge(), RandomForestRegressor(5, random_state=0)], ids=["linear", "trees"]
)
def test_the_graph_says_what_the_corrected_regressor_says(base):
    rows, targets = load_diabetes(return_X_y=True)
    rows = rows.astype(np.float32)
    base = base.fit(rows[:200], targets[:200])
    patched = MemorizingCorrectorRegressor(FrozenEstimator(base), tolerance=20.0)
    patched.fit(rows[:300], targets[:300])
    corrected = patched.acts_on(rows[:300])
    model = to_onnx(patched, dtype=np.float32)
    onnx.checker.check_model(model, full_check=True)
    (answers,) = run(model, {"X": rows})
    np.testing.assert_array_equal(answers[:300, 0][corrected], targets[:300][corrected])
    # Next to their thresholds, trees of skl2onnx turn the other way.
    (said,) = run(to_onnx_of(base, rows), {"X": rows})
    same = np.isclose(said[:, 0], base.predict(rows))
    assert same.mean() > 0.9
    np.testing.assert_allclose(answers[same, 0], patched.predict(rows[same]), rtol=1e-5)
    whole = MemorizingCorrectorRegressor(FrozenEstimator(base), tolerance=1e9)
    whole.fit(rows[:300], targets[:300])  # nothing to correct
    (answers,) = run(to_onnx(whole, dtype=np.float32), {"X": rows})
    np.testing.assert_allclose(answers, said, rtol=1e-6)
