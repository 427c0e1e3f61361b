"""Hyperplanes with exact signs, followed by a circuit of integer weights."""

from __future__ import annotations

import numpy as np

from ...kernels._memory import blocks_of_rows
from ...network import Layer, Network
from ...network._storage import require
from ..random_hyperplanes._radii import radii_by_flips
from ._gates import lookup_of


class DeepThresholdNetwork(Network):
    """A `HyperplaneLayer`, and a `LayeredNetwork` of integer weights that reads it.

    All that follows the signs is exact in double precision. Where the circuit ends in
    a table, its words are looked up by binary search: the units of the table would add
    up as many numbers for each sample as it has entries.
    """

    def __init__(self, hyperplanes, circuit):
        agree = hyperplanes.n_hyperplanes == circuit.n_inputs
        require(agree, "the circuit must read all hyperplanes")
        self.hyperplanes = hyperplanes
        self.circuit = circuit
        layers = circuit.layers
        n_decoding = int(layers[-1].activation == "identity")
        n_gates = max(0, len(layers) - 4 - n_decoding)
        self._gates, self._decoding = (
            layers[:n_gates],
            layers[len(layers) - n_decoding :],
        )
        self._lookup = lookup_of(layers[n_gates : len(layers) - n_decoding])

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The hyperplanes and the layers of the circuit, in textbook form."""
        return (self.hyperplanes.layer(), *self.circuit.layers)

    @property
    def _stages(self) -> tuple:
        return (self.hyperplanes, *self.circuit.layers)

    def forward(self, X) -> np.ndarray:
        """Evaluate the network with exact signs; see `Network.forward`."""
        blocks = blocks_of_rows(X.shape[0], max(self.circuit.widths))
        signs = (self.hyperplanes.signs(X[block]) * 1.0 for block in blocks)
        return np.concatenate([self._outputs(rows) for rows in signs])

    def _outputs(self, signs) -> np.ndarray:
        """Evaluate the circuit."""
        if self._lookup is None:
            return self.circuit.forward(signs)
        outputs = signs
        for layer in (*self._gates, self._lookup, *self._decoding):
            outputs = layer.forward(outputs)
        return outputs

    def certified_radii(self, X, labels, metric: str) -> np.ndarray:
        """Return the distance of each row to the nearest hyperplane, rounded down."""
        radii = np.empty(X.shape[0])
        for block in blocks_of_rows(X.shape[0], self.hyperplanes.n_hyperplanes):
            one = np.ones(len(radii[block]), dtype=np.intp)
            # A single bit may change everything, and no more is known: any norm does.
            radii[block] = radii_by_flips(
                [self.hyperplanes], X[block], one, metric, np.inf
            )
        return radii
