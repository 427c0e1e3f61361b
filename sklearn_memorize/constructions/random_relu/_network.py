"""One layer of random ReLU units and one of linear outputs."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from ... import kernels
from ...kernels._memory import blocks_of_rows
from ...kernels._threads import run_in_threads
from ...network import Layer, LayeredNetwork
from ...network._storage import require_shape, storable

_BLOCK_VALUES = 1 << 21
# Outputs are cut off here, so that their sums are finite.
_LARGEST = 2.0**500


@storable
@dataclass(frozen=True)
class Separator:
    """Linear functions v . Phi + c of the features, one for each class.

    For two classes there is one in all.
    """

    coefficients: np.ndarray = field(repr=False)  # v, (n_hyperplanes, n_outputs)
    intercepts: np.ndarray = field(repr=False)  # c, (n_outputs,)

    def __post_init__(self):
        require_shape("coefficients", self.coefficients, None, None)
        require_shape("intercepts", self.intercepts, self.coefficients.shape[1])


class RandomReLUNetwork(LayeredNetwork):
    """The features Phi(x) = ReLU(W x + b), and linear functions v . Phi(x) + c."""

    def __init__(self, weights, biases, separator: Separator):
        super().__init__(
            [
                Layer(weights, biases, "relu"),
                Layer(separator.coefficients.T, separator.intercepts, "identity"),
            ]
        )

    def _stored(self) -> dict:
        first, last = self.layers
        separator = Separator(last.weights.T, last.biases)
        return {
            "weights": first.weights,
            "biases": first.biases,
            "separator": separator,
        }

    def forward(self, X, n_threads: int = 1) -> np.ndarray:
        """Evaluate the network, each sum in a fixed order; see `Network.forward`.

        Threads share the rows.
        """
        n_values = max(self.layers[0].weights.shape)
        blocks = blocks_of_rows(X.shape[0], n_values, _BLOCK_VALUES)
        return np.concatenate(
            run_in_threads(lambda block: self._outputs(X[block]), blocks, n_threads)
        )

    def _outputs(self, rows) -> np.ndarray:
        rows = rows.toarray() if sparse.issparse(rows) else rows
        for layer in self.layers:
            with np.errstate(over="ignore", invalid="ignore"):
                rows = kernels.ordered_product(rows, layer.weights) + layer.biases
            # Far from all samples a sum may overflow, even to both sides.
            rows = np.clip(np.nan_to_num(rows, nan=0.0), -_LARGEST, _LARGEST)
            if layer.activation == "relu":
                rows = np.maximum(rows, 0.0)
        return rows
