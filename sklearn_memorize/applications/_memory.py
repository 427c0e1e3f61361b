"""The network that knows where a model is right, and what is right where it is not.

Its classes are the *verdicts* on known cases: 0 where the model is right, and c + 1
where it should have said class number c. It is the network of random hyperplanes, so
its neurons fire at known cases of their own verdict only. It *acts* at a sample, with
verdict c + 1, where neurons of this verdict fire, in as many draws as fire at every
known case, and no neuron of any other verdict, 0 among them, fires in any draw.

How far a correction reaches beyond its known cases is up to the bounds of its neurons.
Those that the network was built with are as high as the other known cases allow;
lowered as far as its own ones allow, they let it act next to nowhere else.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn.base import clone

from ..constructions.random_hyperplanes import CoverNetwork, MemorizingClassifier
from ..constructions.random_hyperplanes._growing import GrowingCover
from ..kernels import standard_arithmetic

# Whether corrections help elsewhere is asked on at most this many known cases.
_MOST_HELD_OUT = 5000


def extended(memory: MemorizingClassifier, view, verdicts: np.ndarray, n_verdicts: int):
    """Return a copy of the network that has memorized more cases."""
    larger = object.__new__(type(memory))
    larger.__dict__.update(vars(memory))
    return larger.partial_fit(view, verdicts, classes=np.arange(n_verdicts))


@standard_arithmetic
def acting(network: CoverNetwork, view) -> np.ndarray:
    """Return the verdict with which the network acts on each row, or 0."""
    verdicts = np.zeros(view.shape[0], dtype=np.intp)
    for block in network.blocks(view.shape[0]):
        verdicts[block] = _firing_alone(network, network.encode(view[block]))
    return verdicts


def _firing_alone(network: CoverNetwork, codes) -> np.ndarray:
    fires = [c.fires(code) for c, code in zip(network.coverings, codes, strict=True)]
    n_times = np.add.reduce(fires, dtype=np.intp)
    alone = np.count_nonzero(n_times, axis=1) == 1
    enough = n_times.max(axis=1) >= network.quorum
    return np.where(alone & enough, n_times.argmax(axis=1), 0)


@standard_arithmetic
def narrowed(memory: MemorizingClassifier) -> CoverNetwork:
    """Return the network with the lowest bounds at which it acts on all known cases.

    With u a correction and x the cases of its verdict that it fires at, the bound of u
    is max <u, Phi(x)> + 1. Neurons that speak for the model stay.
    """
    network, batches = memory.network_, memory._batches
    assert batches is not None
    labels, coverings = batches.seen.labels, []
    for draw, covering in zip(batches.draws, network.coverings, strict=True):
        bounds = covering.bounds.copy()
        for number in range(1, len(covering.starts) - 1):
            neurons = np.arange(*covering.starts[number : number + 2])
            codes = _codes_kept(draw, np.flatnonzero(labels == number))
            margins = codes.neuron_margins(covering.masks[neurons], bounds[neurons])
            # Each fires at the case it was made from: its smallest margin is below all.
            margins[margins <= 0] = np.iinfo(np.int64).max
            bounds[neurons] -= margins.min(axis=0, initial=bounds.max()) - 1
        coverings.append(replace(covering, bounds=bounds))
    return CoverNetwork(coverings, network.quorum)


def helps_elsewhere(memory: MemorizingClassifier, n_verdicts: int) -> bool:
    """Return whether corrections put right as many held out cases as they spoil.

    Every other known case is held out from a network of the rest, and in turn.
    """
    assert memory._batches is not None
    seen = memory._batches.seen
    step = -(-len(seen.labels) // _MOST_HELD_OUT)
    places = np.arange(0, len(seen.labels), step)
    n_right, n_spoilt = 0, 0
    for held_out, rest in ((places[::2], places[1::2]), (places[1::2], places[::2])):
        if not seen.labels[rest].any():
            continue
        part = extended(clone(memory), seen.X[rest], seen.labels[rest], n_verdicts)
        acts, verdicts = acting(part.network_, seen.X[held_out]), seen.labels[held_out]
        n_right += int(np.count_nonzero((acts > 0) & (acts == verdicts)))
        n_spoilt += int(np.count_nonzero((acts > 0) & (verdicts == 0)))
    return n_right >= n_spoilt


def _codes_kept(draw, places: np.ndarray):
    """Return what the hyperplanes of a draw say of some of the known cases."""
    assert isinstance(draw, GrowingCover)
    outputs = draw.outputs[places]
    return draw.layer.filled(len(places), "threshold", np.arange(len(places)), outputs)


def forgotten_by(memory: MemorizingClassifier, network: CoverNetwork) -> np.ndarray:
    """Return the known cases at which a network does not act by their verdict.

    They are told by their place among all cases. What the hyperplanes say of them was
    kept; the neurons are asked again.
    """
    batches = memory._batches
    assert batches is not None
    places = np.arange(len(batches.seen.labels))
    missed = [places[:0]]
    for block in network.blocks(len(places)):
        codes = [_codes_kept(draw, places[block]).arranged() for draw in batches.draws]
        verdicts = _firing_alone(network, codes)
        missed.append(places[block][verdicts != batches.seen.labels[block]])
    return batches.seen.arrivals[np.concatenate(missed)]


def verdicts_before(memory: MemorizingClassifier, view) -> np.ndarray:
    """Return the verdict that was memorized for each row; -1 where it was not known."""
    assert memory._batches is not None
    numbers = memory._batches.seen.numbers_of(view)
    known = memory._batches.seen.labels[numbers]
    return np.where(numbers < 0, -1, known)


def n_errors(memory: MemorizingClassifier) -> int:
    """Return the number of distinct cases with a verdict against the model."""
    assert memory._batches is not None
    return int(np.count_nonzero(memory._batches.seen.labels))


def without(memory: MemorizingClassifier, view, n_verdicts: int):
    """Return a network that memorizes all cases but those equal to rows of `view`.

    Also returns where the cases that are left stood among all.
    """
    assert memory._batches is not None
    seen = memory._batches.seen
    places = np.arange(len(seen.labels))
    places = np.setdiff1d(places, seen.numbers_of(view))
    fewer = clone(memory)
    if len(places):
        fewer = extended(fewer, seen.X[places], seen.labels[places], n_verdicts)
    return fewer, seen.arrivals[places]
