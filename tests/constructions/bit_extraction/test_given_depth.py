"""Networks of a given depth: recall, their layers, depth in return for parameters."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import textbook
from support.samples import random_labels

from sklearn_memorize import BitExtractionClassifier
from sklearn_memorize.constructions.bit_extraction._chains import ChainShape
from sklearn_memorize.constructions.bit_extraction._given_depth import (
    bound_of_depth,
    build_network_of_depth,
)
from sklearn_memorize.constructions.bit_extraction._layers import written_digits
from sklearn_memorize.constructions.bit_extraction._line import (
    bit_lengths,
    group_starts,
    sort_on_a_line,
)
from sklearn_memorize.exceptions import InterpolationError

DEPTHS = [3, 4, 5, 6, 20, 90, 150, 300, 1000]
FEWEST = ["parameters", "width"]


def fitted(*data, **options):
    return BitExtractionClassifier(random_state=0, **options).fit(*data)


def rounded_up(outputs):
    return [float(Fraction(math.ceil(output * 2**32), 2**32)) for output in outputs]


def network_of(X, y, n_chains, chain_size, n_border_layers=1, shorter_by=0):
    """Build a network of a shape that need not be the best one."""
    n_classes = int(y.max()) + 1
    samples = sort_on_a_line(X, y, n_classes + 1, np.random.default_rng(0), 3)
    keys = samples.keys
    lengths = bit_lengths(np.diff(keys))
    n_bits = max(int(lengths.max()) - shorter_by, n_classes.bit_length())
    longest = 2**n_bits - 1 if chain_size > 1 else None
    n_groups = len(group_starts(keys, n_chains * chain_size, longest)) - 1
    shape = ChainShape(
        n_groups,
        n_chains,
        chain_size,
        int(keys[-1]).bit_length(),
        n_bits,
        n_classes,
        min(n_border_layers, max(1, n_groups - 1)),
    )
    return samples, build_network_of_depth(samples, shape)


@given(
    n_samples=st.integers(2, 24),
    n_classes=st.integers(2, 4),
    n_chains=st.integers(1, 3),
    chain_size=st.integers(1, 3),
    n_border_layers=st.integers(1, 3),
    shorter_by=st.integers(0, 4),
    seed=st.integers(0, 1000),
)
def test_chains_of_any_shape_say_what_their_layers_say(
    n_samples, n_classes, n_chains, chain_size, n_border_layers, shorter_by, seed
):
    rng = np.random.default_rng(seed)
    X = np.cumsum(2.0 ** rng.integers(0, 6, n_samples))[:, np.newaxis]
    y = np.append([0, n_classes - 1], rng.integers(n_classes, size=n_samples - 2))
    samples, network = network_of(
        X, y, n_chains, chain_size, n_border_layers, shorter_by
    )
    outputs = network.forward(X)[:, 0]
    assert (np.ceil(outputs) - 1 == y).all()
    # On ramps, beside keys, and far from all of them.
    line = samples.line
    factor = float(line.direction[0]) * line.multiplier * 2.0**line.exponent
    places = np.concatenate([samples.keys, network._memory.borders, [-2, 0, 1]])
    offsets = rng.choice([0.0, 0.25, 0.5, 1.0, 2.75, n_classes + 0.5], 12)
    near = rng.choice(places.astype(float), 12) + offsets
    rows = np.vstack([X, ((near - float(line.shift)) / factor)[:, np.newaxis]])
    by_hand = textbook(network, rows)[:, 0]
    assert network.forward(rows)[:, 0].tolist() == rounded_up(by_hand)
    shape, layers = network.shape, network.layers
    assert network.depth == shape.depth == len(layers)
    assert network.widths == tuple(layer.n_neurons for layer in layers)
    assert network.n_parameters <= shape.n_parameters(1)  # some jumps are 0
    longest = max(written_digits(n) for layer in layers[1:] for n in layer.numbers())
    assert longest <= shape.largest_bits


@pytest.mark.parametrize("fewest", FEWEST)
@pytest.mark.parametrize("n_layers", DEPTHS)
@pytest.mark.parametrize("n_classes, n_samples", [(2, 300), (10, 300), (10, 2000)])
def test_random_labels_are_recalled_at_any_depth(
    n_samples, n_classes, n_layers, fewest
):
    X, y = random_labels(n_samples, 20, n_classes)
    classifier = fitted(X, y, n_layers=n_layers, fewest=fewest)
    network = classifier.network_
    assert classifier.interpolates_
    assert (classifier.predict(X) == y).all()
    assert network.depth <= n_layers
    assert network.depth == len(network.layers)
    assert network.widths == tuple(layer.n_neurons for layer in network.layers)
    assert network.n_parameters <= network.shape.n_parameters(20)
    assert network.n_parameters >= 0.95 * network.shape.n_parameters(20)


@pytest.mark.parametrize("n_layers", [3, 5, 90])
@pytest.mark.parametrize("fewest", FEWEST)
def test_textbook_evaluation_of_the_layers_gives_the_same_outputs(n_layers, fewest):
    X, y = random_labels(60, 3, 5)
    network = fitted(X, y, n_layers=n_layers, fewest=fewest).network_
    rows = np.concatenate([X, 2 * np.random.default_rng(1).standard_normal((20, 3))])
    assert network.forward(rows)[:, 0].tolist() == rounded_up(
        textbook(network, rows)[:, 0]
    )


@pytest.mark.parametrize("n_samples", [300, 1000, 10_000])
def test_deeper_networks_have_fewer_parameters(n_samples):
    X, y = random_labels(n_samples, 20, 10)
    found = [fitted(X, y, n_layers=n).network_.n_parameters for n in DEPTHS]
    assert found == sorted(found, reverse=True)
    widths = [
        max(fitted(X, y, n_layers=n, fewest="width").network_.widths) for n in DEPTHS
    ]
    assert widths == sorted(widths, reverse=True)
    # Where depth is no matter, nothing is better than the default.
    default = fitted(X, y).network_.n_parameters
    assert default >= 0.9 * found[-1]


# Vardi, Yehudai, Shamir: about N / L parameters (up to logarithms) for up to sqrt(N)
# layers. With the keys' number of bits, rho, the constants are known.
@given(
    n_samples=st.integers(2, 400),
    n_features=st.integers(1, 4),
    n_classes=st.integers(2, 6),
    n_layers=st.integers(5, 400),
    spread=st.integers(0, 10),
    seed=st.integers(0, 1000),
)
def test_no_network_exceeds_the_bound_of_its_depth(
    n_samples, n_features, n_classes, n_layers, spread, seed
):
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.integers(-spread, spread + 1, (n_samples, 1))
    X = rng.standard_normal((n_samples, n_features)) * scale
    y = np.append([0, 1], rng.integers(n_classes, size=n_samples - 2))
    classifier = BitExtractionClassifier(n_layers=n_layers, random_state=seed).fit(X, y)
    network, n_classes = classifier.network_, len(classifier.classes_)
    rho = network.shape.first_bits
    bound = bound_of_depth(n_samples, n_features, rho, n_classes, n_layers)
    assert network.n_parameters <= bound.n_parameters(n_features)
    assert bound.n_parameters(n_features) <= in_words(
        n_samples, n_features, rho, n_layers
    )


def in_words(n_samples, n_features, rho, n_layers):
    size = max(1, (n_layers - 5) // (2 * rho))
    assert n_layers == 5 or 2 * n_samples / size <= 8 * rho * n_samples / (n_layers - 5)
    # Longer chains than are best do no harm: shorter ones are allowed, too.
    return n_features + min(
        7
        + 2 * n_samples / s
        + 4 * math.sqrt(n_samples * (10 * rho + 17))
        + (10 * rho + 13) * s
        for s in range(1, size + 1)
    )


@given(
    n_samples=st.integers(1, 10**6),
    rho=st.integers(2, 200),
    n_classes=st.integers(2, 100),
    n_layers=st.integers(6, 500),
)
@settings(max_examples=30)
def test_bounds_of_the_width_are_what_the_documentation_says(
    n_samples, rho, n_classes, n_layers
):
    bound = bound_of_depth(n_samples, 3, rho, n_classes, n_layers, "width")
    assert bound.depth <= n_layers
    widest = 17 * math.sqrt(rho * n_samples) / (n_layers - 5) + 7
    assert max(bound.widths) <= widest


# Yang, Yang: W^2 L^2 = O(N log(1 / delta)).
@pytest.mark.parametrize("n_samples", [300, 1000, 10_000])
@pytest.mark.parametrize("n_layers", [10, 30, 100, 300, 1000])
def test_width_and_depth_obey_the_theorem(n_samples, n_layers):
    X, y = random_labels(n_samples, 20, 10)
    shape = fitted(X, y, n_layers=n_layers, fewest="width").network_.shape
    rho = shape.first_bits
    widest = 17 * math.sqrt(rho * n_samples) / (n_layers - 5) + 7
    assert max(shape.widths) <= widest
    bound = bound_of_depth(n_samples, 20, rho, 10, n_layers, "width")
    assert max(shape.widths) <= max(bound.widths) <= widest


def test_what_does_not_fit_together_is_refused():
    X, y = random_labels(40, 3, 3)
    with pytest.raises(ValueError, match="n_layers"):
        fitted(X, y, n_layers=2)
    with pytest.raises(ValueError, match="fewest='width' needs n_layers"):
        fitted(X, y, fewest="width")
    with pytest.raises(InterpolationError, match="Increase max_bits"):
        fitted(X, y, n_layers=5, max_bits=10)
    with pytest.raises(ValueError, match="one chain of several groups"):
        ChainShape(2, 3, 0, 5, 0, 2)
    with pytest.raises(ValueError, match="not as many borders"):
        ChainShape(3, 1, 2, 5, 3, 2, 3)
