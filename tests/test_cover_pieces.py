"""The parts of covers: samples in parts, in batches, and neurons that are kept."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from sklearn_memorize.constructions.random_hyperplanes import _growing as incremental
from sklearn_memorize.constructions.random_hyperplanes import _parts
from sklearn_memorize.constructions.random_hyperplanes._codes import (
    BitCodes,
    ClassLayout,
)
from sklearn_memorize.constructions.random_hyperplanes._construction import Rules
from sklearn_memorize.constructions.random_hyperplanes._covers import (
    _first_lanes,
    _lanes,
    renewed_cover,
)
from sklearn_memorize.constructions.random_hyperplanes._drawing import enclosing_ball
from sklearn_memorize.constructions.random_hyperplanes._growing import memorize_more
from sklearn_memorize.constructions.random_hyperplanes._parts import SamplesInParts
from sklearn_memorize.constructions.random_hyperplanes._samples import (
    SamplesInMemory as Samples,
)

# Samples in parts.


def test_candidates_ahead_double_where_most_are_used_and_halve_elsewhere():
    asked = []

    class Drawn:
        def __init__(self, ranks):
            self.ranks = ranks

        def masks(self, positions):
            return np.zeros((len(positions), 1), dtype=np.uint64)

        def covers(self, masks, bounds, tiles):
            return np.zeros((len(masks), tiles.stop), dtype=np.uint64)

    class OneClass:
        n_tiles = 40
        places = np.arange(2500)

        def codes_of(self, codes, ranks):
            asked.append(len(ranks))
            self.ranks = ranks
            return Drawn(ranks)

        def largest_bounds(self, codes, masks):
            # From the 600th sample on, none is told from other classes.
            return (self.ranks < 600).astype(np.int64)

        def covers(self, codes, masks, bounds):
            return np.zeros(40, dtype=np.uint64), np.ones(len(masks), dtype=np.intp)

    nothing = np.arange(0)
    samples = SamplesInParts(None, [], [], [], np.zeros(1), nothing, nothing, 1, 0)
    samples._classes[0] = OneClass()
    cover = samples.cover([], 0, np.arange(2500), False)
    grown = [8, 16, 32, 64, 128, 256]  # 504 of 600
    assert asked[:6] == grown
    # 96 of the next 256 are used, and then none.
    assert asked[6:] == [256, 128, 64, 32, 16] + [8] * 187 + [4]
    assert cover.centers.tolist() == list(range(600))
    assert cover.n_missed == 2500
    assert cover.coverage.tolist() == [1] * 600


def test_numbers_are_counted_from_where_their_part_starts():
    offsets = np.array([0, 3, 3, 10, 12])
    found = _parts.by_part(np.array([0, 2, 3, 9, 10, 11]), offsets)
    assert [part.tolist() for part in found] == [[0, 2], [], [0, 6], [0, 1]]


def test_tiles_of_a_class_are_those_of_the_layout():
    sizes = np.array([1, 64, 0, 65, 130])
    samples = Samples(None, np.arange(260), ClassLayout(sizes))
    assert samples.labels.tolist() == np.repeat(np.arange(5), sizes).tolist()
    expected = [slice(0, 1), slice(1, 2), slice(2, 2), slice(2, 4), slice(4, 7)]
    assert list(samples.layout.tiles) == expected


class Here:
    """Workers that do the work where they are asked."""

    def gather(self, work, *columns, given=()):
        return [work(*items, *given) for items in zip(*columns, strict=True)]


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_rows_are_taken_in_increasing_order_from_the_parts_that_hold_them(kind):
    X = np.arange(24.0).reshape(12, 2)
    parts = [kind(X[:3]), kind(X[3:3]), kind(X[3:10]), kind(X[10:])]
    offsets = np.array([0, 3, 3, 10, 12])
    rows = np.array([9, 0, 11, 4])
    taken = _parts.take_rows(Here(), parts, offsets, rows)
    taken = taken.toarray() if sparse.issparse(taken) else taken
    np.testing.assert_array_equal(taken, X[[0, 4, 9, 11]])


# Covers that keep what there is.


def bit_codes(n_samples=100, n_bits=60, seed=0):
    bits = np.random.default_rng(seed).random((n_samples, n_bits)) < 0.5
    words = (bits * (1 << np.arange(n_bits))).sum(axis=1).astype(np.uint64)
    return bits, BitCodes.from_words(words[:, np.newaxis], n_bits)


@pytest.mark.parametrize("greedy", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_old_neurons_stay_unless_an_older_one_covers_their_center(seed, greedy):
    # 64 samples of one class, and 36 of the other; a neuron each for some of them.
    bits, codes = bit_codes(seed=seed)
    centers = np.array([5, 60, 17, 33, 2, 8])
    masks = codes.masks(centers)
    bounds = codes.largest_bounds(masks, slice(0, 1))
    bounds[3] = 0
    counts = bits[:64].astype(int) @ (~bits[centers]).T.astype(int)
    fires = counts < bounds
    cover = renewed_cover(
        codes,
        slice(0, 1),
        64,
        centers,
        bounds,
        np.random.default_rng(0),
        greedy,
    )
    if not greedy:
        kept = []
        for k, center in enumerate(centers):
            if bounds[k] > 0 and not fires[center, kept].any():
                kept.append(k)
        assert cover.centers[: len(kept)].tolist() == centers[kept].tolist()
        assert cover.bounds[: len(kept)].tolist() == bounds[kept].tolist()
    assert cover.n_missed == 0
    assert len(set(cover.centers)) == len(cover.centers)
    mine = bits[:64].astype(int) @ (~bits[cover.centers]).T.astype(int) < cover.bounds
    others = bits[64:].astype(int) @ (~bits[cover.centers]).T.astype(int) < cover.bounds
    assert mine.any(axis=1).all() and not others.any()
    assert cover.coverage.tolist() == mine.sum(axis=0).tolist()


@given(st.integers(0, 200), st.integers(0, 3))
@settings(max_examples=20, deadline=None)
def test_the_first_lanes_are_in_use(n_lanes, n_more):
    n_words = -(-n_lanes // 64) + n_more
    lanes = _lanes(_first_lanes(n_lanes, n_words))
    assert lanes.tolist() == [k < n_lanes for k in range(64 * n_words)]


# Samples that come in batches.


def rules(**changes):
    options = {
        "n_hyperplanes": None,
        "min_hyperplanes": 64,
        "max_hyperplanes": 1000,
        "max_bias": 1.0,
        "activation": "threshold",
        "greedy": False,
        "prune": False,
        "classes": (0, 1),
        "n_threads": 1,
    }
    return Rules(**{**options, **changes})


def random_samples(n_samples=60, scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, 5)) * scale
    return Samples.of(X, rng.integers(2, size=n_samples), 2)


def ball_of(samples):
    return enclosing_ball(samples.X, np.arange(samples.n_samples), True)


def first_network(samples, some_rules):
    return memorize_more(7, None, samples, ball_of(samples), some_rules)


def test_samples_are_laid_out_by_class_the_oldest_first():
    labels = np.array([2, 0, 2, 2, 0])
    samples = Samples.of(np.zeros((5, 1)), labels, 4)
    assert [samples.of_class(k).tolist() for k in range(4)] == [
        [1, 4],
        [],
        [0, 2, 3],
        [],
    ]
    assert samples.positions_of_rows.tolist() == [64, 0, 65, 66, 1]
    assert samples.sizes.tolist() == [2, 0, 3, 0]
    assert samples.n_samples == 5


def test_hyperplanes_in_units_of_a_larger_ball_are_the_same():
    small, large = random_samples(), random_samples(scale=100.0)
    growing, _ = first_network(small, rules())
    ball = ball_of(large)
    layer = incremental._in_units_of(growing.layer, ball)
    assert layer.exponent == ball.exponent > growing.layer.exponent
    np.testing.assert_array_equal(layer.biases, growing.layer.biases)
    np.testing.assert_array_equal(layer.signs(small.X), growing.layer.signs(small.X))


@pytest.mark.parametrize(
    "changes, n_before, n_after",
    [
        ({"max_hyperplanes": 1000}, 64, 128),
        ({"max_hyperplanes": 100}, 64, 100),
        ({"max_hyperplanes": 65}, 64, 65),
        ({"max_hyperplanes": 64}, 64, None),
        ({"n_hyperplanes": 80}, 80, None),
    ],
)
def test_hyperplanes_double_up_to_their_most(changes, n_before, n_after):
    samples, some_rules = random_samples(), rules(**changes)
    growing, _ = first_network(samples, rules(n_hyperplanes=n_before))
    assert growing.layer.n_hyperplanes == growing.n_drawn == n_before
    ball = ball_of(samples)
    more = incremental._with_more_hyperplanes(growing, samples, ball, some_rules)
    if n_after is None:
        assert more is None
        return
    larger, codes = more
    assert larger.layer.n_hyperplanes == larger.n_drawn == n_after
    assert larger.radius == growing.radius
    kept = {row.tobytes() for row in growing.layer.directions}
    assert kept < {row.tobytes() for row in larger.layer.directions}
    # Codes and bounds are those of the new hyperplanes.
    signs = larger.layer.signs(samples.X)
    np.testing.assert_array_equal(codes.bits(samples.positions_of_rows), signs)
    for number, (centers, bounds) in larger.neurons.items():
        dark = (~signs[centers]).astype(int)
        counts = signs[samples.labels_of_rows != number].astype(int) @ dark.T
        assert bounds.tolist() == counts.min(axis=0).tolist()


@pytest.mark.parametrize(
    "growth, drawn_anew", [(1.9, False), (2.0, False), (2.1, True)]
)
def test_hyperplanes_are_drawn_anew_if_the_radius_more_than_doubles(growth, drawn_anew):
    samples, some_rules = random_samples(), rules(n_hyperplanes=80)
    growing, _ = first_network(samples, some_rules)
    ball = ball_of(samples)
    assert growing.radius == ball.radius
    larger = type(ball)(
        ball.center, ball.radius * growth, ball.exponent + 2, ball.shift
    )
    found = incremental._with_more_hyperplanes(growing, samples, larger, some_rules)
    assert (found is not None) == drawn_anew
    if drawn_anew:
        anew, _ = found
        assert (anew.layer.n_hyperplanes, anew.n_drawn) == (80, 160)
        assert anew.radius == larger.radius
        old = {row.tobytes() for row in growing.layer.directions}
        assert not old & {row.tobytes() for row in anew.layer.directions}


@pytest.mark.parametrize("activation", ["threshold", "relu"])
@pytest.mark.parametrize("scale", [1.0, 50.0])
def test_bounds_after_a_batch_are_those_of_all_samples(activation, scale):
    before, some_rules = random_samples(70), rules(activation=activation)
    growing, first = first_network(before, some_rules)
    assert (growing.turn, growing.seed, first.n_missed) == (1, 7, 0)
    joining = random_samples(40, scale, seed=1)
    labels = np.append(before.labels_of_rows, joining.labels_of_rows)
    labels[:3] = 1 - labels[:3]  # some have got another label
    after = Samples.of(np.vstack([before.X, joining.X]), labels, 2)
    ball = ball_of(after)
    grown, codes = incremental._with_more_samples(
        growing, before.labels_of_rows, after, ball, some_rules
    )
    anew = incremental._codes(
        incremental._outputs(grown.layer, after.X, some_rules),
        grown.layer,
        after,
        some_rules,
    )
    for number, (centers, bounds) in grown.neurons.items():
        old = growing.neurons[number][0]
        assert centers.tolist() == old[labels[old] == number].tolist()
        masks = anew.masks(after.positions_of_rows[centers])
        np.testing.assert_array_equal(
            masks, codes.masks(after.positions_of_rows[centers])
        )
        expected = anew.largest_bounds(masks, after.layout.tiles[number])
        assert bounds.tolist() == expected.tolist()
    old_labels = before.labels_of_rows
    final, second = memorize_more(growing, old_labels, after, ball, some_rules)
    assert (final.turn, second.n_missed) == (2, 0)
