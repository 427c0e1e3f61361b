"""The best network of at most a given number of layers."""

import math
from typing import Literal

import numpy as np

from ._chains import ChainShape, depth_of_chains, parameters_of_chains, widest_layer
from ._chains_network import ChainedKeys, ChainsNetwork, LabelStepsNetwork
from ._line import (
    SortedSamples,
    bit_lengths,
    borders_between,
    group_starts,
    lengths_of_runs,
)

# What a network of a given depth is to have as few of as can be.
Fewest = Literal["parameters", "width"]


def build_network_of_depth(
    samples: SortedSamples, shape: ChainShape
) -> ChainsNetwork | LabelStepsNetwork:
    """Build the network of this shape."""
    if shape.chain_size == 0:
        starts = np.append(0, np.flatnonzero(np.diff(samples.labels)) + 1)
        borders = borders_between(samples, np.append(starts, len(samples.labels)))
        values = samples.labels[starts] + 1
        return LabelStepsNetwork(samples.line, shape, borders, values)
    longest = shape.longest_difference if shape.chain_size > 1 else None
    starts = group_starts(samples.keys, shape.group_size, longest)
    borders = borders_between(samples, starts)
    packed = _packed(samples.keys, starts, shape)
    keys = samples.keys
    if samples.fits_64_bits(shape.chain_size * shape.longest_difference):
        keys, borders = keys.astype(np.int64), borders.astype(np.int64)
    memory = ChainedKeys(keys, starts, borders, packed)
    return ChainsNetwork(samples.line, shape, memory)


def _packed(keys, starts, shape: ChainShape) -> np.ndarray:
    """Return the integer of each chain; 0 stands for a chain without keys."""
    packed = np.zeros((shape.n_groups, shape.n_chains), dtype=object)
    for group, (start, stop) in enumerate(zip(starts, starts[1:], strict=False)):
        for chain, first in enumerate(range(start, stop, shape.chain_size)):
            last = min(first + shape.chain_size, stop)
            number = int(keys[first])
            for difference in np.diff(keys[first:last]).tolist():
                number = (number << shape.difference_bits) | difference
            # The longest difference leads beyond all samples of the group.
            missing = (shape.chain_size - (last - first)) * shape.difference_bits
            packed[group, chain] = ((number + 1) << int(missing)) - 1
    return packed


def shape_of_depth(
    samples: SortedSamples, n_classes: int, n_layers: int, fewest: Fewest
) -> ChainShape:
    """Choose the shape of at most `n_layers` layers that has the fewest of something.

    Of two that are equal in that, the one that has less of the other is taken.
    """
    keys = samples.keys
    first_bits = int(keys[-1]).bit_length()
    n_runs = 1 + int(np.count_nonzero(np.diff(samples.labels)))
    choice = Choice(len(keys), first_bits, n_classes, n_layers, fewest)
    choice.look_at(0, 0, np.array([n_runs]), np.ones(1, dtype=int))
    choice.look_at_chains(1, 0, np.array([len(keys)]), np.ones(1, dtype=int))
    lengths = bit_lengths(np.diff(keys))
    # What fills up a chain reaches past the last of its labels.
    for n_bits in np.unique(np.maximum(lengths, n_classes.bit_length())).tolist():
        runs, counts = lengths_of_runs(lengths > n_bits)
        for size in choice.chain_sizes(n_bits, int(runs[-1])):
            choice.look_at_chains(size, n_bits, runs, counts)
    return choice.best()


def bound_of_depth(
    n_samples: int,
    n_features: int,
    key_bits: int,
    n_classes: int,
    n_layers: int,
    fewest: Fewest = "parameters",
) -> ChainShape:
    """Return the shape whose parameters (or width) bound those of any network.

    Keys have up to `key_bits` bits, and so have their differences. With

        s = max(1, floor((n_layers - 5) / (2 key_bits)))

    keys in a chain there are, for n_layers >= 5 and the best number of chains, at most

        d + 7 + 2 N / s + 4 sqrt(N (10 key_bits + 17)) + (10 key_bits + 13) s

    parameters; 2 N / s is at most 8 key_bits N / (n_layers - 5). The narrowest network
    of more than 5 layers has at most 17 sqrt(key_bits N) / (n_layers - 5) + 7 nodes in
    a layer.

    >>> from sklearn_memorize.constructions.bit_extraction._given_depth import (
    ...     bound_of_depth,
    ... )
    >>> bound_of_depth(1000, 10, 24, n_classes=10, n_layers=150).n_parameters(10)
    2409
    """
    choice = Choice(n_samples, key_bits, n_classes, n_layers, fewest)
    one_run, once = np.array([n_samples]), np.ones(1, dtype=int)
    if n_samples > 1:
        choice.look_at(0, 0, one_run, once)
    choice.look_at_chains(1, 0, one_run, once)
    for size in choice.chain_sizes(key_bits, n_samples):
        choice.look_at_chains(size, key_bits, one_run, once)
    return choice.best()


class Choice:
    """The best shape so far of those that have at most so many layers."""

    def __init__(self, n_samples, first_bits, n_classes, n_layers, fewest: Fewest):
        self.n_samples, self.first_bits = n_samples, first_bits
        self.n_classes, self.n_layers, self.fewest = n_classes, n_layers, fewest
        self._best: tuple | None = None

    def best(self) -> ChainShape:
        """Return the best shape."""
        assert self._best is not None, "labels as steps need three layers only"
        return ChainShape(*self._best[1])

    def chain_sizes(self, n_bits: int, longest_run: int) -> range:
        """Return how many keys a chain may have that is unpacked in time."""
        in_time = (self.n_layers - 5) // 2 - self.first_bits
        longest = min(longest_run, 1 + max(0, in_time) // max(1, n_bits))
        if self.fewest == "parameters":
            # Longer chains have more parameters than there are borders to be saved.
            best = math.sqrt(6 * self.n_samples / (10 * n_bits + 13))
            longest = min(longest, math.ceil(1.5 * best) + 1)
        return range(2, longest + 1)

    def look_at_chains(self, size: int, n_bits: int, runs, counts) -> None:
        """Look at shapes with chains of this size, one or more side by side.

        Beyond sqrt(N) chains have more nodes than there are borders.
        """
        most = min(math.isqrt(self.n_samples) + 1, max(1, -(-int(runs[-1]) // size)))
        n_chains = np.arange(1, most + 1)
        n_groups = (-(-runs // (size * n_chains[:, None])) * counts).sum(axis=1)
        self.look_at(size, n_bits, n_groups, n_chains)

    def look_at(self, size: int, n_bits: int, n_groups, n_chains) -> None:
        """Look at shapes of these numbers of groups and chains."""
        bits = self.first_bits + max(0, size - 1) * n_bits
        if depth_of_chains(size, bits) > self.n_layers:
            return
        n_parameters = parameters_of_chains(n_groups, n_chains, size, bits)
        width, n_border_layers = widest_layer(
            n_groups, n_chains, size, bits, self._layers_at_most(size, bits)
        )
        n_parameters = n_parameters + (n_border_layers - 1) * (n_chains + 1)
        measures = np.array([n_parameters, width])
        if self.fewest == "width":
            measures = measures[::-1]
        k = np.lexsort(measures[::-1])[0]
        key = tuple(measures[:, k].tolist())
        shape = (
            int(n_groups[k]),
            int(n_chains[k]),
            size,
            self.first_bits,
            n_bits,
            self.n_classes,
            int(n_border_layers[k]),
        )
        if self._best is None or (key, shape) < self._best:
            self._best = key, shape

    def _layers_at_most(self, size: int, bits: int) -> int:
        """Return how many layers there may be; more of borders are not for nothing."""
        if self.fewest == "width":
            return self.n_layers
        return depth_of_chains(size, bits)
