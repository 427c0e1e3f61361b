"""What is printed says the sizes, in one short line."""

import numpy as np
import pytest
from support.estimators import NETWORKS, VARIANTS, kind_of, new
from support.samples import random_labels

from sklearn_memorize import BitExtractionClassifier, MemorizingClassifier

X, Y = random_labels(60, 4, 2)
LONGEST = 120


@pytest.mark.parametrize(
    "variant", [name for name in VARIANTS if kind_of(name) in NETWORKS]
)
def test_estimators_networks_and_layers_fit_on_a_line(variant):
    estimator = new(variant).fit(X, Y)
    network = estimator.network_
    for thing in (estimator, network, *network.layers):
        assert repr(thing).startswith(f"{type(thing).__name__}(")
        assert "\n" not in repr(thing)
        assert len(repr(thing)) <= LONGEST
    assert f"n_parameters={network.n_parameters}" in repr(network)
    for layer in network.layers:
        assert f"({layer.n_inputs}-{layer.n_neurons}, " in repr(layer)
        assert layer.activation in repr(layer)


def test_deep_networks_leave_out_widths_in_the_middle():
    network = BitExtractionClassifier(random_state=0).fit(X, Y).network_
    first, last = network.widths[:2], network.widths[-2:]
    widths = repr(network).partition("(")[2].partition(",")[0]
    assert f"depth={network.depth}" in repr(network)
    assert widths.startswith("-".join(map(str, (4, *first))) + "-")
    assert "-...-" in widths
    assert widths.endswith("-" + "-".join(map(str, last)))


def test_parts_of_a_network_of_covers_say_their_sizes():
    classifier = MemorizingClassifier(
        hyperplanes="random", n_hyperplanes=70, n_draws=1, random_state=0
    ).fit(X, Y)
    (covering,) = classifier.network_.coverings
    hyperplanes = repr(covering.hyperplanes)
    assert hyperplanes.startswith("HyperplaneLayer(4-70, exponent=")
    assert repr(covering) == (
        f"Covering({hyperplanes}, n_neurons={covering.n_neurons}, "
        "activation='threshold')"
    )
    reasons = classifier.reasons(np.repeat(X, 40, axis=0), 2)
    assert repr(reasons) == "Reasons(n_samples=2400, n_reasons=2)"
