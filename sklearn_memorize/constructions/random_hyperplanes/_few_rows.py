"""All coverings of a network as one, for few rows: there, calls take the most time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np

from ... import kernels
from ._codes import mean_margins
from ._exact_hyperplanes import AxisHyperplanes
from ._hyperplane_layer import HyperplaneLayer, in_same_units

# So many rows are few, and so many for each covering; and more, as long as they meet no
# more words of masks in each covering.
_FEW_ROWS = 8
_FEW_ROWS_OF_EACH = 32
_FEW_WORDS = 400_000
# What is kept a second time for them takes no more than this.
_MOST_BYTES = 1 << 24


@dataclass(frozen=True, eq=False)
class JoinedCoverings:
    """Coverings side by side: each has as many words of the code of a row.

    Parameters
    ----------
    layer : HyperplaneLayer
        The hyperplanes of all, those of each covering from the start of a word on.
    axis : AxisHyperplanes
        The axis-parallel ones of all, ...
    axis_columns : ndarray of shape (n_axis,)
        ... and which bits of the code they are.
    masks, bounds : ndarray of shape (n_neurons, n_words) and (n_neurons,)
        The neurons of all.
    widths : ndarray of shape (n_coverings, n_classes)
        How many of them each class has.
    n_hyperplanes : ndarray of shape (n_coverings, 1, 1)
        How many hyperplanes there are.
    """

    layer: HyperplaneLayer = field(repr=False)
    axis: AxisHyperplanes = field(repr=False)
    axis_columns: np.ndarray = field(repr=False)
    masks: np.ndarray = field(repr=False)
    bounds: np.ndarray = field(repr=False)
    widths: np.ndarray = field(repr=False)
    n_hyperplanes: np.ndarray = field(repr=False)

    def votes(self, X, n_votes: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the sums of the margins, and which classes fire in each covering.

        The first is of shape (n_samples, n_classes), the second one of shape
        (n_coverings, n_samples, n_classes).
        """
        words = self._words(X)
        starts = np.concatenate(([0], np.cumsum(self.widths)))
        sums, fires = kernels.margins_of_rows(
            words, self.masks, self.bounds, starts, n_votes
        )
        n_summed = np.minimum(self.widths, n_votes)[:, np.newaxis]
        margins = mean_margins(sums, n_summed, self.n_hyperplanes)
        # Added in order, as the margins of many rows are.
        return reduce(np.add, margins), fires

    def _words(self, X) -> np.ndarray:
        words = self.layer.encode(X).words()
        if len(self.axis):
            places, bits = np.divmod(self.axis_columns, 64)
            flags = np.uint64(1) << bits.astype(np.uint64)
            of_columns = np.where(self.axis.distances(X) > 0, flags, np.uint64(0))
            # Columns increase; their bits are zero until here.
            starts = np.flatnonzero(np.diff(places, prepend=-1))
            words[:, places[starts]] |= np.bitwise_or.reduceat(of_columns, starts, 1)
        return words.reshape(X.shape[0], len(self.widths), -1)


def are_few(n_rows: int, coverings: Sequence[Any]) -> bool:
    """Return whether calls take the most time for so many rows."""
    if n_rows <= max(_FEW_ROWS, _FEW_ROWS_OF_EACH * len(coverings)):
        return True
    n_words = sum(covering.masks.size for covering in coverings)
    return n_rows * n_words <= _FEW_WORDS * len(coverings)


def joined(coverings: Sequence[Any]) -> JoinedCoverings | None:
    """Return the coverings side by side, if that is possible and does not take much."""
    layers = [covering.hyperplanes for covering in coverings]
    dense = [layer.on_arrays() for layer in layers]
    n_words = max(covering.masks.shape[1] for covering in coverings)
    n_directions = 64 * n_words * len(coverings)
    n_neurons = sum(covering.n_neurons for covering in coverings)
    n_bytes = 4 * n_directions * layers[0].n_features + 8 * n_words * n_neurons
    if (
        n_bytes > _MOST_BYTES
        or any(covering.activation == "relu" for covering in coverings)
        or any(layer.is_sparse or not in_same_units(layer, dense[0]) for layer in dense)
    ):
        return None
    directions = np.zeros((n_directions, layers[0].n_features), dtype=np.float32)
    biases = np.full(n_directions, -1.0)  # no sign of these is in doubt, nor counted
    masks = np.zeros((n_neurons, n_words), dtype=np.uint64)
    columns = [np.empty(0, dtype=np.intp)]
    for k, layer in enumerate(dense):
        first = 64 * n_words * k
        directions[first : first + layer.n_drawn] = layer.directions
        biases[first : first + layer.n_drawn] = layer.scaled_biases
        columns.append(first + np.arange(layers[k].n_drawn, layers[k].n_hyperplanes))
    start = 0
    for covering in coverings:
        stop = start + covering.n_neurons
        masks[start:stop, : covering.masks.shape[1]] = covering.masks
        start = stop
    return JoinedCoverings(
        HyperplaneLayer(directions, biases, dense[0].exponent, dense[0].shift),
        reduce(AxisHyperplanes.joined_by, [layer.axis for layer in layers]),
        np.concatenate(columns),
        masks,
        np.concatenate([covering.bounds for covering in coverings]).astype(np.int64),
        np.stack([covering.widths for covering in coverings]),
        np.array([[[layer.n_hyperplanes]] for layer in layers]),
    )
