"""Layers of networks with real outputs, evaluated one after the other."""

import numpy as np

from ..kernels._memory import blocks_of_rows

# Rows are evaluated in blocks of about this many outputs of the widest layer.
_BLOCK_VALUES = 1 << 20
# So far the layers may be off, in units of the range of the targets.
_TOLERANCE = 0.01


def missed_by_layers(layers, X, targets: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Return of which samples the layers miss a hundredth of the range of the targets.

    `targets` are those of the samples X, (n_samples, n_outputs); those of the numbers
    `which` are looked at. The networks themselves evaluate their function in another
    form, which has no rounding error at the samples.
    """
    missed = np.empty((len(which), targets.shape[1]))
    widest = max(layer.n_neurons for layer in layers)
    for block in blocks_of_rows(len(which), widest, _BLOCK_VALUES):
        with np.errstate(all="ignore"):
            outputs = X[which[block]]
            for layer in layers:
                outputs = layer.forward(outputs)
            missed[block] = np.abs(outputs / 2 - targets[which[block]] / 2)
    missed[np.isnan(missed)] = np.inf
    spread = targets.max(axis=0) / 2 - targets.min(axis=0) / 2
    rounding = 8.0 * np.spacing(np.abs(targets).max(axis=0) / 2)
    return (missed > _TOLERANCE * spread + rounding).any(axis=1)


def exponents_of(targets: np.ndarray) -> np.ndarray:
    """Return e with |t| < 2**(e + 1) for all targets t of an output, (n_outputs,)."""
    return np.frexp(np.abs(targets).max(axis=0))[1] - 1
