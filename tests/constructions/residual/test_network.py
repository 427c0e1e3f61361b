"""Residual blocks, against numbers made by hand."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_memorize.constructions.residual._network import (
    Hats,
    ResidualNetwork,
    Steps,
)


@pytest.mark.parametrize("order", [[0, 1], [1, 0], [2, 0, 1], [1, 3, 0, 2]])
def test_steps_put_out_one_at_the_class_they_read(order):
    n_classes = len(order)
    edges = np.array([[10.0 * k + 4, 10.0 * k + 8] for k in range(n_classes - 1)])
    steps = Steps(edges, np.array(order))
    outputs = steps.forward(np.arange(n_classes) * 10.0)
    if n_classes == 2:
        assert outputs[:, 0].tolist() == [number - 0.5 for number in order]
    else:
        assert outputs.argmax(axis=1).tolist() == order
        assert (np.sort(outputs, axis=1)[:, :-1] == 0).all()
        assert (outputs.max(axis=1) == 1).all()
    middle = steps.forward(np.array([5.0]))[0]  # a quarter of the first step
    if n_classes == 2:
        assert middle[0] == (-0.25 if order[0] == 0 else 0.25)
    else:
        assert (middle[order[0]], middle[order[1]]) == (0.75, 0.25)


def test_hats_are_one_between_their_shoulders_and_zero_outside_of_their_feet():
    corners = np.array([[0.0, 1.0, 2.0, 3.0], [1.0, 3.0, 7.0, 8.0]])
    hats = Hats(np.ones((2, 1)), corners, np.ones(2))
    positions = np.array([-5.0, 1.0, 1.5, 3.0, 5.0, 7.0, 7.25, 8.0, 9.0])
    expected = [0, 0, 0.25, 1, 1, 1, 0.75, 0, 0]
    assert hats.height(1, positions).tolist() == expected
    nodes = np.maximum(positions[:, np.newaxis] - corners[1], 0.0)
    assert (nodes @ hats.slopes(1)).tolist() == expected
    assert hats.slopes(1).tolist() == [0.5, -0.5, -1.0, 1.0]


def residual_by_hand(order):
    hats = Hats(
        np.array([[1.0, 0.0], [0.5, 2.0]]),
        np.array([[-1.0, 0.0, 1.0, 2.0], [1.0, 3.0, 4.0, 6.0]]),
        np.array([8.0, 16.0]),
    )
    edges = np.array([[4.0, 5.0], [0.0, 20.0], [30.0, 31.0]])[: len(order) - 1]
    return ResidualNetwork(hats, 0, 2.0, Steps(edges, np.array(order)))


@pytest.mark.parametrize(
    "order, outputs",
    # 2 weights, and 1 bias; 4 weights, and 1 bias; 6 weights, and 1 bias.
    [([1, 0], 2 + 1), ([0, 2, 1], 8 + 1), ([3, 1, 2, 0], 12 + 1)],
)
def test_parameters_of_residual_blocks_are_counted_by_hand(order, outputs):
    network = residual_by_hand(order)
    # Four nodes read one and two features, and write one; a corner is at zero.
    blocks = 4 * 3 + 4 * 2 + 7
    readers = {2: 2 + 2, 3: 4 + 3, 4: 6 + 5}[len(order)]
    assert network.n_parameters == blocks + readers + outputs
    n_outputs = len(order) if len(order) > 2 else 1
    assert network.widths == (4, 4, 2 * (len(order) - 1), n_outputs)
    assert (network.n_blocks, network.depth, network.n_inputs) == (2, 4, 2)


def test_pushes_add_up_along_the_feature():
    network = residual_by_hand([0, 2, 1])
    # h_0 = 0.5 is on the first hat, and pushed by 8 / 2 to 4.5. Then
    # 4.5 / 2 + 2 h_1 = 2.25 at h_1 = 0: 0.625 of the second push, 16 / 2.
    X = np.array([[0.5, 0.0], [0.5, 0.375], [-2.0, 0.0], [-0.5, 50.0]])
    places = 2 * X[:, 0] + [8 + 10, 8 + 16, 0, 4]
    assert network._pushed(X).tolist() == places.tolist()
    state = X
    for inner, outer in network.blocks:
        state = state + inner.forward(state) @ outer.toarray().T
    assert (2 * state[:, 0]).tolist() == places.tolist()
    np.testing.assert_array_equal(state[:, 1], X[:, 1])
    outputs = X
    for layer in network.layers:
        outputs = layer.forward(outputs)
    np.testing.assert_allclose(outputs, network.forward(X), rtol=0, atol=1e-12)
    from_sparse = network.forward(sparse.csr_array(X))
    np.testing.assert_array_equal(from_sparse, network.forward(X))
