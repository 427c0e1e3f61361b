"""Estimators in skops files: one trusted type each, and checked when read."""

import io
import json
import zipfile

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.exported import each_case, fitted, memorizing, samples
from support.needs import needs
from support.storage import LABELS, SAMPLES

from sklearn_memorize import MemorizingClassifier, RandomThresholdTransformer

skops = needs("skops", "skops.io")


skops_io = skops.io


def restored(estimator):
    """Write an estimator, and read it with its own type trusted and no other."""
    kind = type(estimator)
    written = skops_io.dumps(estimator)
    trusted = [f"{kind.__module__}.{kind.__name__}"]
    assert skops_io.get_untrusted_types(data=written) == trusted
    return skops_io.loads(written, trusted=trusted)


@each_case
def test_one_type_has_to_be_trusted_and_the_answers_are_the_same(case):
    estimator, X, new = fitted(case)
    other = restored(estimator)
    for rows in (X, new[:500], new[:500].astype(np.float32)):
        np.testing.assert_array_equal(other.predict(rows), estimator.predict(rows))


def test_the_transformer():
    X, _ = samples(100, 2)
    transformer = RandomThresholdTransformer(n_hyperplanes=70, random_state=0).fit(X)
    np.testing.assert_array_equal(
        restored(transformer).transform(X), transformer.transform(X)
    )


def test_labels_may_be_text():
    X, y = samples(100, 2)
    estimator = memorizing().fit(X, np.array(["no", "yes"])[y])
    assert restored(estimator).predict(X).tolist() == estimator.predict(X).tolist()


@pytest.mark.parametrize("activation", ["threshold", "relu"])
@pytest.mark.parametrize("hyperplanes", ["adapted", "random"])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, np.float32])
def test_batches_go_on_where_they_were_stored(container, hyperplanes, activation):
    X, y = samples(120, 3)
    labels = np.array(["few", "more", "most"])[y]
    estimator = MemorizingClassifier(
        hyperplanes=hyperplanes,
        activation=activation,
        min_hyperplanes=np.int64(64),
        n_draws=np.int64(2),
        random_state=np.int64(0),
    )
    apart = estimator
    for first in range(0, 120, 40):
        rows = slice(first, first + 40)
        batch = container(X[rows]), labels[rows]
        weights = np.arange(40) % 5
        here = {"classes": np.unique(labels), "sample_weight": weights}
        estimator.partial_fit(*batch, **here)
        if apart is not estimator:
            apart.partial_fit(*batch, **here)
        apart = restored(estimator if first == 0 else apart)
    assert joblib.hash(apart.network_) == joblib.hash(estimator.network_)


def test_dictionaries_of_the_users_own_are_stored():
    X, y = samples(100, 2)
    estimator = memorizing().fit(X, y)
    estimator.metadata_ = {"kind": "production", "runs": [1, 2]}
    assert restored(estimator).metadata_ == estimator.metadata_


def test_nothing_is_trusted_unasked():
    X, y = samples(100, 2)
    written = skops_io.dumps(make_pipeline(StandardScaler(), memorizing()).fit(X, y))
    with pytest.raises(Exception, match="MemorizingClassifier"):
        skops_io.loads(written)


def test_damaged_files_are_refused():
    X, y = samples(100, 2)
    written = skops_io.dumps(memorizing().fit(X, y))
    trusted = skops_io.get_untrusted_types(data=written)
    for damaged in (written[: len(written) // 2], b"not a file", b""):
        with pytest.raises((zipfile.BadZipFile, KeyError, ValueError)):
            skops_io.loads(damaged, trusted=trusted)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("_sklearn_memorize_format", 0, "cannot read it"),
        ("n_features_in_", 6, "is damaged: its network reads 5 features"),
        ("interpolates_", None, "is damaged: it lacks"),
    ],
)
def test_contents_that_do_not_fit_are_refused(key, value, reason):
    X, y = samples(100, 2)
    written = skops_io.dumps(memorizing().fit(X, y))
    trusted = skops_io.get_untrusted_types(data=written)
    changed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(written)) as source,
        zipfile.ZipFile(changed, "w") as target,
    ):
        for name in source.namelist():
            content = source.read(name)
            if name == "schema.json":
                schema = json.loads(content)
                attributes = schema["content"]["content"]
                if value is None:
                    del attributes["network_"]
                else:
                    # Of its own: equal numbers are stored once, by their id.
                    attributes[key] |= {"content": json.dumps(value), "__id__": -1}
                content = json.dumps(schema)
            target.writestr(name, content)
    with pytest.raises(ValueError, match=reason):
        skops_io.loads(changed.getvalue(), trusted=trusted)


def test_a_set_of_samples_goes_on_and_forgets():
    X, y = SAMPLES * 1.0, LABELS
    ball = {"center": np.zeros(X.shape[1]), "radius": 10.0}
    options = {"hyperplanes": "random", "n_draws": 2, "random_state": 0}
    model = MemorizingClassifier(ball=ball, **options)
    model.partial_fit(X[:40], y[:40], classes=[0, 1, 2])
    other = restored(model)
    for each in (model, other):
        each.partial_fit(X[40:], y[40:]).forget(np.arange(10))
    expected = model.decision_function(X)
    np.testing.assert_array_equal(other.decision_function(X), expected)
