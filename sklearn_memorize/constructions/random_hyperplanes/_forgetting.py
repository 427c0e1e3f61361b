"""Memorize samples that come and go: the cover of Algorithm 1, without history.

S. Dirksen, P. Finke, M. Genzel, "Memorization with neural nets: going beyond the worst
case", JMLR 25(347), 2024 (arXiv:2310.00327), Algorithms 1 and 2. What they leave to
chance is here a function of the set of samples, a seed, and a ball that is given:

- hyperplanes are drawn for the ball, and sorted by their distance from its center, the
  nearest first, for these divide the samples most evenly;
- samples are drawn in the order of a hash of their content, keyed by the seed.

So the network is the same, to the last bit, however the samples came, and whatever else
came and went. It is not built from scratch each time. What takes most of the time are
the bounds of the neurons,

    m = min over x of other classes <u, Phi(x)>.

They are kept. When samples leave, m can only have changed where one of them has
<u, Phi(x)> = m, and is computed again there; when samples come, m is the minimum of
what it was and of theirs. The cover is then run in its order, with the bounds that are
known, and asks for few others.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from ... import kernels
from ...network._storage import storable
from ._codes import BitCodes, is_set
from ._construction import (
    MOST_ROUNDS,
    Memorization,
    Rules,
    assemble,
    cover_each_class,
    hyperplane_stream,
    seed_of_orders,
    with_separating,
)
from ._covers import (
    Cover,
    cover_greedily,
    cover_in_drawing_order,
    covered_by_any,
    lanes,
)
from ._drawing import Ball
from ._hyperplane_layer import HyperplaneLayer
from ._network import Covering
from ._sample_set import Moves, SampleSet
from ._samples import SamplesInMemory

Bounds = dict[int, tuple[np.ndarray, np.ndarray]]

# This many samples are taken together where most bounds are known.
_TAKEN_TOGETHER = 128


@storable
@dataclass(frozen=True, eq=False)
class SettledDraw:
    """One draw of hyperplanes, and what was found out about a set of samples.

    `outputs` is what the hyperplanes say of the rows of the set, as in `GrowingCover`.
    `bounds` holds, for each class, the rows behind the neurons, in their order, and the
    bounds m. Those at `centers` are the neurons of the network: fewer where they are
    pruned, and none where it has more hyperplanes.
    """

    seed: int
    layer: HyperplaneLayer = field(repr=False)
    outputs: np.ndarray = field(repr=False)
    bounds: Bounds = field(repr=False)
    centers: np.ndarray = field(repr=False)


def memorize_set(
    draws,
    before: SampleSet | None,
    now: SampleSet,
    moves: Moves,
    samples: SamplesInMemory,
    ball: Ball,
    rules: Rules,
    n_jobs: int | None,
) -> list[tuple[SettledDraw, Memorization, np.ndarray | None]]:
    """Memorize a set in parallel jobs, given what was found out about another one.

    `draws` are seeds where there was no other set `before`; `moves` tells which of its
    rows are still there. `samples` are those of the set that is there `now`. Also
    returns the rows at which neurons of another class fire, if nothing but what has
    changed had to be asked for that, else None.
    """
    return Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(_memorize)(draw, before, now, moves, samples, ball, rules)
        for draw in draws
    )


def _memorize(
    old: SettledDraw | int,
    before: SampleSet | None,
    now: SampleSet,
    moves: Moves,
    samples: SamplesInMemory,
    ball: Ball,
    rules: Rules,
) -> tuple[SettledDraw, Memorization, np.ndarray | None]:
    bounds: Bounds = {}
    change = None
    if isinstance(old, SettledDraw) and before is not None:
        seed, layer = old.seed, old.layer
        outputs = _outputs_after(old, now, moves, rules)
        codes = _codes(outputs, layer, samples, rules)
        # With ReLU, bounds depend on whether any output is cut off, of all samples.
        if isinstance(codes, BitCodes):
            change = _Change.of(before, now, moves)
            bounds = change.bounds_after(old, outputs, codes, samples, rules)
    else:
        assert isinstance(old, int)
        seed, layer = old, _nearest_first(old, ball, rules)
        outputs = layer.encode(now.X, rules.activation, rules.n_threads).outputs()
        codes = _codes(outputs, layer, samples, rules)
    turns = turns_of(now.hashes, seed)
    covers = _cover_classes(codes, samples, turns, rules, bounds, outputs)
    found_bounds = {
        number: (samples.of_class(number)[cover.centers], cover.bounds)
        for number, cover in zip(rules.classes, covers, strict=True)
    }
    settled = partial(SettledDraw, seed, layer, outputs, found_bounds)
    n_rounds, n_drawn = 0, layer.n_hyperplanes
    while sum(cover.n_missed for cover in covers) and not rules.n_hyperplanes:
        if rules.separates and n_rounds < MOST_ROUNDS:
            n_rounds += 1
            larger = with_separating(
                layer, codes, covers, samples, rules, seed, n_rounds
            )
        elif not rules.separates and layer.n_hyperplanes < rules.most_drawn:
            n = min(2 * layer.n_hyperplanes, rules.most_drawn)
            larger = _nearest_first(seed, ball, rules, n)
        else:
            break
        if larger is layer:
            break
        layer, codes = larger, None
        codes = samples.encode(layer, rules.activation, rules.n_threads)
        covers = _cover_classes(codes, samples, turns, rules)
    if rules.prune:
        covers = samples.without_spare_neurons(codes, covers, rules.classes)
    found = assemble(layer, codes, covers, samples, rules)
    if layer.n_hyperplanes > n_drawn:
        return settled(found.centers[:0]), found, None
    suspects = None
    if change is not None and found.codes is not None:
        assert isinstance(old, SettledDraw)
        suspects = change.set_off(old, found, samples, rules)
    return settled(found.centers), found, suspects


def _nearest_first(seed: int, ball: Ball, rules: Rules, n=None) -> HyperplaneLayer:
    """Draw hyperplanes, and sort them by how far from the center they pass."""
    n = n or rules.n_at_first
    layer = hyperplane_stream(seed, ball, rules).draw(n, rules.n_threads)
    center = np.ldexp(ball.center, -ball.exponent)[np.newaxis]
    at_center = kernels.ordered_product(layer.directions, center)[:, 0]
    distances = np.abs(layer.scaled_biases + at_center)
    return layer.subset(np.argsort(distances, kind="stable"))


def turns_of(hashes: np.ndarray, seed: int) -> np.ndarray:
    """Return keyed hashes: in their order samples are drawn.

    They are the contents' hashes, mixed with a key by the finalizer of SplitMix64,
    which maps no two to the same.
    """
    key = np.random.SeedSequence(seed_of_orders(seed)).generate_state(1, np.uint64)
    mixed = hashes ^ key
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _outputs_after(
    old: SettledDraw, now: SampleSet, moves: Moves, rules: Rules
) -> np.ndarray:
    """Return what the hyperplanes say of all rows; only new ones are encoded."""
    n = len(now.hashes)
    if len(moves.after) == n:
        return old.outputs[moves.before]
    outputs = np.empty((n, old.outputs.shape[1]), dtype=old.outputs.dtype)
    outputs[moves.after] = old.outputs[moves.before]
    new = _others(n, moves.after)
    codes = old.layer.encode(now.X[new], rules.activation, rules.n_threads)
    outputs[new] = codes.outputs()
    return outputs


def _others(n: int, places: np.ndarray) -> np.ndarray:
    """Return the numbers below n that are not among the places."""
    is_other = np.ones(n, dtype=bool)
    is_other[places] = False
    return np.flatnonzero(is_other)


def _codes(outputs, layer: HyperplaneLayer, samples: SamplesInMemory, rules: Rules):
    """Lay out what is kept as the kernels read it."""
    n_positions, positions = samples.layout.n_positions, samples.positions_of_rows
    codes = layer.filled(n_positions, rules.activation, positions, outputs)
    return codes.arranged(rules.n_threads)


@dataclass(frozen=True)
class _Change:
    """Which rows of a set went, and which came.

    A row whose label has changed went with the one and came with the other. `gone` are
    places in the set before, of labels `left`; `come` are places in the set now.
    `places` tells where the rows that stay with their label stand now, -1 for others.
    """

    gone: np.ndarray
    left: np.ndarray
    come: np.ndarray
    places: np.ndarray

    @classmethod
    def of(cls, before: SampleSet, now: SampleSet, moves: Moves) -> _Change:
        n_before, n_now = len(before.hashes), len(now.hashes)
        differs = before.labels[moves.before] != now.labels[moves.after]
        gone = (_others(n_before, moves.before), moves.before[differs])
        come = (_others(n_now, moves.after), moves.after[differs])
        places = np.full(n_before, -1, dtype=np.intp)
        places[moves.before[~differs]] = moves.after[~differs]
        rows = np.concatenate(gone)
        return cls(rows, before.labels[rows], np.concatenate(come), places)

    def bounds_after(
        self,
        old: SettledDraw,
        outputs: np.ndarray,
        codes,
        samples: SamplesInMemory,
        rules: Rules,
    ) -> Bounds:
        """Return the bounds of the rows that were asked before, and are still there."""
        n_classes = len(samples.sizes)
        labels = samples.labels_of_rows[self.come]
        left = _ByClass.of(old.outputs[self.gone], self.left, n_classes, old, rules)
        added = _ByClass.of(outputs[self.come], labels, n_classes, old, rules)
        found = {}
        for number, (rows, bounds) in old.bounds.items():
            stay = self.places[rows] >= 0
            rows, bounds = self.places[rows[stay]], bounds[stay]
            masks = codes.masks_of(outputs[rows])
            rises = np.flatnonzero(left.smallest(masks, number) <= bounds)
            bounds = np.minimum(bounds, added.smallest(masks, number))
            tiles = samples.layout.tiles[number]
            bounds[rises] = computed_bounds(codes, masks[rises], tiles)
            found[number] = rows, bounds
        return found

    def set_off(
        self,
        old: SettledDraw,
        found: Memorization,
        samples: SamplesInMemory,
        rules: Rules,
    ) -> np.ndarray:
        """Return the rows at which neurons of another class fire.

        Neurons that were there before, with a bound no lower than now, are asked about
        rows that came; the others about all rows.
        """
        was_center = np.zeros(len(self.places), dtype=bool)
        was_center[old.centers] = True
        highest = np.full(len(samples.rows), -1, dtype=np.int64)
        for rows, bounds in old.bounds.values():
            stay = was_center[rows] & (self.places[rows] >= 0)
            highest[self.places[rows[stay]]] = bounds[stay]
        covering = found.covering
        renewed = covering.bounds > highest[found.centers]
        fires = _classes_that_fire(found.codes, covering, renewed)
        suspects = _wrongly(
            fires[samples.positions_of_rows], samples.labels_of_rows, rules
        )
        if not len(self.come):
            return suspects
        come = found.codes.take(samples.positions_of_rows[self.come])
        fires = _classes_that_fire(come, covering, np.ones(len(renewed), dtype=bool))
        labels = samples.labels_of_rows[self.come]
        return np.union1d(suspects, self.come[_wrongly(fires, labels, rules)])


def _classes_that_fire(codes, covering: Covering, chosen: np.ndarray) -> np.ndarray:
    """Return which classes have a chosen neuron that fires, for each sample."""
    starts = np.concatenate(([0], np.cumsum(chosen)))[covering.starts]
    masks, bounds = covering.masks[chosen], covering.bounds[chosen]
    return codes.classes_that_fire(masks, bounds, starts)


def _wrongly(fires: np.ndarray, labels: np.ndarray, rules: Rules) -> np.ndarray:
    """Return the samples at which a class that is not theirs fires."""
    others = labels[:, np.newaxis] != np.asarray(rules.classes)
    return np.flatnonzero((fires[: len(labels)] & others).any(axis=1))


@dataclass(frozen=True)
class _ByClass:
    """Some samples, a class after the other in tiles of its own."""

    samples: SamplesInMemory
    codes: object

    @classmethod
    def of(cls, outputs, labels, n_classes: int, draw: SettledDraw, rules: Rules):
        samples = SamplesInMemory.of(None, labels, n_classes)
        return cls(samples, _codes(outputs, draw.layer, samples, rules))

    def smallest(self, masks: np.ndarray, number: int) -> np.ndarray:
        """Return the smallest <u, Phi(x)> of a sample of another class."""
        tiles = self.samples.layout.tiles[number]
        return self.codes.largest_bounds(masks, tiles)  # type: ignore[attr-defined]


def _cover_classes(
    codes,
    samples: SamplesInMemory,
    turns: np.ndarray,
    rules: Rules,
    known: Bounds | None = None,
    outputs: np.ndarray | None = None,
) -> list[Cover]:
    """Cover each class in the order of the turns.

    Where bounds are known, what the hyperplanes say of the rows is given with them.
    """

    def cover(number: int) -> Cover:
        members, tiles = samples.of_class(number), samples.layout.tiles[number]
        order = np.argsort(turns[members], kind="stable")
        if known and outputs is not None and not rules.greedy:
            bounds = np.full(len(members), -1, dtype=np.int64)
            if number in known:
                rows, of_rows = known[number]
                bounds[np.searchsorted(members, rows)] = of_rows
            return _cover_knowing(codes, tiles, order, bounds, outputs[members])
        strategy = cover_greedily if rules.greedy else cover_in_drawing_order
        found = strategy(codes, tiles, order)
        if not isinstance(codes, BitCodes):
            return found
        return replace(found, bounds=_bounded(found.bounds, found.masks))

    return cover_each_class(cover, samples.sizes, rules)


def _cover_knowing(
    codes, tiles: slice, order: np.ndarray, known: np.ndarray, words: np.ndarray
) -> Cover:
    """Return what `cover_in_drawing_order` does, where most bounds are known.

    `known` are the bounds by rank, -1 where they are not, and `words` the codes by
    rank. A sample without a bound is asked for it only if no earlier sample of those
    taken together covers it.
    """
    covered = np.zeros(tiles.stop - tiles.start, dtype=np.uint64)
    nothing = order[:0], codes.masks_of(words[:0]), known[:0]
    kept = [_Candidates.of(tiles, *nothing).at(order[:0])]
    waiting = order
    while len(waiting):
        batch, waiting = waiting[:_TAKEN_TOGETHER], waiting[_TAKEN_TOGETHER:]
        masks = codes.masks_of(words[batch])
        found = _Candidates.of(tiles, batch, masks, known[batch])
        found.ask(codes, tiles, np.flatnonzero(found.bounds >= 0))
        used, passed = found.in_turn()
        new = np.flatnonzero((found.bounds < 0) & ~passed)
        if len(new):
            found.bounds[new] = computed_bounds(codes, found.masks[new], tiles)
            found.ask(codes, tiles, new)
            used, passed = found.in_turn()
            # What was passed over since a sample covers it that is covered itself.
            lost = np.flatnonzero((found.bounds < 0) & ~passed)
            if len(lost):
                used = used[used < lost[0]]
                waiting = np.concatenate((batch[lost[0] :], waiting))
                known[batch] = found.bounds
        covered |= covered_by_any(found.members[used])
        kept.append(found.at(used))
        waiting = waiting[~lanes(covered)[waiting]]
    centers, masks, bounds, members = map(np.concatenate, zip(*kept, strict=True))
    return Cover.of_members(centers, masks, bounds, members, len(order))


@dataclass(frozen=True)
class _Candidates:
    """Samples of a class in their order, that may become centers.

    `members` says which samples of the class each would cover, and `later[i, k]` that
    candidate i covers candidate k, and comes before it; both where there is a bound.
    """

    ranks: np.ndarray
    masks: np.ndarray
    bounds: np.ndarray
    members: np.ndarray
    later: np.ndarray

    @classmethod
    def of(cls, tiles: slice, ranks, masks, bounds) -> _Candidates:
        n, n_tiles = len(ranks), tiles.stop - tiles.start
        members = np.zeros((n, n_tiles), dtype=np.uint64)
        return cls(ranks, masks, bounds, members, np.zeros((n, n), dtype=bool))

    def ask(self, codes: BitCodes, tiles: slice, which: np.ndarray) -> None:
        """Find out what some of the candidates cover."""
        masks, bounds = self.masks[which], self.bounds[which]
        self.members[which] = codes.covers(masks, bounds, tiles)
        comes_later = np.arange(len(self.ranks)) > which[:, np.newaxis]
        self.later[which] = is_set(self.members[which], self.ranks) & comes_later

    def in_turn(self) -> tuple[np.ndarray, np.ndarray]:
        """Return those with a bound that no earlier one of them covers.

        Also returns which of all candidates an earlier one of them covers.
        """
        used = self.bounds > 0
        for number in np.flatnonzero(used & self.later[:, used].any(axis=1)):
            if used[number]:
                used &= ~self.later[number]
        return np.flatnonzero(used), np.asarray(self.later[used].any(axis=0))

    def at(self, used: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return ranks, masks, bounds and members of some candidates."""
        return self.ranks[used], self.masks[used], self.bounds[used], self.members[used]


def computed_bounds(codes: BitCodes, masks: np.ndarray, tiles: slice) -> np.ndarray:
    """Return the bounds with which no sample outside the tiles is covered."""
    return _bounded(codes.largest_bounds(masks, tiles), masks)


def _bounded(bounds: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Lower bounds that say no more: with no other class about, any larger one does."""
    return np.minimum(bounds, np.bitwise_count(masks).sum(axis=1, dtype=np.int64) + 1)
