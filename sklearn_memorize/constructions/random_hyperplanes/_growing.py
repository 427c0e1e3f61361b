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
from typing import Any

import numpy as np

from ...kernels import LANES
from ...kernels._threads import run_in_threads
from ._codes import BitCodes
from ._construction import Memorization, Rules, _assemble, _joined
from ._covers import ClassLayout, Cover, without_spare_neurons
from ._drawing import Ball, HyperplaneStream, most_balanced_first
from ._hyperplane_layer import HyperplaneLayer
from ._renewed_covers import renewed_cover

__all__ = ["GrowingCover", "Samples", "memorize_more"]

# Hyperplanes that do not suffice are drawn anew if the radius grew by this factor.
_OUTGROWN = 2.0


@dataclass(frozen=True)
class Samples:
    """Distinct samples in the order in which they came, and where their codes stand.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_samples, n_features)
        The samples.
    labels : ndarray of shape (n_samples,)
        Their class numbers.
    rows : ndarray of shape (n_samples,)
        The samples sorted by class, the oldest first.
    positions : ndarray of shape (n_samples,)
        Position of each sample among the codes.
    layout : ClassLayout
        Where the classes stand.
    """

    X: Any = field(repr=False)
    labels: np.ndarray = field(repr=False)
    rows: np.ndarray = field(repr=False)
    positions: np.ndarray = field(repr=False)
    layout: ClassLayout = field(repr=False)

    @classmethod
    def of(cls, X, labels: np.ndarray, n_classes: int) -> Samples:
        """Lay out labelled samples."""
        rows = np.argsort(labels, kind="stable")
        layout = ClassLayout.of(labels[rows], n_classes)
        positions = np.empty(len(labels), dtype=np.intp)
        positions[rows] = layout.positions
        return cls(X, labels, rows, positions, layout)

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.labels)

    @property
    def sizes(self) -> np.ndarray:
        """Number of samples of each class."""
        return self.layout.sizes

    def of_class(self, number: int) -> np.ndarray:
        """Return the samples of a class, the oldest first."""
        start = self.sizes[:number].sum()
        return self.rows[start : start + self.sizes[number]]


@dataclass(frozen=True)
class GrowingCover:
    """One draw of hyperplanes, and the neurons that cover everything seen so far.

    Parameters
    ----------
    seed : int
        Seed of this draw.
    turn : int
        Number of batches so far.
    n_drawn : int
        Number of hyperplanes drawn so far.
    radius : float
        Radius of the ball that the first of the hyperplanes were drawn for.
    layer : HyperplaneLayer
        The hyperplanes.
    outputs : ndarray of shape (n_samples, n_words) or (n_samples, n_hyperplanes)
        What the hyperplanes say of all samples: packed bits, or numbers for ReLU.
    neurons : dict of int to tuple of ndarray
        For each class the samples behind its neurons, the oldest neuron first, and
        the bounds m of the neurons.
    """

    seed: int
    turn: int
    n_drawn: int
    radius: float
    layer: HyperplaneLayer = field(repr=False)
    outputs: np.ndarray = field(repr=False)
    neurons: dict[int, tuple[np.ndarray, np.ndarray]] = field(repr=False)


def memorize_more(
    old: GrowingCover | int,
    before: Samples | None,
    after: Samples,
    ball: Ball,
    rules: Rules,
) -> tuple[GrowingCover, Memorization]:
    """Let more samples join, and cover all of them.

    Parameters
    ----------
    old : GrowingCover or int
        What covers the samples so far; the seed of the draw if there are none.
    before, after : Samples
        The samples so far, and the same samples, some of which may have got another
        label, followed by those that join.
    ball : Ball
        A ball that holds all samples.
    rules : Rules
        How to memorize.
    """
    if isinstance(old, GrowingCover):
        assert before is not None
        growing, codes = _with_more_samples(old, before, after, ball, rules)
    else:
        growing, codes = _first_draw(old, after, ball, rules)
    while True:
        covers = _cover_classes(growing, codes, after, rules)
        if sum(cover.n_missed for cover in covers) == 0:
            break
        larger = _with_more_hyperplanes(growing, after, ball, rules)
        if larger is None:
            break
        growing, codes = larger
    if rules.prune:
        covers = [without_spare_neurons(cover) for cover in covers]
    network = _assemble(growing.layer, codes, covers, after, rules)
    neurons = {
        number: (after.of_class(number)[cover.centers], cover.bounds)
        for number, cover in zip(rules.classes, covers, strict=True)
    }
    return replace(growing, turn=growing.turn + 1, neurons=neurons), network


def _stream(seed: int, ball: Ball, rules: Rules, n_drawn: int) -> HyperplaneStream:
    hyperplane_seed, _ = np.random.SeedSequence(seed).generate_state(2)
    return HyperplaneStream(int(hyperplane_seed), ball, rules.max_bias, n_drawn)


def _outputs(layer: HyperplaneLayer, X, rules: Rules) -> np.ndarray:
    """Return what the hyperplanes say of some samples, in a form that is kept."""
    codes = layer.encode(X, rules.activation, rules.n_threads)
    return codes.words() if isinstance(codes, BitCodes) else codes.values[: X.shape[0]]


def _codes(outputs: np.ndarray, layer: HyperplaneLayer, samples: Samples, rules: Rules):
    """Lay out what is kept as the kernels read it."""
    codes = layer.room(samples.layout.n_positions, rules.activation)
    if isinstance(codes, BitCodes):
        tiles, lanes = np.divmod(samples.positions, LANES)
        codes.tiles[tiles, :, lanes] = outputs
    else:
        codes.values[samples.positions] = outputs
    return codes.arranged()


def _first_draw(seed: int, samples: Samples, ball: Ball, rules: Rules):
    n = rules.n_hyperplanes or rules.min_hyperplanes
    drawn = _stream(seed, ball, rules, 0).draw(n, rules.n_threads)
    layer = most_balanced_first(drawn, samples.X, samples.rows)
    outputs = _outputs(layer, samples.X, rules)
    growing = GrowingCover(seed, 0, n, ball.radius, layer, outputs, {})
    return growing, _codes(outputs, layer, samples, rules)


def _with_more_hyperplanes(
    growing: GrowingCover, samples: Samples, ball: Ball, rules: Rules
):
    """Draw as many hyperplanes again, or all of them anew; None if that is no use.

    The ones kept are computed in units of a larger ball; whatever that rounds, all
    codes and bounds are computed again.
    """
    n = growing.layer.n_hyperplanes
    n_more = min(n, (rules.n_hyperplanes or rules.max_hyperplanes) - n)
    outgrown = ball.radius > _OUTGROWN * growing.radius
    if n_more <= 0 and not outgrown:
        return None
    radius = growing.radius
    stream = _stream(growing.seed, ball, rules, growing.n_drawn)
    if n_more > 0:
        more = stream.draw(n_more, rules.n_threads)
        layer = _joined(_in_units_of(growing.layer, ball), more)
    else:
        n_more, radius = n, ball.radius
        layer = stream.draw(n, rules.n_threads)
    layer = most_balanced_first(layer, samples.X, samples.rows)
    n_drawn = growing.n_drawn + n_more
    larger = replace(growing, n_drawn=n_drawn, radius=radius)
    return _encoded_anew(larger, layer, samples, rules)


def _in_units_of(layer: HyperplaneLayer, ball: Ball) -> HyperplaneLayer:
    """Return the same hyperplanes, for points that lie in a larger ball."""
    biases = np.ldexp(layer.scaled_biases, layer.exponent - ball.exponent)
    return HyperplaneLayer(layer.directions, biases, ball.exponent, ball.shift)


def _encoded_anew(
    growing: GrowingCover, layer: HyperplaneLayer, samples: Samples, rules: Rules
):
    """Replace the hyperplanes, and compute all codes and bounds from scratch."""
    outputs = _outputs(layer, samples.X, rules)
    codes = _codes(outputs, layer, samples, rules)

    def with_bounds(number: int):
        centers = growing.neurons[number][0]
        centers = centers[samples.labels[centers] == number]
        masks = codes.masks(samples.positions[centers])
        return centers, codes.largest_bounds(masks, samples.layout.tiles[number])

    renewed = run_in_threads(with_bounds, growing.neurons, rules.n_threads)
    neurons = dict(zip(growing.neurons, renewed, strict=True))
    growing = replace(growing, layer=layer, outputs=outputs, neurons=neurons)
    return growing, codes


def _with_more_samples(
    old: GrowingCover, before: Samples, after: Samples, ball: Ball, rules: Rules
):
    """Add the codes of the new samples, and lower the bounds that they break."""
    layer = old.layer
    if ball.exponent > layer.exponent:
        layer = _in_units_of(layer, ball)
        if rules.activation == "relu":  # its codes are counted in these units
            return _encoded_anew(old, layer, after, rules)
        if (layer.biases != old.layer.biases).any():
            layer = old.layer  # it is right for large points, if slow
    n = before.n_samples
    outputs = np.concatenate((old.outputs, _outputs(layer, after.X[n:], rules)))
    codes = _codes(outputs, layer, after, rules)
    changed = np.flatnonzero(before.labels != after.labels[:n])
    fresh = np.concatenate((changed, np.arange(n, after.n_samples)))
    recent = Samples.of(None, after.labels[fresh], len(after.sizes))
    recent_codes = _codes(outputs[fresh], layer, recent, rules)

    def with_bounds(number: int):
        centers, bounds = old.neurons[number]
        kept = after.labels[centers] == number
        centers, bounds = centers[kept], bounds[kept]
        masks = codes.masks(after.positions[centers])
        tiles = after.layout.tiles[number]
        # Bounds rise only where a sample that set them is of this class by now.
        joined = changed[after.labels[changed] == number]
        if len(joined):
            joined = codes.take(after.positions[joined])
            raised = joined.largest_bounds(masks, slice(0, 0)) <= bounds
            bounds[raised] = codes.largest_bounds(masks[raised], tiles)
        lowered = recent_codes.largest_bounds(masks, recent.layout.tiles[number])
        return centers, np.minimum(bounds, lowered)

    renewed = run_in_threads(with_bounds, old.neurons, rules.n_threads)
    neurons = dict(zip(old.neurons, renewed, strict=True))
    return replace(old, layer=layer, outputs=outputs, neurons=neurons), codes


def _cover_classes(
    growing: GrowingCover, codes, samples: Samples, rules: Rules
) -> list[Cover]:
    """Cover the classes, the largest first, each in a random order of its own."""
    sizes = samples.sizes
    largest_first = sorted(rules.classes, key=lambda number: -sizes[number])
    _, order_seed = np.random.SeedSequence(growing.seed).generate_state(2)
    turn = (growing.turn,) if growing.turn else ()
    none = np.empty(0, dtype=np.intp), np.empty(0, dtype=np.int64)

    def cover(number: int) -> Cover:
        tiles = samples.layout.tiles[number]
        centers, bounds = growing.neurons.get(number, none)
        return renewed_cover(
            codes,
            tiles,
            int(sizes[number]),
            samples.positions[centers] - tiles.start * LANES,
            bounds,
            np.random.default_rng((int(order_seed), number, *turn)),
            rules.greedy,
        )

    covers = run_in_threads(cover, largest_first, rules.n_threads)
    by_class = dict(zip(largest_first, covers, strict=True))
    return [by_class[number] for number in rules.classes]
