"""Labels are numbered in order, and equal rows are found."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_memorize._estimator import _training_set
from sklearn_memorize._estimator._training_set import (
    check_targets,
    distinct_rows,
    number_labels,
    sorted_by_hash,
)


@pytest.mark.parametrize(
    ("lowest", "n_labels", "kind"),
    [
        (0, 3, np.int64),
        (-128, 256, np.int8),
        (0, 256, np.uint8),
        (-7, 9, np.int16),
        (2**63 - 5, 5, np.int64),
        (2**64 - 5, 5, np.uint64),
        (-(2**63), 4, np.int64),
        (0, 2, np.bool_),
        (-3, 6, np.float64),
        (0, 4, np.str_),
    ],
)
def test_labels_are_numbered_in_order(lowest, n_labels, kind):
    values = np.array([lowest + k for k in range(n_labels)]).astype(kind)
    chosen = np.random.default_rng(0).integers(0, n_labels, 4 * n_labels)
    # One label of those in between may be missing.
    chosen = chosen[chosen != 1]
    classes, numbers = number_labels(values[chosen])
    assert np.array_equal(classes, values[np.unique(chosen)])
    assert classes.dtype == values.dtype
    assert np.array_equal(classes[numbers], values[chosen])


def test_labels_far_apart_are_numbered_in_order():
    classes, numbers = number_labels(np.array([2**62, -(2**62), 7, 2**62]))
    assert classes.tolist() == [-(2**62), 7, 2**62]
    assert numbers.tolist() == [2, 0, 1, 2]


def test_targets_are_checked_as_scikit_learn_checks_them():
    with pytest.raises(ValueError, match="Unknown label type"):
        check_targets(np.linspace(0, 1, 30))
    check_targets(np.arange(60) // 2)
    with pytest.warns(UserWarning, match="number of unique classes"):
        check_targets(np.arange(60))
    with pytest.warns(UserWarning, match="number of unique classes"):
        check_targets(1000 * np.arange(60))


@pytest.mark.parametrize("n_bits", [1, 4, 8, 14, 64])
@pytest.mark.parametrize("n_samples", [1, 2, 3, 100, 5000])
def test_hashes_are_sorted_even_where_their_first_bits_agree(n_samples, n_bits):
    rng = np.random.default_rng(n_bits)
    first = rng.integers(0, 2**n_bits, n_samples, dtype=np.uint64)
    last = rng.integers(0, 5, n_samples, dtype=np.uint64)
    for hashes in (first, first << np.uint64(64 - n_bits) | last):
        order, differs = sorted_by_hash(hashes)
        assert np.array_equal(order, np.argsort(hashes, kind="stable"))
        _, starts = np.unique(hashes, return_index=True)
        assert differs.sum() == len(starts)
        assert (np.diff(hashes[order]) != 0).tolist() == differs[1:].tolist()


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_rows_whose_hashes_collide_are_told_apart(container, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (60, 3)).astype(float)
    X[X == 0] = np.where(rng.random((X == 0).sum()) < 0.5, 0.0, -0.0)
    for hashes in (lambda X: 0, lambda X: X[:, 0].astype(int)):
        monkeypatch.setattr(
            _training_set,
            "row_hashes",
            lambda X, hashes=hashes: (
                np.zeros(X.shape[0], dtype=np.uint64)
                + np.asarray(
                    hashes(X.toarray() if sparse.issparse(X) else X), np.uint64
                )
            ),
        )
        first, inverse = distinct_rows(container(X))
        assert (X[first][inverse] == X).all()
        assert len(first) == len(np.unique(X + 0.0, axis=0))
