"""Random hyperplanes and a cover of the classes: Algorithms 1 and 2.

S. Dirksen, P. Finke, M. Genzel, "Memorization with neural nets: going beyond the worst
case", JMLR 25(347), 2024 (arXiv:2310.00327). The activation s is 0 for t <= 0 and
positive for t > 0: a threshold or ReLU.

First layer (`_drawing`, `_hyperplane_layer`): Phi(x) = s(W x + b), with n hyperplanes
w ~ N(0, I), b ~ Uniform[-lambda R, lambda R]; R is the radius of the data.

Second layer (`_covers`), for each class: let C be its samples. While C is not empty,
draw x* from C, and let

    u = 1[Phi(x*) = 0]                        the hyperplanes on whose dark side x* lies
    m = min over x of other classes <u, Phi(x)>

If m > 0, the neuron z -> s(m - <u, z>) fires at x* (<u, Phi(x*)> = 0) and at no sample
of another class; the samples at which it fires are covered, and leave C. Else x* alone
leaves C, and is missed unless another neuron covers it.

Third layer (`_network`): output c is 1 if any neuron of class c fires.

Algorithm 2 takes a fixed n. Algorithm 1 draws hyperplanes until each pair of samples of
different classes is separated; here n is doubled until no sample is missed, which takes
less work and guarantees the same.

Hyperplanes may also be drawn from the data (`_adapted`), with the same second layer.

Random hyperplanes may take very long to come between samples that are close to each
other compared to the radius. By default they are not waited for: hyperplanes chosen
from the data (`_separating`) are added for the samples that are missed, and separate
any distinct samples. Where none is missed, nothing is added.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ... import kernels
from ..._estimator._callbacks import SILENT, DrawOutcome, Progress, run_draw
from ...network._layer import Activation
from ._adapted import AdaptedStream, Survey
from ._codes import unpack_bits
from ._covers import Cover, DrawingOrder, cover_largest_first
from ._drawing import Ball, HyperplaneStream, SeededStream
from ._hyperplane_layer import HyperplaneLayer
from ._leave_one_out import LeftOutCodes
from ._network import Covering
from ._samples import Samples
from ._separating import separating_hyperplanes

# If more samples are missed, it is not asked which others they are not separated from.
_MOST_MISSED = 2048
# Separating hyperplanes are added this many times at the most. Once is enough with
# thresholds. With ReLU, what they add to |u| may take its bound from another neuron;
# and where a few times were not enough, outputs are counted in finer units.
MOST_ROUNDS, _FINER_ROUND = 8, 4


@dataclass(frozen=True)
class Rules:
    """The parameters of the construction.

    `n_hyperplanes` is n (Algorithm 2), or None to double it from `min_hyperplanes` up
    to `max_hyperplanes` until all samples are covered (Algorithm 1); where `separates`,
    separating hyperplanes are added instead of that. `max_bias` is lambda, in units of
    the radius. Where there is a `survey`, hyperplanes are drawn from it.
    `greedy` chooses centers by what they cover and does not draw them; `prune` drops
    neurons and hyperplanes that are not needed. The `classes` to memorize are given by
    number. At most `n_left_out` samples are to be left out afterwards.
    """

    n_hyperplanes: int | None
    min_hyperplanes: int
    max_hyperplanes: int
    separates: bool
    max_bias: float
    activation: Activation
    greedy: bool
    prune: bool
    classes: tuple[int, ...]
    n_threads: int
    survey: Survey | None = field(default=None, repr=False)
    n_left_out: int = 0

    @property
    def n_at_first(self) -> int:
        """The number of hyperplanes that are drawn before any sample is missed."""
        return self.n_hyperplanes or self.min_hyperplanes

    @property
    def most_drawn(self) -> int:
        """The largest number of hyperplanes that are drawn."""
        return self.n_hyperplanes or self.max_hyperplanes

    def of_draw(self, number: int) -> Rules:
        """Return the rules for one of several draws.

        Of draws that are adapted, the first one alone goes on until no sample is
        missed: that is enough to recall them, and the others predict as well without.
        """
        if self.survey is None or number == 0:
            return self
        return replace(self, separates=False, max_hyperplanes=self.n_at_first)

    @property
    def n_tasks(self) -> int:
        """Number of tasks that a draw reports to callbacks, at the most."""
        return 1 + len(self.classes) + (self.n_hyperplanes is None)


@dataclass(frozen=True)
class Memorization:
    """What one draw of hyperplanes led to.

    `covering` are the first two layers of the network, `centers` the rows behind its
    neurons, and `coverage` the number of training samples that each neuron covers;
    the rows `missed` are covered by none. `codes` are those of the training samples,
    or None where they are not at hand or not those of the covering. `left_out` is what
    leaving samples out needs, if it was asked for.
    """

    covering: Covering
    centers: np.ndarray = field(repr=False)
    coverage: np.ndarray = field(repr=False)
    missed: np.ndarray = field(repr=False)
    codes: Any = field(repr=False)
    left_out: LeftOutCodes | None = field(repr=False)

    @property
    def n_missed(self) -> int:
        """Number of samples that no neuron covers."""
        return len(self.missed)


def memorize(
    samples: Samples, ball: Ball, rules: Rules, seed: int, progress: Progress = SILENT
) -> Memorization:
    """Draw hyperplanes and cover the classes (Algorithms 1 and 2).

    The codes, each class and, within each other, the enlargements are reported.
    """
    stream, order_seed = hyperplane_stream(seed, ball, rules), seed_of_orders(seed)
    drawn = stream.draw(rules.n_at_first, rules.n_threads)
    layer, n_rounds = with_balanced_first(drawn, samples, rules), 0
    with ExitStack() as enlargements:
        while True:
            n = layer.n_hyperplanes
            codes = None  # frees those of fewer hyperplanes
            with progress.part(f"encode by {n:,} hyperplanes", 0):
                codes = samples.encode(layer, rules.activation, rules.n_threads)
            covers = cover_in_random_order(samples, codes, rules, order_seed, progress)
            layer_before = layer
            n_missed = sum(cover.n_missed for cover in covers)
            if n_missed == 0 or rules.n_hyperplanes:
                break
            if rules.separates and n_rounds < MOST_ROUNDS:
                n_rounds += 1
                layer = with_separating(
                    layer, codes, covers, samples, rules, seed, n_rounds
                )
            elif not rules.separates and n < rules.most_drawn:
                n_more = min(n, rules.most_drawn - n)
                drawn = drawn.joined_by(stream.draw(n_more, rules.n_threads))
                layer = with_balanced_first(drawn, samples, rules)
            if layer is layer_before:
                break
            enlarging = progress.part(
                f"{layer.n_hyperplanes - n:,} more hyperplanes",
                1 + len(samples.sizes),
                rules.n_tasks,
            )
            progress = enlargements.enter_context(enlarging)
    if rules.prune:
        covers = samples.without_spare_neurons(codes, covers, rules.classes)
    return assemble(layer, codes, covers, samples, rules)


def with_balanced_first(
    layer: HyperplaneLayer, samples: Samples, rules: Rules
) -> HyperplaneLayer:
    """Sort random hyperplanes as `most_balanced_first` does.

    Those that are adapted all divide the samples, and sorting them brings no time.
    """
    return layer if rules.survey is not None else samples.most_balanced_first(layer)


def with_separating(
    layer: HyperplaneLayer,
    codes,
    covers: list[Cover],
    samples: Samples,
    rules: Rules,
    seed: int,
    n_rounds: int,
) -> HyperplaneLayer:
    """Add hyperplanes that separate the missed samples from all other classes.

    If no sample is missed, the layer is returned as it is. `n_rounds` counts the times.
    """
    by_class = zip(rules.classes, covers, strict=True)
    missed = {number: cover.missed for number, cover in by_class}
    n_missed = sum(map(len, missed.values()))
    if n_missed == 0:
        return layer
    if rules.activation == "relu" and n_rounds == _FINER_ROUND:
        layer = layer.with_finer_outputs()
    X, labels, is_missed = samples.to_separate(codes, missed, n_missed > _MOST_MISSED)
    _, _, tree_seed = np.random.SeedSequence(seed).generate_state(3)
    more = separating_hyperplanes(
        X,
        labels,
        is_missed,
        layer.exponent if rules.activation == "relu" else None,
        np.random.default_rng((int(tree_seed), len(layer.axis))),
    )
    return layer.with_axis(more)


def memorize_as_draw(
    samples: Samples,
    ball: Ball,
    rules: Rules,
    progress: Progress,
    number: int,
    seed: int,
) -> DrawOutcome:
    """Memorize as draw `number` of several, each of which a callback may end."""
    rules = rules.of_draw(number)
    return run_draw(
        progress, number, rules.n_tasks, memorize, samples, ball, rules, seed
    )


def hyperplane_stream(
    seed: int, ball: Ball, rules: Rules, n_drawn: int = 0
) -> SeededStream:
    """Return the sequence of hyperplanes of a draw, after the first `n_drawn`.

    This is where a way of drawing is chosen.
    """
    hyperplane_seed, _ = np.random.SeedSequence(seed).generate_state(2)
    if rules.survey is not None:
        return AdaptedStream(int(hyperplane_seed), rules.survey, ball, n_drawn)
    return HyperplaneStream(int(hyperplane_seed), ball, rules.max_bias, n_drawn)


def seed_of_orders(seed: int) -> int:
    """Return the seed of the orders in which a draw takes the samples."""
    _, order_seed = np.random.SeedSequence(seed).generate_state(2)
    return int(order_seed)


def cover_in_random_order(
    samples: Samples, codes, rules: Rules, seed: int, progress: Progress
) -> list[Cover]:
    """Cover each class; its samples are drawn in a random order of its own."""
    orders = [
        DrawingOrder(seed, number, int(samples.sizes[number]))
        for number in rules.classes
    ]

    def part(number: int) -> Progress:
        return progress.part(f"cover class {number}", 1 + number)

    return samples.cover(codes, orders, rules.greedy, part, rules.n_threads)


def cover_each_class(
    cover: Callable[[int], Cover], sizes: np.ndarray, rules: Rules
) -> list[Cover]:
    """Return `cover(number)` of each class that the rules name."""
    return cover_largest_first(cover, rules.classes, sizes, rules.n_threads)


def assemble(
    layer: HyperplaneLayer, codes, covers: list[Cover], samples: Samples, rules: Rules
) -> Memorization:
    """Put the covers of the classes into one second layer.

    Where the covers are pruned, so are hyperplanes that no neuron reads.
    """
    masks = np.concatenate([cover.masks for cover in covers])
    starts = np.cumsum([0] + [len(cover.centers) for cover in covers])
    bounds = np.concatenate([cover.bounds for cover in covers])
    left_out = None
    if rules.n_left_out:
        left_out = LeftOutCodes.of(
            samples, rules.n_left_out, codes, masks, bounds, starts
        )
    codes = samples.codes_to_certify(codes)
    if rules.prune:
        used = np.flatnonzero(_bits_in_use(masks, layer.n_hyperplanes))
        if 0 < len(used) < layer.n_hyperplanes:
            layer, codes = layer.subset(used), None
            masks = _of_bits(masks, used)
            if left_out is not None:
                left_out = replace(left_out, words=_of_bits(left_out.words, used))
    by_class = list(zip(rules.classes, covers, strict=True))
    centers = [
        samples.row_numbers(number, cover.centers).astype(np.intp)
        for number, cover in by_class
    ]
    missed = [samples.row_numbers(number, cover.missed) for number, cover in by_class]
    return Memorization(
        Covering(layer, rules.activation, masks, bounds, starts),
        np.concatenate(centers),
        np.concatenate([cover.coverage for cover in covers]),
        np.concatenate(missed),
        codes,
        left_out,
    )


def _of_bits(words: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Return words of some bits alone."""
    return kernels.pack_bits(unpack_bits(words, 64 * words.shape[1])[:, bits])


def _bits_in_use(masks: np.ndarray, n_bits: int) -> np.ndarray:
    used = np.bitwise_or.reduce(masks, axis=0, initial=np.uint64(0))
    return unpack_bits(used[np.newaxis], n_bits)[0]
