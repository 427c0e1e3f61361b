"""Memorize batch after batch: the cover of Algorithm 1, kept up to date.

S. Dirksen, P. Finke, M. Genzel, "Memorization with neural nets: going beyond the worst
case", JMLR 25(347), 2024 (arXiv:2310.00327), Algorithms 1 and 2, which leave the order
open in which samples are drawn. Let x*_1, x*_2, ... be the centers so far. After a
batch of new samples each has the neuron that a fit to all samples would give it,

    u = 1[Phi(x*) = 0]                        as before
    m = min over x of other classes <u, Phi(x)>
      = min(m before, min over new x of other classes <u, Phi(x)>)

so that m only falls, and only new samples are looked at. The neurons are then taken in
the order of their age; one whose center an older one covers is dropped (m = 0 covers
nothing). Samples that are left over are drawn at random, as ever. So the network is one
that Algorithm 1 builds from all samples together, if it draws the centers kept first.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from ...kernels import LANES
from ...kernels._threads import run_in_threads
from ...network._storage import storable
from ._construction import (
    MOST_ROUNDS,
    Memorization,
    Rules,
    assemble,
    cover_each_class,
    hyperplane_stream,
    seed_of_orders,
    with_balanced_first,
    with_separating,
)
from ._covers import Cover, renewed_cover
from ._drawing import Ball
from ._hyperplane_layer import HyperplaneLayer
from ._samples import SamplesInMemory

# Hyperplanes that do not suffice are drawn anew if the radius grew by this factor.
_OUTGROWN = 2.0


@storable
@dataclass(frozen=True)
class GrowingCover:
    """One draw of hyperplanes, and the neurons that cover everything seen so far.

    `turn` is the number of batches so far and `n_drawn` that of hyperplanes drawn, the
    first of them for a ball of the given `radius`. `outputs` is what the hyperplanes
    say of all samples: packed bits of shape (n_samples, n_words), or for ReLU numbers
    of shape (n_samples, n_hyperplanes). `neurons` holds for each class the rows behind
    its neurons, the oldest neuron first, and the bounds m of the neurons.
    """

    seed: int
    turn: int
    n_drawn: int
    radius: float
    layer: HyperplaneLayer = field(repr=False)
    outputs: np.ndarray = field(repr=False)
    neurons: dict[int, tuple[np.ndarray, np.ndarray]] = field(repr=False)


def grow_draws(draws, old_labels, samples: SamplesInMemory, ball, rules, n_jobs):
    """Return what `memorize_more` makes of each draw, in parallel jobs."""
    return Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(memorize_more)(draw, old_labels, samples, ball, rules.of_draw(number))
        for number, draw in enumerate(draws)
    )


def memorize_more(
    old: GrowingCover | int,
    old_labels: np.ndarray | None,
    samples: SamplesInMemory,
    ball: Ball,
    rules: Rules,
) -> tuple[GrowingCover, Memorization]:
    """Let more samples join, and cover all of them; the ball holds them.

    `old` is what covers the samples so far, or the seed of the draw if there are none.
    They are the first rows of all samples, and `old_labels` are the class numbers that
    they had; some may have got another one.
    """
    if isinstance(old, GrowingCover):
        assert old_labels is not None
        growing, codes = _with_more_samples(old, old_labels, samples, ball, rules)
    else:
        growing, codes = _first_draw(old, samples, ball, rules)
    n_rounds = 0
    while True:
        covers = _cover_classes(growing, codes, samples, rules)
        if sum(cover.n_missed for cover in covers) == 0:
            break
        if rules.separates:
            n_rounds += 1
            if n_rounds > MOST_ROUNDS:
                break
            layer = with_separating(
                growing.layer, codes, covers, samples, rules, growing.seed, n_rounds
            )
            larger = _encoded_anew(growing, layer, samples, rules)
        else:
            larger = _with_more_hyperplanes(growing, samples, ball, rules)
        if larger is None:
            break
        growing, codes = larger
    if rules.prune:
        covers = samples.without_spare_neurons(codes, covers, rules.classes)
    network = assemble(growing.layer, codes, covers, samples, rules)
    neurons = {
        number: (samples.of_class(number)[cover.centers], cover.bounds)
        for number, cover in zip(rules.classes, covers, strict=True)
    }
    return replace(growing, turn=growing.turn + 1, neurons=neurons), network


def _outputs(layer: HyperplaneLayer, X, rules: Rules) -> np.ndarray:
    """Return what the hyperplanes say of some samples, in a form that is kept."""
    return layer.encode(X, rules.activation, rules.n_threads).outputs()


def _codes(
    outputs: np.ndarray, layer: HyperplaneLayer, samples: SamplesInMemory, rules: Rules
):
    """Lay out what is kept as the kernels read it."""
    codes = layer.room(samples.layout.n_positions, rules.activation)
    codes.put_outputs(samples.positions_of_rows, outputs)
    return codes.arranged()


def _first_draw(seed: int, samples: SamplesInMemory, ball: Ball, rules: Rules):
    n = rules.n_at_first
    drawn = hyperplane_stream(seed, ball, rules).draw(n, rules.n_threads)
    layer = with_balanced_first(drawn, samples, rules)
    outputs = _outputs(layer, samples.X, rules)
    growing = GrowingCover(seed, 0, n, ball.radius, layer, outputs, {})
    return growing, _codes(outputs, layer, samples, rules)


def _with_more_hyperplanes(
    growing: GrowingCover, samples: SamplesInMemory, ball: Ball, rules: Rules
):
    """Draw as many hyperplanes again, or all of them anew; None if that is no use.

    The ones kept are computed in units of a larger ball; whatever that rounds, all
    codes and bounds are computed again.
    """
    n = growing.layer.n_hyperplanes
    n_more = min(n, rules.most_drawn - n)
    outgrown = ball.radius > _OUTGROWN * growing.radius
    if n_more <= 0 and not outgrown:
        return None
    radius = growing.radius
    stream = hyperplane_stream(growing.seed, ball, rules, growing.n_drawn)
    if n_more > 0:
        more = stream.draw(n_more, rules.n_threads)
        layer = _in_units_of(growing.layer, ball).joined_by(more)
    else:
        n_more, radius = n, ball.radius
        layer = stream.draw(n, rules.n_threads)
    layer = with_balanced_first(layer, samples, rules)
    n_drawn = growing.n_drawn + n_more
    larger = replace(growing, n_drawn=n_drawn, radius=radius)
    return _encoded_anew(larger, layer, samples, rules)


def _in_units_of(layer: HyperplaneLayer, ball: Ball) -> HyperplaneLayer:
    """Return the same hyperplanes, for points that lie in a larger ball."""
    biases = np.ldexp(layer.scaled_biases, layer.exponent - ball.exponent)
    return replace(
        layer, scaled_biases=biases, exponent=ball.exponent, shift=ball.shift
    )


def _encoded_anew(
    growing: GrowingCover, layer: HyperplaneLayer, samples: SamplesInMemory, rules
):
    """Replace the hyperplanes, and compute all codes and bounds from scratch."""
    outputs = _outputs(layer, samples.X, rules)
    codes = _codes(outputs, layer, samples, rules)

    def with_bounds(number: int):
        centers = growing.neurons[number][0]
        centers = centers[samples.labels_of_rows[centers] == number]
        masks = codes.masks(samples.positions_of_rows[centers])
        return centers, codes.largest_bounds(masks, samples.layout.tiles[number])

    renewed = run_in_threads(with_bounds, growing.neurons, rules.n_threads)
    neurons = dict(zip(growing.neurons, renewed, strict=True))
    growing = replace(growing, layer=layer, outputs=outputs, neurons=neurons)
    return growing, codes


def _with_more_samples(
    old: GrowingCover, old_labels: np.ndarray, samples: SamplesInMemory, ball, rules
):
    """Add the codes of the new samples, and lower the bounds that they break."""
    layer = old.layer
    if ball.exponent > layer.exponent:
        layer = _in_units_of(layer, ball)
        if rules.activation == "relu":  # its codes are counted in these units
            return _encoded_anew(old, layer, samples, rules)
        if (layer.biases != old.layer.biases).any():
            layer = old.layer  # it is right for large points, if slow
    n = len(old_labels)
    labels, positions = samples.labels_of_rows, samples.positions_of_rows
    outputs = np.concatenate((old.outputs, _outputs(layer, samples.X[n:], rules)))
    codes = _codes(outputs, layer, samples, rules)
    changed = np.flatnonzero(old_labels != labels[:n])
    fresh = np.concatenate((changed, np.arange(n, len(labels))))
    recent = SamplesInMemory.of(None, labels[fresh], len(samples.sizes))
    recent_codes = _codes(outputs[fresh], layer, recent, rules)

    def with_bounds(number: int):
        centers, bounds = old.neurons[number]
        kept = labels[centers] == number
        centers, bounds = centers[kept], bounds[kept]
        masks = codes.masks(positions[centers])
        # Bounds rise only where a sample that set them is of this class by now.
        joined = changed[labels[changed] == number]
        if len(joined):
            joined = codes.take(positions[joined])
            raised = joined.largest_bounds(masks, slice(0, 0)) <= bounds
            tiles = samples.layout.tiles[number]
            bounds[raised] = codes.largest_bounds(masks[raised], tiles)
        lowered = recent_codes.largest_bounds(masks, recent.layout.tiles[number])
        return centers, np.minimum(bounds, lowered)

    renewed = run_in_threads(with_bounds, old.neurons, rules.n_threads)
    neurons = dict(zip(old.neurons, renewed, strict=True))
    return replace(old, layer=layer, outputs=outputs, neurons=neurons), codes


def _cover_classes(
    growing: GrowingCover, codes, samples: SamplesInMemory, rules: Rules
) -> list[Cover]:
    """Cover each class; its samples left over are drawn in an order of its own."""
    order_seed = seed_of_orders(growing.seed)
    turn = (growing.turn,) if growing.turn else ()
    none = np.empty(0, dtype=np.intp), np.empty(0, dtype=np.int64)

    def cover(number: int) -> Cover:
        tiles = samples.layout.tiles[number]
        centers, bounds = growing.neurons.get(number, none)
        return renewed_cover(
            codes,
            tiles,
            int(samples.sizes[number]),
            samples.positions_of_rows[centers] - tiles.start * LANES,
            bounds,
            np.random.default_rng((order_seed, number, *turn)),
            rules.greedy,
        )

    return cover_each_class(cover, samples.sizes, rules)
