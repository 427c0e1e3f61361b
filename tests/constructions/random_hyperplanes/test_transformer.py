"""The transformer puts out the codes of the first layer."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import (
    load_iris,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.samples import DATA, random_labels
from support.storage import restored, with_other

from sklearn_memorize import MemorizingClassifier, RandomThresholdTransformer


def test_codes_are_those_of_the_first_layer():
    X, _ = DATA["digits"]
    transformer = RandomThresholdTransformer(n_hyperplanes=70, random_state=0)
    codes = transformer.fit_transform(X)
    layer = transformer.hyperplanes_.layer()
    assert (codes == layer.forward(X)).all()
    assert set(np.unique(codes)) == {0.0, 1.0}
    as_sparse = transformer.set_params(sparse_output=True).transform(X)
    assert sparse.issparse(as_sparse)
    assert (as_sparse.toarray() == codes).all()
    assert transformer.transform(X.astype(np.float32)).dtype == np.float32


def test_adapted_codes_pass_between_the_classes():
    """They divide classes that lie beside each other in two of many features."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 20)) * np.ldexp(1.0, rng.integers(-9, 9, 20))
    y = np.array(["a", "b"])[(X[:, 3] / X[:, 3].std() > 0.3).astype(int)]
    order = rng.permutation(400)
    fitted = [
        RandomThresholdTransformer(
            hyperplanes="adapted", n_hyperplanes=60, random_state=0
        ).fit(data, labels)
        for data, labels in (
            (X, y),
            (X[order], y[order]),
            (sparse.csr_array(X), y),
            (np.concatenate((X, X[:9])), np.append(y, y[:9])),
        )
    ]
    codes = fitted[0].transform(X)
    for other in fitted[1:]:
        assert (other.transform(X) == codes).all()
    assert (codes == fitted[0].hyperplanes_.layer().forward(X)).all()
    assert ((codes.mean(axis=0) > 0) & (codes.mean(axis=0) < 1)).all()

    def best_accuracy(codes):
        agreement = (codes == (y == "b")[:, np.newaxis]).mean(axis=0)
        return np.maximum(agreement, 1 - agreement).max()

    plain = RandomThresholdTransformer(n_hyperplanes=60, random_state=0)
    assert best_accuracy(codes) > 0.95 > best_accuracy(plain.fit_transform(X))


@pytest.mark.parametrize("labels", [None, np.zeros(30), np.linspace(0, 1, 30)])
def test_adapted_codes_need_labels_of_two_classes(labels):
    X = np.random.default_rng(0).standard_normal((30, 3))
    transformer = RandomThresholdTransformer(hyperplanes="adapted", random_state=0)
    with pytest.raises(ValueError, match="labels|two classes|continuous"):
        transformer.fit(X, labels)
    assert not hasattr(transformer, "hyperplanes_")


def test_codes_have_names_and_can_be_frames():
    pytest.importorskip("pandas")
    X, _ = load_iris(return_X_y=True, as_frame=True)
    transformer = RandomThresholdTransformer(n_hyperplanes=3, random_state=0)
    frame = transformer.set_output(transform="pandas").fit_transform(X)
    assert list(frame.columns) == [f"randomthresholdtransformer{i}" for i in range(3)]
    assert list(transformer.feature_names_in_) == list(X.columns)


def test_a_transformer_with_damaged_hyperplanes_is_refused():
    X, _ = random_labels(60, 5)
    transformer = RandomThresholdTransformer(n_hyperplanes=7, random_state=0).fit(X)
    state = transformer.__getstate__()
    for part in ("directions", "scaled_biases"):
        damaged = with_other(state, ("hyperplanes_", part), lambda array: array[:-1])
        with pytest.raises(ValueError, match="directions and biases must agree"):
            restored(transformer, damaged)


FRAME, LABELS = load_iris(return_X_y=True, as_frame=True)


def test_the_transformer_names_its_features():
    transformer = RandomThresholdTransformer(n_hyperplanes=3, random_state=0)
    names = transformer.fit(FRAME).get_feature_names_out()
    expected = [f"randomthresholdtransformer{k}" for k in range(3)]
    assert names.tolist() == expected
    chain = make_pipeline(StandardScaler(), transformer).fit(FRAME)
    assert chain.get_feature_names_out().tolist() == expected


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output_names_and_wraps_the_features(container):
    library = pytest.importorskip(container)
    transformer = RandomThresholdTransformer(n_hyperplanes=999, random_state=0)
    plain = transformer.fit_transform(FRAME)
    table = transformer.set_output(transform=container).fit_transform(FRAME)
    assert isinstance(table, library.DataFrame)
    assert list(table.columns) == transformer.get_feature_names_out().tolist()
    assert (table.to_numpy() == plain).all()
    chain = make_pipeline(StandardScaler(), clone(transformer), MemorizingClassifier())
    chain.set_output(transform=container)
    model = chain.fit(FRAME, LABELS)[-1]
    assert model.feature_names_in_.tolist() == list(table.columns)


def test_pandas_output_keeps_the_index():
    shuffled = FRAME.sample(frac=1, random_state=0)
    transformer = RandomThresholdTransformer(random_state=0)
    table = transformer.set_output(transform="pandas").fit_transform(shuffled)
    assert isinstance(table, pd.DataFrame)
    assert table.index.equals(shuffled.index)
