"""Random hyperplanes and a greedy cover: three layers that memorize.

S. Dirksen, P. Finke, M. Genzel, "Memorization with neural nets: going beyond the worst
case", JMLR 25(347), 2024 (arXiv:2310.00327), Algorithms 1 and 2.

First layer: w ~ N(0, I), b ~ Uniform[-lambda, lambda], Phi(x) = s(W x + b).
Second layer, for each class: while samples of the class are left over, draw one of
them, x*, and add the neuron z -> s(m - <u, z>) with

    u = 1[Phi(x*) = 0]                        the hyperplanes on whose dark side x* lies
    m = min over x of other classes <u, Phi(x)>

which fires at x* (<u, Phi(x*)> = 0 < m) and at no sample of another class.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ... import kernels
from ..._estimator._callbacks import SILENT, Progress
from ...kernels._memory import index_type
from ...kernels._threads import run_in_threads
from ...network._layer import Activation
from ._codes import unpack_bits
from ._covers import (
    ClassLayout,
    Cover,
    cover_greedily,
    cover_in_drawing_order,
    without_spare_neurons,
)
from ._drawing import Ball, HyperplaneStream, enclosing_ball, most_balanced_first
from ._hyperplane_layer import HyperplaneLayer
from ._network import Covering

__all__ = [
    "Ball",
    "ClassLayout",
    "HyperplaneStream",
    "Memorization",
    "Rules",
    "enclosing_ball",
    "memorize",
    "memorize_samples",
]


@dataclass(frozen=True)
class Memorization:
    """What one draw of hyperplanes led to.

    Parameters
    ----------
    covering : Covering
        The first two layers of the network.
    centers : ndarray of shape (n_neurons,)
        The sample behind each neuron, as an index into the training samples.
    coverage : ndarray of shape (n_neurons,)
        Number of training samples that each neuron covers.
    n_missed : int
        Number of training samples that no neuron covers.
    codes : BitCodes or ReLUCodes or None
        The codes of the training samples in the order of `layout`, if they fit the
        covering.
    """

    covering: Covering
    centers: np.ndarray = field(repr=False)
    coverage: np.ndarray = field(repr=False)
    n_missed: int
    codes: object = field(repr=False)


@dataclass(frozen=True)
class Rules:
    """How to memorize: the parameters of the construction.

    Parameters
    ----------
    n_hyperplanes : int or None
        Number of hyperplanes (Algorithm 2); None to draw until all samples are
        covered (Algorithm 1).
    min_hyperplanes, max_hyperplanes : int
        Where Algorithm 1 starts and ends.
    max_bias : float
        Lambda, in units of the radius of the data.
    activation : {"threshold", "relu"}
        Activation of the first two layers.
    greedy : bool
        Whether centers are chosen greedily, not drawn.
    prune : bool
        Whether neurons and hyperplanes that are not needed are dropped.
    classes : tuple of int
        The classes to memorize.
    n_threads : int
        Number of threads.
    """

    n_hyperplanes: int | None
    min_hyperplanes: int
    max_hyperplanes: int
    max_bias: float
    activation: Activation
    greedy: bool
    prune: bool
    classes: tuple[int, ...]
    n_threads: int

    @property
    def n_parts(self) -> int:
        """Number of parts that a draw is told of in, at the most."""
        return 1 + len(self.classes) + (self.n_hyperplanes is None)


def memorize(
    X,
    rows: np.ndarray,
    layout: ClassLayout,
    ball: Ball,
    rules: Rules,
    seed: int,
    progress: Progress = SILENT,
) -> Memorization:
    """Draw hyperplanes and cover the classes (Algorithms 1 and 2).

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_samples, n_features)
        The samples.
    rows : ndarray of shape (n_rows,)
        The rows to memorize, sorted by class.
    layout : ClassLayout
        Where their codes are to stand.
    ball : Ball
        Where the samples lie.
    rules : Rules
        How to memorize.
    seed : int
        Seed of this draw.
    progress : Progress
        Whom to tell of the codes, of each class and, as parts of each other, of each
        doubling.
    """
    samples = _Samples(X, rows, layout)
    return memorize_samples(samples, ball, rules, seed, progress)


def memorize_samples(
    samples, ball: Ball, rules: Rules, seed: int, progress: Progress = SILENT
) -> Memorization:
    """Do what `memorize` does, with samples wherever they are.

    Parameters
    ----------
    samples : object
        What sorts hyperplanes, encodes and covers: see `SamplesInParts`.
    ball : Ball
        Where the samples lie.
    rules : Rules
        How to memorize.
    seed : int
        Seed of this draw.
    progress : Progress
        Whom to tell, as in `memorize`.
    """
    hyperplane_seed, order_seed = np.random.SeedSequence(seed).generate_state(2)
    stream = HyperplaneStream(int(hyperplane_seed), ball, rules.max_bias)
    drawn = stream.draw(rules.n_hyperplanes or rules.min_hyperplanes, rules.n_threads)
    with ExitStack() as doublings:
        while True:
            n = drawn.n_hyperplanes
            codes = None  # frees those of fewer hyperplanes
            with progress.part(f"encode by {n:,} hyperplanes", 0):
                layer = samples.most_balanced_first(drawn)
                codes = samples.encode(layer, rules)
            covers = _cover_classes(samples, codes, rules, int(order_seed), progress)
            n_missed = sum(cover.n_missed for cover in covers)
            if n_missed == 0 or rules.n_hyperplanes or n >= rules.max_hyperplanes:
                break
            n_more = min(n, rules.max_hyperplanes - n)
            doubling = progress.part(
                f"{n_more:,} more hyperplanes", 1 + len(samples.sizes), rules.n_parts
            )
            progress = doublings.enter_context(doubling)
            drawn = _joined(drawn, stream.draw(n_more, rules.n_threads))
    if rules.prune:
        covers = [without_spare_neurons(cover) for cover in covers]
    return _assemble(layer, codes, covers, samples, rules)


@dataclass(frozen=True)
class _Samples:
    """Samples in memory; the arguments are those of `memorize`."""

    X: Any
    rows: np.ndarray
    layout: ClassLayout

    @property
    def sizes(self) -> np.ndarray:
        return self.layout.sizes

    def most_balanced_first(self, layer: HyperplaneLayer) -> HyperplaneLayer:
        return most_balanced_first(layer, self.X, self.rows)

    def encode(self, layer: HyperplaneLayer, rules: Rules):
        layout = self.layout
        return layer.encode_arranged(
            self.X,
            self.rows,
            layout.positions,
            layout.n_positions,
            rules.activation,
            rules.n_threads,
        )

    def cover(self, codes, number: int, order: np.ndarray, rules: Rules) -> Cover:
        strategy = cover_greedily if rules.greedy else cover_in_drawing_order
        return strategy(codes, self.layout.tiles[number], order)


def _joined(first: HyperplaneLayer, second: HyperplaneLayer) -> HyperplaneLayer:
    return HyperplaneLayer(
        np.concatenate((first.directions, second.directions)),
        np.concatenate((first.scaled_biases, second.scaled_biases)),
        first.exponent,
        first.shift,
    )


def _cover_classes(
    samples, codes, rules: Rules, seed: int, progress: Progress
) -> list[Cover]:
    """Cover the classes, the largest first, each in a random order of its own."""

    def cover(number: int) -> Cover:
        generator = np.random.default_rng((seed, number))
        size = samples.sizes[number]
        order = generator.permutation(np.arange(size, dtype=index_type(size)))
        with progress.part(f"cover class {number}", 1 + number):
            return samples.cover(codes, number, order, rules)

    largest_first = sorted(rules.classes, key=lambda number: -samples.sizes[number])
    covers = run_in_threads(cover, largest_first, rules.n_threads)
    by_class = dict(zip(largest_first, covers, strict=True))
    return [by_class[number] for number in rules.classes]


def _assemble(layer, codes, covers, samples, rules: Rules) -> Memorization:
    """Put the covers of the classes into one second layer."""
    masks = np.concatenate([cover.masks for cover in covers])
    if rules.prune:
        used = np.flatnonzero(_bits_in_use(masks, layer.n_hyperplanes))
        if 0 < len(used) < layer.n_hyperplanes:
            layer, codes = layer.subset(used), None
            masks = _columns(masks, used)
    starts = np.cumsum([0] + [len(cover.centers) for cover in covers])
    first_sample = np.concatenate(([0], np.cumsum(samples.sizes)))
    centers = [
        samples.rows[first_sample[number] + cover.centers].astype(np.intp)
        for number, cover in zip(rules.classes, covers, strict=True)
    ]
    bounds = np.concatenate([cover.bounds for cover in covers])
    return Memorization(
        Covering(layer, rules.activation, masks, bounds, starts),
        np.concatenate(centers),
        np.concatenate([cover.coverage for cover in covers]),
        sum(cover.n_missed for cover in covers),
        codes,
    )


def _bits_in_use(masks: np.ndarray, n_bits: int) -> np.ndarray:
    used = np.bitwise_or.reduce(masks, axis=0, initial=np.uint64(0))
    return unpack_bits(used[np.newaxis], n_bits)[0]


def _columns(masks: np.ndarray, columns: np.ndarray) -> np.ndarray:
    n_bits = 64 * masks.shape[1]
    return kernels.pack_bits(unpack_bits(masks, n_bits)[:, columns])
