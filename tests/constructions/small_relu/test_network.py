"""Cells of a small ReLU network, against numbers made by hand."""

import math

import numpy as np
import pytest

from sklearn_memorize.constructions.small_relu._network import (
    LineFunction,
    SmallReLUNetwork,
)
from sklearn_memorize.network import Layer


def cells_by_hand():
    """Two groups of two, with nodes of slopes 4 and -4, 2 and -2."""
    return LineFunction(
        np.array([0.0, 1.0, 3.0, 5.0]),
        np.array([[0.5], [-0.25], [0.0], [0.75]]),
        np.array([[4.0], [-4.0], [2.0], [-2.0]]),
        np.array([np.nan, 2.0, np.nan]),
    )


def test_cells_say_what_their_nodes_add_up_to():
    cells = cells_by_hand()
    assert cells.evaluate(cells.anchors)[:, 0].tolist() == cells.values[:, 0].tolist()
    positions = np.array([-9.0, -0.125, 0.1, 0.5, 0.95, 1.25, 2.0, 2.1, 4.0, 4.5, 9.0])
    expected = [
        -1.0,  # saturated to the left
        0.0,  # 0.5 - 4 / 8
        0.5 + 0.4,
        1.0,  # both are saturated at 1
        -0.25 + 0.2,
        -1.0,  # -0.25 - 4 / 4, cut off
        -1.0,  # the border still belongs to the node on the left
        -1.0,
        1.0,  # both are saturated at 1
        1.0,
        -1.0,
    ]
    np.testing.assert_allclose(cells.evaluate(positions)[:, 0], expected, atol=1e-15)


@pytest.mark.parametrize("anchors, gap", [([7.0], math.inf), ([1.0, 3.5], 2.5)])
def test_the_smallest_gap_is_that_of_two_anchors(anchors, gap):
    n = len(anchors)
    cells = LineFunction(
        np.array(anchors),
        np.zeros((n, 1)),
        np.arange(-n, 0.0)[:, None],
        np.zeros(n - 1),
    )
    layers = [Layer(np.ones((1, 1)), np.zeros(1), "identity")]
    network = SmallReLUNetwork(layers, np.ones(1), cells, np.zeros(1), np.ones(1))
    assert network.smallest_gap == gap
    assert network.largest_slope == n
