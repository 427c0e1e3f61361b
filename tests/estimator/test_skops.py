"""Estimators in skops files: one trusted type each, and checked when read."""

import io
import json
import zipfile

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.exported import each_case, fitted, memorizing, samples
from support.needs import needs

from sklearn_memorize import RandomThresholdTransformer

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
