"""The cover, and the network of its cells."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from support.samples import random_labels

from sklearn_memorize import NearbySetClassifier
from sklearn_memorize.constructions.nearby_set._construction import (
    NearbySetNetwork,
    greedy_cover,
)
from sklearn_memorize.exact._distances import Scaling


@pytest.mark.parametrize("radius", [0.0, 0.3, 1.0, 5.0])
def test_centers_are_those_of_one_point_after_the_other(radius):
    rng = np.random.default_rng(0)
    points, labels = rng.standard_normal((60, 2)) * 3, rng.integers(3, size=60)
    found = greedy_cover(points, labels, radius, Scaling.of(points))
    centers = []
    for k, point in enumerate(points):
        same = [c for c in centers if labels[c] == labels[k]]
        if not any(np.linalg.norm(points[c] - point) <= radius for c in same):
            centers.append(k)
    assert found.tolist() == centers


def test_sizes_are_those_of_the_written_out_network():
    X, y = load_iris(return_X_y=True)  # many coordinates agree
    network = NearbySetClassifier(cover_radius=0.1).fit(X[::2], y[::2]).network_
    layers = network.layers
    assert network.depth == len(layers)
    assert network.n_inputs == layers[0].n_inputs == 4
    assert network.widths == tuple(layer.n_neurons for layer in layers)
    assert network.n_parameters == sum(layer.n_parameters for layer in layers)
    n_centers = len(network.centers)
    assert network.widths[0] <= n_centers**2
    assert network.n_parameters <= n_centers**2 * (4 + 2) + 2 * n_centers


def test_layers_too_large_to_write_out_say_so():
    X, y = random_labels(1500, 20, 2)
    network = NearbySetNetwork(X, np.sort(y), Scaling.of(X))
    with pytest.raises(ValueError, match=r"too many.*larger cover_radius"):
        _ = network.layers
    assert network.n_parameters > 1e6 * 20
    assert "NearbySetNetwork(20-" in repr(network)


def test_a_cover_of_radius_zero_keeps_every_point():
    points = np.arange(10.0)[:, np.newaxis]
    labels = np.repeat([0, 1], 5)
    scaling = Scaling.of(points)
    assert len(greedy_cover(points, labels, 0.0, scaling)) == 10
    assert len(greedy_cover(points, labels, 1.5, scaling)) == 6
    network = NearbySetNetwork(points, labels, scaling)
    with pytest.raises(ValueError, match="read-only"):
        network.center_labels[0] = 1
