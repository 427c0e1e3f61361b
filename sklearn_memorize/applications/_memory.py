"""The network that knows where a model is right, and what is right where it is not.

Its classes are the *verdicts* on known cases: 0 where the model is right, and c + 1
where it should have said class number c. It is the network of random hyperplanes, so
its neurons fire at known cases of their own verdict only. It *acts* at a sample, with
verdict c + 1, where neurons of this verdict fire, in as many draws as fire at every
known case, and no neuron of any other verdict, 0 among them, fires in any draw.
"""

from __future__ import annotations

import numpy as np
from sklearn.base import clone

from ..constructions.random_hyperplanes import CoverNetwork, MemorizingClassifier
from ..constructions.random_hyperplanes._growing import GrowingCover
from ..kernels import standard_arithmetic


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


def forgotten_by(memory: MemorizingClassifier) -> np.ndarray:
    """Return the known cases at which the network does not act by their verdict.

    They are told by their place among all cases. What the hyperplanes say of them was
    kept; the neurons are asked again.
    """
    batches, network = memory._batches, memory.network_
    assert batches is not None
    places = np.arange(len(batches.seen.labels))
    missed = [places[:0]]
    for block in network.blocks(len(places)):
        codes = []
        for draw in batches.draws:
            assert isinstance(draw, GrowingCover)
            room = draw.layer.room(block.stop - block.start, "threshold")
            room.put_outputs(np.arange(block.stop - block.start), draw.outputs[block])
            codes.append(room.arranged())
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
