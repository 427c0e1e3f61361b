"""ReLU outputs of many points for many hyperplanes, rounded up exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from ...exact._signs import DOUBLE, TINY, exact_ceiling, rounding
from ._relu_codes import FRACTION_BITS, ReLUCodes

if TYPE_CHECKING:
    from ._hyperplane_layer import HyperplaneLayer

__all__ = ["encode_relu"]


def encode_relu(layer: HyperplaneLayer, codes: ReLUCodes, X, positions) -> None:
    """Store max(<w, x> + b, 0), rounded up to a multiple of the unit.

    The unit is 2**(exponent - FRACTION_BITS). The double precision value v with
    its error bound leaves the ceiling open where v is close to a multiple k of the
    unit; there the exact sign of <w, x> + b - k decides.
    """
    unit_exponent = layer.exponent - FRACTION_BITS
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        # In units; the largest finite test points may overflow, and are clipped.
        scaled = X.astype(np.float64)
        if sparse.issparse(scaled):
            scaled.data = np.ldexp(scaled.data, -unit_exponent)
            norms = np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel())
        else:
            scaled = np.ldexp(scaled, -unit_exponent)
            norms = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))
        biases = np.ldexp(layer.scaled_biases, FRACTION_BITS)
        values = scaled @ layer.directions.T.astype(np.float64) + biases
        magnitude = norms[:, np.newaxis] * layer.direction_bounds.astype(np.float64)
        magnitude += np.abs(biases)
        bounds = 4 * rounding(layer.n_features + 4.0, DOUBLE) * magnitude + TINY
        cap = codes.cap
        nearest = np.rint(np.clip(np.nan_to_num(values), -1.0, cap))
        ceilings = np.ceil(np.clip(np.nan_to_num(values), 0.0, cap))
        # Doubtful: |v - k| is within the bound for the nearest integer k, unless
        # both sides of it are clipped to the same value.
        distance = np.abs(values - nearest)
        certain = (distance > bounds) | (values + bounds <= 0)
        certain |= values - bounds >= cap
        rows, columns = np.nonzero(~certain)
    if len(rows):
        wide = bounds[rows, columns] >= 0.5
        settled = nearest[rows, columns]
        near = ~wide
        above = layer.exact_signs(
            X,
            rows[near],
            columns[near],
            -np.ldexp(settled[near], unit_exponent),
        )
        settled[near] += above
        if wide.any():
            settled[wide] = _exact_ceilings(layer, X, rows[wide], columns[wide], cap)
        ceilings[rows, columns] = np.clip(settled, 0.0, cap)
    codes.values[positions] = ceilings


def _exact_ceilings(layer: HyperplaneLayer, X, rows, columns, cap: float) -> np.ndarray:
    """Compute ceilings in integers, where doubles are too coarse."""
    unit_exponent = layer.exponent - FRACTION_BITS
    biases = layer.biases
    ceilings = np.empty(len(rows))
    for row in np.unique(rows):
        point = X[[row]].toarray()[0] if sparse.issparse(X) else X[row]
        for pair in np.flatnonzero(rows == row):
            column = columns[pair]
            ceiling = exact_ceiling(
                layer.directions[column], point, biases[column], unit_exponent
            )
            ceilings[pair] = min(max(ceiling, 0), int(cap))
    return ceilings
