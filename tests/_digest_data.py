"""The data sets of digest.py: small, fixed, of every kind that is read apart."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.datasets import load_digits


class Data(NamedTuple):
    """What goes into `fit`, and new rows to answer for."""

    X: Any
    y: Any
    new: tuple
    sample_weight: Any = None


def cloud(n_features: int, n_classes: int, n_samples=120, labels="random") -> Data:
    """Return normally distributed samples; no function that rounds is involved."""
    rng = np.random.default_rng([n_features, n_classes, n_samples])
    X = rng.standard_normal((n_samples + 60, n_features))
    if labels == "random":
        y = rng.integers(0, n_classes, len(X))
    else:  # stripes along the first feature
        y = np.floor(2 * X[:, 0]).astype(np.int64) % n_classes
    rows = X[n_samples:], X[: n_samples // 4]
    return Data(X[:n_samples], y[:n_samples], rows)


def mapped(data: Data, function, *, new_too=True) -> Data:
    """Return the data with all rows stored or moved in another way."""
    new = tuple(map(function, data.new)) if new_too else data.new
    return data._replace(X=function(data.X), new=new)


def repeated(data: Data) -> Data:
    """Return the data with some rows repeated, of which some carry other labels."""
    again = np.arange(0, len(data.y), 3)
    other = np.roll(data.y[again], 1)
    y = np.concatenate([data.y, data.y[again[::2]], other])
    X = np.concatenate([data.X, data.X[again[::2]], data.X[again]])
    return data._replace(X=X, y=y)


def weighted(data: Data) -> Data:
    """Return the data with weights, of which some are zero."""
    weights = np.random.default_rng(7).integers(0, 4, len(data.y)) / 2.0
    return data._replace(sample_weight=weights)


def near_pairs(data: Data) -> Data:
    """Return the data with a neighbour of another class beside some samples."""
    near = np.arange(0, len(data.y), 4)
    X = np.concatenate([data.X, data.X[near] + 2.0**-20])
    return data._replace(X=X, y=np.concatenate([data.y, data.y[near] + 1]))


def mostly_zero(n_features=300) -> Data:
    rng = np.random.default_rng(n_features)
    X = rng.integers(-4, 5, (160, n_features)) / 4.0
    X[rng.random(X.shape) < 0.95] = 0.0
    y = rng.integers(0, 3, 160)
    return Data(X[:120], y[:120], (X[120:], X[:30]))


def grid() -> Data:
    """Return samples that are not in general position."""
    rng = np.random.default_rng(3)
    X = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), axis=-1).reshape(-1, 3)
    new = np.concatenate([X + 0.25, X - 0.5])
    return Data(X, rng.integers(0, 3, len(X)), (new, X))


def first_digits() -> Data:
    X, y = load_digits(return_X_y=True)
    return Data(X[:250], y[:250], (X[250:400], X[:40]))


def both_storages(data: Data) -> Data:
    """Return the data in CSR form, with new rows in it and without."""
    stored = [sparse.csr_array(rows) for rows in data.new]
    return data._replace(X=sparse.csr_array(data.X), new=(*stored, *data.new))


def untidy(X):
    """Return a CSR matrix with unsorted indices, duplicates and stored zeros."""
    rows = sparse.csr_matrix(X)
    data = np.repeat(rows.data / 2, 2)[::-1].copy()
    indices = np.repeat(rows.indices, 2)[::-1].copy()
    indptr = 2 * (rows.indptr[-1] - rows.indptr[::-1])
    untidy = sparse.csr_matrix((data, indices, indptr), shape=rows.shape)
    untidy.data[:2] = [untidy.data[:2].sum(), 0.0]
    return untidy[::-1]


def signed_zeros() -> Data:
    rng = np.random.default_rng(4)
    X = rng.choice([0.0, -0.0, 1.0, -1.0, 0.5], (140, 10))
    return Data(X[:100], rng.integers(0, 2, 140)[:100], (X[100:], -X[:30]))


def named(labels) -> Callable[[Data], Data]:
    return lambda data: data._replace(y=np.asarray(labels)[data.y])


def as_float32(X):
    return X.astype(np.float32)


THREE, TWO = cloud(12, 3), cloud(12, 2)
STRIPES = cloud(6, 3, labels="stripes")
DATA = {
    "two-classes": TWO,
    "three-classes": THREE,
    "stripes": STRIPES,
    "two-features": cloud(2, 2, labels="stripes"),
    "sixteen-features": cloud(16, 4),
    "seventeen-features": cloud(17, 4),
    "digits": first_digits(),
    "mostly-zero": mostly_zero(),
    "sparse": both_storages(mostly_zero()),
    "single-precision": mapped(THREE, as_float32),
    "conflicts": repeated(STRIPES),
    "weights": weighted(repeated(STRIPES)),
    "text-labels": named(["no", "perhaps", "yes"])(STRIPES),
    "far-away": mapped(STRIPES, lambda X: X + 2.0**20),
    "near-pairs": near_pairs(TWO),
    "grid": grid(),
    "one-class": TWO._replace(y=np.full(len(TWO.y), 5)),
}
# Read by what all estimators share; one construction or two suffice.
STORED = {
    "one-feature": cloud(1, 2),
    "sparse-single-precision": both_storages(mapped(mostly_zero(), as_float32)),
    "sparse-few-features": both_storages(mapped(grid(), np.floor)),
    "sparse-untidy": mapped(mostly_zero(), untidy),
    "sparse-columns": mapped(mostly_zero(), sparse.csc_array),
    "sparse-coordinates": mapped(mostly_zero(), sparse.coo_matrix),
    "signed-zeros": signed_zeros(),
    "fortran-order": mapped(THREE, np.asfortranarray),
    "every-other-column": mapped(THREE, lambda X: np.repeat(X, 2, axis=1)[:, ::2]),
    "integers": mapped(first_digits(), lambda X: X.astype(np.int64)),
    "lists": mapped(TWO, lambda X: X.tolist()),
    "single-precision-new-rows": THREE._replace(new=tuple(map(as_float32, THREE.new))),
    "truth-values": named([False, True])(TWO),
    "negative-labels": named([7, -3, -40])(THREE),
    "float-labels": named([0.0, 1.0, 5.0])(THREE),
    "huge": mapped(TWO, lambda X: X * 2.0**300),
    "tiny": mapped(TWO, lambda X: X * 2.0**-300),
    "far-away-single-precision": mapped(THREE, lambda X: as_float32(X + 1024.0)),
    "sparse-weights": both_storages(weighted(repeated(STRIPES))),
    "two-samples": Data(np.eye(2), np.array([1, 0]), (np.eye(2) / 2, -np.eye(2))),
    "many-samples": cloud(20, 5, 900, labels="stripes"),
}


def close_on_line() -> Data:
    """Return samples that are told apart by the last bits of a projection alone."""
    X = 1.0 + np.arange(40.0)[:, np.newaxis] * 2.0**-52
    return Data(X, np.arange(40) % 3, (X,))


def with_value(value) -> Data:
    """Return data with a value that no estimator takes."""
    X = THREE.X.copy()
    X[5, 3] = value
    return THREE._replace(X=X)


REFUSED = {
    "not-a-number": with_value(np.nan),
    "infinite": with_value(np.inf),
    "complex": mapped(THREE, lambda X: X * 1j),
    "one-dimensional": THREE._replace(X=THREE.X[:, 0]),
    "no-samples": THREE._replace(X=THREE.X[:0], y=THREE.y[:0]),
    "unequal-lengths": THREE._replace(y=THREE.y[:-1]),
    "continuous-labels": THREE._replace(y=THREE.X[:, 0]),
    "missing-labels": THREE._replace(y=np.where(THREE.y == 1, np.nan, THREE.y)),
    "negative-weights": THREE._replace(sample_weight=np.full(len(THREE.y), -1.0)),
    "no-weights": THREE._replace(sample_weight=np.zeros(len(THREE.y))),
    "too-few-weights": THREE._replace(sample_weight=np.ones(3)),
    "new-rows-of-more-features": THREE._replace(new=(np.ones((3, 13)),)),
    "new-rows-not-finite": THREE._replace(new=(np.full((3, 12), np.nan),)),
}
ALL_DATA = DATA | STORED | REFUSED | {"close-on-line": close_on_line()}
REAL_TARGETS = {
    "stripes": ALL_DATA["stripes"]._replace(y=STRIPES.X[:, 1] * 3 - 1),
    "conflicts": repeated(STRIPES._replace(y=STRIPES.X[:, 1])),
    "weights": weighted(repeated(STRIPES._replace(y=STRIPES.X[:, 1]))),
    "two-outputs": STRIPES._replace(y=STRIPES.X[:, :2] * 100),
    "two-outputs-weights": weighted(repeated(STRIPES._replace(y=STRIPES.X[:, :2]))),
    "one-target": STRIPES._replace(y=np.full(len(STRIPES.y), 0.25)),
    "one-column": STRIPES._replace(y=STRIPES.X[:, :1]),
}
