"""A network that reads some columns: zeros for the others, and nothing else."""

import pickle

import numpy as np
import pytest
from scipy import sparse

from sklearn_memorize.network import Layer, LayeredNetwork, SelectedColumns

HIDDEN = Layer(np.array([[1.0, -2.0], [0.0, 3.0]]), np.array([0.5, -1.0]), "relu")
OUTPUT = Layer(np.array([[1.0, 1.0]]), np.zeros(1), "identity")
INNER = LayeredNetwork([HIDDEN, OUTPUT])
NETWORK = SelectedColumns(INNER, np.array([1, 4]), 6)
ROWS = np.random.default_rng(0).standard_normal((9, 6))


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_other_columns_do_not_show(container):
    expected = INNER.forward(ROWS[:, [1, 4]])
    assert (NETWORK.forward(container(ROWS)) == expected).all()
    others = ROWS.copy()
    others[:, [0, 2, 3, 5]] = 1e300
    assert (NETWORK.forward(container(others)) == expected).all()


def test_the_layers_are_those_of_all_columns():
    weights = NETWORK.layers[0].weights.toarray()
    assert weights.shape == (2, 6)
    assert (weights[:, [1, 4]] == HIDDEN.weights).all()
    assert not weights[:, [0, 2, 3, 5]].any()
    outputs = ROWS
    for layer in NETWORK.layers:
        outputs = layer.forward(outputs)
    np.testing.assert_allclose(outputs, NETWORK.forward(ROWS), rtol=1e-14)


def test_sizes_are_those_of_the_network_within():
    assert NETWORK.n_inputs == 6
    for name in ("depth", "widths", "n_neurons", "n_parameters"):
        assert getattr(NETWORK, name) == getattr(INNER, name)


def test_it_is_stored_with_the_network_within():
    other = pickle.loads(pickle.dumps(NETWORK))
    assert (other.forward(ROWS) == NETWORK.forward(ROWS)).all()


@pytest.mark.parametrize("columns", [[1], [4, 1], [1, 6], [-1, 1], [0.5, 1.0]])
def test_columns_that_do_not_fit_are_refused(columns):
    with pytest.raises(ValueError, match="columns must be"):
        SelectedColumns(INNER, np.array(columns), 6)
