"""The parts of constructions, each against numbers made by hand and plain searches."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_memorize._distances import Frame as DistanceFrame
from sklearn_memorize._distances import PointSet, squared_distances
from sklearn_memorize.constructions import (
    _general_position,
    _nearby_cells,
    deep_threshold,
    nearby_set,
    residual,
    slabs,
)
from sklearn_memorize.constructions._general_position import (
    DegenerateGroupError,
    Frame,
    room,
)
from sklearn_memorize.constructions._nearby_cells import Cells, _Evaluated
from sklearn_memorize.constructions._threshold_gates import (
    decoding_layer,
    lookup_table,
    parity_layers,
    table_layers,
)
from sklearn_memorize.constructions.deep_threshold import (
    compress_codes,
    distinct_codes,
    majority_labels,
    neuron_bound,
    separating_hyperplanes,
    word_length,
)
from sklearn_memorize.constructions.nearby_set import NearbySetNetwork, greedy_cover
from sklearn_memorize.constructions.residual import hidden_node_bound
from sklearn_memorize.exceptions import InterpolationError
from sklearn_memorize.network import HyperplaneLayer

# Deep threshold networks.


@pytest.mark.parametrize(
    "n_codes, n_bits",
    [(1, 3), (2, 3), (3, 5), (4, 5), (5, 6), (8, 7), (1000, 21), (2**25, 51)],
)
def test_words_have_twice_the_logarithm_and_one_bit(n_codes, n_bits):
    assert word_length(n_codes) == n_bits


def test_words_are_never_longer_than_integers_in_double_precision():
    assert word_length(2**26) == word_length(10**12) == 52


@pytest.mark.parametrize(
    "sizes, gates, lookup, rest",
    [
        # 2 * 3 * m + r * ceil(log2 m); 2 sqrt(2 (1 + o) N) + 3 + o; r + o (+ classes).
        ((64, 21, 1000, 2), 6 * 64 + 21 * 6, 126 + 4, 21 + 1),
        ((65, 21, 1000, 10), 6 * 65 + 21 * 7, 200 + 7, 21 + 4 + 10),
        ((33, 20, 1000, 4), 6 * 33 + 20 * 6, 154 + 5, 20 + 2 + 4),
        ((22, 21, 50, 3), 6 * 22 + 21 * 5, 34 + 5, 21 + 2 + 3),
        # No gates where the code is no longer than the word.
        ((21, 21, 50, 3), 0, 34 + 5, 21 + 2 + 3),
        ((1, 3, 1, 2), 0, 4 + 4, 3 + 1),
    ],
)
def test_the_bound_of_neurons_is_the_sum_of_three_stages(sizes, gates, lookup, rest):
    assert neuron_bound(*sizes) == sizes[0] + gates + lookup + rest


def hyperplanes(n, n_features=3, seed=0):
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((n, n_features)).astype(np.float32)
    return HyperplaneLayer(directions, rng.uniform(-1, 1, n), 0)


def drawing(n_features=3):
    """Return `draw`, and the sizes that it was asked for."""
    sizes = []

    def draw(n):
        sizes.append(n)
        return hyperplanes(n, n_features, seed=len(sizes))

    return draw, sizes


def separated(signs, labels):
    codes = {}
    return all(
        codes.setdefault(row.tobytes(), label) == label
        for row, label in zip(signs, labels, strict=True)
    )


@pytest.mark.parametrize("n_samples, least", [(10, 0), (60, 0), (60, 500), (1, 5)])
def test_the_fewest_hyperplanes_that_separate_are_kept(n_samples, least):
    X = np.random.default_rng(0).standard_normal((n_samples, 3)) / 20
    labels = np.arange(n_samples) % 3
    draw, sizes = drawing()
    layer, left = separating_hyperplanes(X, labels, draw, least, 10_000)
    assert len(left) == 0
    blocks = [hyperplanes(n, seed=k + 1) for k, n in enumerate(sizes)]
    signs = np.hstack([block.signs(X) for block in blocks])
    fewest = next(
        n for n in range(signs.shape[1] + 1) if separated(signs[:, :n], labels)
    )
    assert layer.n_hyperplanes == max(fewest, least)
    np.testing.assert_array_equal(layer.signs(X)[:, :fewest], signs[:, :fewest])


def test_blocks_of_hyperplanes_double_up_to_the_largest():
    X, labels = np.zeros((2, 3)), np.array([0, 1])
    draw, sizes = drawing()
    layer, left = separating_hyperplanes(X, labels, draw, 0, 64 * 127 + 4096 + 100)
    assert sizes == [64, 128, 256, 512, 1024, 2048, 4096, 4096, 100]
    assert left.tolist() == [0, 1]
    assert layer.n_hyperplanes == sum(sizes)


def test_samples_that_share_a_code_with_a_stranger_are_left_over():
    X = np.array([[0.1, 0, 0], [0.7, 0, 0], [0.1, 0, 0], [0.7, 0, 0], [9, 9, 9]])
    labels = np.array([0, 1, 2, 1, 0])
    draw, sizes = drawing()
    _, left = separating_hyperplanes(X, labels, draw, 0, 200)
    assert left.tolist() == [0, 2]
    assert sizes == [64, 128, 8]


def test_the_smallest_of_the_most_frequent_labels_wins():
    groups = np.array([2, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2])
    labels = np.array([5, 3, 3, 1, 4, 2, 2, 4, 7, 7, 5])
    assert majority_labels(groups, labels, 3).tolist() == [3, 2, 5]


@pytest.mark.parametrize("block_bits", [1, 70, 1000, 1 << 24])
def test_codes_are_told_apart_whatever_the_blocks(monkeypatch, block_bits):
    monkeypatch.setattr(deep_threshold, "_BLOCK_BITS", block_bits)
    rng = np.random.default_rng(0)
    layer, X = hyperplanes(11), rng.standard_normal((40, 3))
    labels = rng.integers(3, size=40)
    sizes, signs = [], HyperplaneLayer.signs
    monkeypatch.setattr(
        HyperplaneLayer,
        "signs",
        lambda self, rows: sizes.append(len(rows)) or signs(self, rows),
    )
    codes, majority = distinct_codes(layer, X, labels)
    assert sizes[0] == min(40, max(1, block_bits // 11))
    assert sum(sizes) == 40 and max(sizes) == sizes[0]
    expected = {}
    for row, label in zip(signs(layer, X), labels.tolist(), strict=True):
        expected.setdefault(tuple(row.tolist()), []).append(label)
    found = np.unpackbits(codes, axis=1, count=11).astype(bool).tolist()
    assert sorted(map(tuple, found)) == sorted(expected)
    for code, label in zip(found, majority.tolist(), strict=True):
        votes = np.bincount(expected[tuple(code)])
        assert label == votes.argmax()


@pytest.mark.parametrize("block_bits", [1, 70, 1 << 24])
@pytest.mark.parametrize("n_code_bits, n_word_bits", [(11, 5), (70, 52), (1, 1)])
def test_words_are_the_parities_as_binary_digits(
    monkeypatch, n_code_bits, n_word_bits, block_bits
):
    monkeypatch.setattr(deep_threshold, "_BLOCK_BITS", block_bits)
    rng = np.random.default_rng(0)
    bits = rng.integers(2, size=(20, n_code_bits))
    parities = (rng.random((n_code_bits, n_word_bits)) < 0.5).astype(np.float32)
    words = deep_threshold._words(np.packbits(bits == 1, axis=1), parities)
    expected = [
        sum(int(p) << k for k, p in enumerate(row % 2))
        for row in bits @ parities.astype(int)
    ]
    assert words.tolist() == expected


def test_words_collide_if_one_of_them_carries_two_labels():
    collide = deep_threshold._collide
    assert collide(np.array([3, 5, 3]), np.array([0, 1, 1]))
    assert not collide(np.array([3, 5, 3]), np.array([1, 0, 1]))
    assert not collide(np.array([3, 5, 4]), np.array([1, 0, 0]))
    assert not collide(np.array([3]), np.array([1]))


@pytest.mark.parametrize("n_word_bits", [5, 6, 21, 52])
def test_each_bit_enters_three_different_parities(n_word_bits):
    rng = np.random.default_rng(0)
    parities = deep_threshold._draw_parities(300, n_word_bits, rng)
    assert parities.shape == (300, n_word_bits)
    assert set(np.unique(parities)) == {0.0, 1.0}
    assert (parities.sum(axis=1) == 3).all()
    assert parities.any(axis=0).all()


@pytest.mark.parametrize("n_code_bits, is_identity", [(6, True), (7, True), (8, False)])
def test_codes_no_longer_than_the_word_are_kept(n_code_bits, is_identity):
    bits = np.random.default_rng(0).permutation(64)[:8, np.newaxis]
    bits = bits >> np.arange(n_code_bits) & 1
    codes = np.packbits(bits == 1, axis=1)
    rng = np.random.default_rng(0)
    parities, words, done = compress_codes(codes, np.arange(8), n_code_bits, None, rng)
    # ceil(2 log2 8) + 1 = 7 bits.
    assert done and len(np.unique(words)) == 8
    assert parities.shape == (n_code_bits, min(n_code_bits, 7) if is_identity else 7)
    if is_identity:
        np.testing.assert_array_equal(parities, np.eye(n_code_bits))
        assert words.tolist() == (bits @ (1 << np.arange(n_code_bits))).tolist()


@pytest.mark.parametrize("fixed, lengths", [(None, range(5, 53)), (9, [9])])
def test_longer_words_are_tried_after_some_draws(monkeypatch, fixed, lengths):
    monkeypatch.setattr(deep_threshold, "_collide", lambda *_: True)
    drawn, draw = [], deep_threshold._draw_parities
    monkeypatch.setattr(
        deep_threshold,
        "_draw_parities",
        lambda n, r, rng: drawn.append(r) or draw(n, r, rng),
    )
    codes = np.packbits(np.eye(60)[:4] == 1, axis=1)
    rng = np.random.default_rng(0)
    parities, _, done = compress_codes(codes, np.arange(4), 60, fixed, rng)
    assert not done
    assert parities.shape == (60, lengths[-1])
    assert drawn == np.repeat(lengths, deep_threshold._N_DRAWS).tolist()
    assert deep_threshold._N_DRAWS > 1


def test_parities_of_five_bits_take_three_levels_of_gates():
    parities = np.zeros((6, 3))
    parities[:5, 0] = 1
    parities[5, 1] = 1
    layers, wires = parity_layers(parities)
    # Two gates and a bit that waits; one gate and one that waits; one gate.
    assert [layer.n_neurons for layer in layers] == [2 * 2 + 1 + 1, 2 + 1 + 1, 2 + 1]
    assert [layer.n_inputs for layer in layers] == [6, 6, 4]
    assert wires == [[(0, 1), (1, -1)], [(2, 1)], []]
    assert parity_layers(np.eye(4))[0] == []


def test_tables_have_one_entry_for_a_run_of_words_of_one_label():
    words = np.array([9, 4, 2, 7, 12, 5])
    labels = np.array([1, 3, 3, 1, 0, 1])
    table = lookup_table(words, labels, 4, 2)
    # 2..4: 3, 5..9: 1, 12: 0; round(sqrt(2 * 3 / 3)) = 1 position a block.
    assert table.values.tolist() == [[0], [5], [12]]
    assert table.bits.tolist() == [[[1, 1]], [[1, 0]], [[0, 0]]]
    table = lookup_table(np.arange(5), np.arange(5) % 2, 3, 1)
    # round(sqrt(5)) = 2 positions; what is missing has no word.
    assert table.values.tolist() == [[0, 1], [2, 3], [4, 8]]
    assert table.bits[..., 0].tolist() == [[0, 1], [0, 1], [0, 0]]


def test_a_table_has_the_widths_of_its_blocks_and_positions():
    table = lookup_table(np.arange(12), np.arange(12) % 4, 4, 2)
    n_blocks, n_positions = table.values.shape
    assert (n_blocks, n_positions) == (4, 3)
    layers = table_layers(table, [[(bit, 1)] for bit in range(4)], 4)
    widths = [layer.n_neurons for layer in layers]
    assert widths == [3 + 4, 2 + 3, 2 * 3, 2]


def test_classes_are_told_from_output_bits_by_the_number_that_differ():
    layer = decoding_layer(5, 3)
    bits = (np.arange(5)[:, np.newaxis] >> np.arange(3)) & 1
    differing = (bits[:, np.newaxis] != bits).sum(axis=2)
    assert layer.forward(bits).tolist() == (-differing).tolist()


# Hyperplanes through groups.


def test_room_is_measured_from_the_outer_ends_of_what_may_be_off():
    values = np.array([0.0, 1.0, 1.5, 4.0, -3.0, 9.0])
    errors = np.array([0.25, 0.5, 0.25, 0.5, 1.0, 0.0])
    below, low, high, above, on_it = room(
        values, errors, np.array([1, 2]), np.array([0, 3, 4, 5])
    )
    assert (below, low, high, above) == (0.25, 0.5, 1.75, 3.5)
    assert len(on_it) == 0
    # What touches the interval is on it.
    for value, error, touches in (
        (2.0, 0.25, True),
        (2.0, 0.125, False),
        (0.25, 0.25, True),
        (0.25, 0.125, False),
        (1.0, 0.0, True),
    ):
        values[5], errors[5] = value, error
        *_, on_it = room(values, errors, np.array([1, 2]), np.array([3, 5]))
        assert on_it.tolist() == [5] * touches


def test_where_no_stranger_is_there_is_room_for_all():
    values, errors = np.array([2.0, -5.0]), np.array([1.0, 0.5])
    below, low, high, above, _ = room(
        values, errors, np.array([0, 1]), np.empty(0, dtype=int)
    )
    # 1 + |low| + |high| on both sides.
    assert (below, low, high, above) == (-5.5 - 9.5, -5.5, 3.0, 3.0 + 9.5)


def test_slabs_end_halfway_to_the_strangers_or_at_the_next_double():
    one = np.nextafter(1.0, 2.0)
    values, errors = np.array([0.0, 1.0, 4.0]), np.zeros(3)
    lower, upper, _ = slabs._thresholds(values, errors, np.array([1]), np.array([0, 2]))
    assert (lower, upper) == (0.5, 2.5)
    values = np.array([1.0, one, np.nextafter(one, 2.0)])
    lower, upper, _ = slabs._thresholds(values, errors, np.array([1]), np.array([0, 2]))
    # lower < x holds for the member only, and upper < x for the stranger above.
    assert ((values > lower) & ~(values > upper)).tolist() == [False, True, False]


@pytest.mark.parametrize("split", [True, False])
def test_groups_in_the_way_of_strangers_shrink_by_an_eighth(monkeypatch, split):
    sizes = []

    def around(frame, group, strangers, rng):
        sizes.append(len(group))
        if len(group) > 5 and len(sizes) < 8 or len(sizes) == 1:
            raise DegenerateGroupError(group, strangers[:1])
        return tuple(group)

    monkeypatch.setattr(slabs, "_slab_around", around)
    frame, rng = SimpleNamespace(dimension=20), np.random.default_rng(0)
    members, strangers = np.arange(100, 144), np.arange(100)
    if not split:
        with pytest.raises(DegenerateGroupError):
            slabs.find_slabs(frame, members, strangers, False, rng)
        assert sizes == [20]
        return
    found = slabs.find_slabs(frame, members, strangers, True, rng)
    # One of eight that are begun leaves; then groups are large again.
    assert sizes == [20, 17, 14, 12, 10, 8, 7, 6, 20, 18]
    assert sorted(k for group in found for k in group) == members.tolist()


def test_a_single_sample_in_the_way_is_an_error(monkeypatch):
    def around(frame, group, strangers, rng):
        raise DegenerateGroupError(group, strangers)

    monkeypatch.setattr(slabs, "_slab_around", around)
    frame, rng = SimpleNamespace(dimension=3), np.random.default_rng(0)
    with pytest.raises(DegenerateGroupError) as error:
        slabs.find_slabs(frame, np.array([7]), np.array([1]), True, rng)
    assert error.value.members.tolist() == [7]


def test_frames_scale_by_powers_of_two_and_know_their_dimension():
    X = np.array([[0.0, 5.0, 1.0, 7.0], [3.0, 5.0, 1.5, 7.0], [6.0, 5.0, 2.0, 7.0]])
    frame = Frame(X)
    assert (frame.dimension, frame.n_features) == (1, 4)
    # Differences of up to 6 and 1 are brought below 1.
    assert frame.axis(0).tolist() == [0.125, 0, 0, 0]
    assert frame.axis(2).tolist() == [0, 0, 0.5, 0]
    assert not frame.axis(1).any()
    members = [
        frame.differing_features(k, np.delete(np.arange(3), k)) for k in range(3)
    ]
    assert [found.tolist() for found in members] == [[0, 2]] * 3


def test_features_in_which_a_sample_differs_from_all_strangers():
    X = np.array([[0.0, 1.0, 2.0], [0.0, 2.0, 3.0], [1.0, 1.0, 4.0], [5.0, 5.0, 2.0]])
    frame = Frame(X)
    assert frame.differing_features(0, np.array([1])).tolist() == [1, 2]
    assert frame.differing_features(0, np.array([1, 2])).tolist() == [2]
    assert frame.differing_features(0, np.array([1, 2, 3])).tolist() == []


@pytest.mark.parametrize("n_members", [1, 2, 3, 4])
def test_hyperplanes_go_through_all_members(n_members):
    X = np.random.default_rng(0).standard_normal((9, 4)) * [1, 100, 1e-3, 5] + 3
    frame = Frame(X)
    members = np.arange(n_members)
    normals = list(frame.normals(members, np.random.default_rng(1)))
    # There is one hyperplane through d points, and a choice through fewer.
    assert len(normals) == (1 if n_members == 4 else 8)
    for normal in normals:
        values, errors = frame.projections(normal)
        inside = values[members]
        assert np.ptp(inside) <= 1e-12 * np.ptp(values)
        assert np.abs(np.delete(values, members) - inside[0]).min() > 1e-9
        scaled = normal / np.ldexp(1.0, -np.frexp(np.abs(X - X[0]).max(axis=0))[1])
        assert np.linalg.norm(scaled) == pytest.approx(1.0)


def test_projections_are_as_far_off_as_said_at_most():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 5)) * 10.0 ** rng.integers(-3, 4, (30, 5))
    frame = Frame(X)
    normal = rng.standard_normal(5)
    normal[2] = 0.0
    values, errors = frame.projections(normal)
    exact = [
        sum(
            Fraction(a) * Fraction(b) for a, b in zip(row, normal.tolist(), strict=True)
        )
        for row in X.tolist()
    ]
    size = np.abs(X) @ np.abs(normal)
    # 4 gamma_5 of four products and four sums, and next to nothing more.
    np.testing.assert_allclose(errors, 4 * 5 * 2.0**-53 * size, rtol=1e-14)
    for value, error, wanted in zip(values, errors, exact, strict=True):
        assert abs(Fraction(float(value)) - wanted) <= Fraction(float(error)) / 4
    values, errors = frame.projections(frame.axis(1))
    assert not errors.any()
    np.testing.assert_array_equal(values, X[:, 1] * frame.axis(1)[1])


def test_bounds_of_projections_never_vanish():
    X = np.array([[0.0, 0.0], [1e-300, 1e-300], [2e-300, 0.0]])
    frame = Frame(X)
    _, errors = frame.projections(np.array([1e-300, 1e-300]))
    assert (errors >= 2 * 2.0**-1022).all()


def test_distances_that_overflow_are_named():
    X = np.array([[1.5e308], [-1.5e308]])
    with pytest.raises(ValueError, match=r"large as 1\.5e\+308 leave no room"):
        Frame(X)


def test_complements_are_orthonormal_and_orthogonal_to_the_rows():
    rows = np.array([[1.0, 2.0, 0.0, 0.0], [2.0, 4.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]])
    basis = _general_position._complement(rows)
    assert basis.shape == (4, 2)
    np.testing.assert_allclose(rows @ basis, 0, atol=1e-14)
    np.testing.assert_allclose(basis.T @ basis, np.eye(2), atol=1e-14)
    whole = _general_position._complement(rows[:0])
    np.testing.assert_array_equal(whole, np.eye(4))
    for spread in (rows, np.vstack([rows] * 3)):
        span = _general_position._row_space(spread)
        assert span.shape == (4, 2)
        np.testing.assert_allclose(span @ (span.T @ rows.T), rows.T, atol=1e-14)


# Residual blocks.


def test_the_bound_of_hidden_nodes_is_that_of_the_theorem():
    assert hidden_node_bound(2000, 50, 10) == 4 * 40 + 6 * 10
    assert hidden_node_bound(7, 2, 3) == 14 + 18


@pytest.mark.parametrize(
    "high, spacing", [(1.0, 4.0), (1.5, 4.0), (2.0, 8.0), (0.3, 1.0)]
)
def test_classes_are_a_power_of_two_apart_between_two_and_four_ranges(high, spacing):
    rng = np.random.default_rng(0)
    X = np.append([0.0, high], rng.uniform(0, high, 18))[:, np.newaxis]
    X = np.hstack([X * 2.0**-12, rng.standard_normal((20, 1))])
    state = residual._State(X)
    labels = np.arange(20) % 4
    network, groups, dimension = residual.build_residual_network(
        X, labels, 4, split=True, rng=rng
    )
    extent = np.ptp(state.places)
    levels = network._hats.pushes
    apart = levels.min()
    assert 2 * extent < apart <= 4 * extent
    assert np.log2(apart) % 1 == 0
    assert set(levels) == {apart, 2 * apart, 3 * apart}
    assert dimension == 2
    assert [labels[group[0]] for group in groups] == (levels / apart).tolist()


def test_groups_are_drawn_four_times_unless_all_that_is_left_is_one(monkeypatch):
    X = np.random.default_rng(0).standard_normal((700, 2))
    state = residual._State(X)

    def groups(n_left, size):
        rng = np.random.default_rng(1)
        found = residual._candidates(state, np.arange(n_left), size, rng)
        return [group.tolist() for group, _ in found]

    assert len(groups(10, 2)) == 4
    assert all(len(set(group)) == 2 for group in groups(600, 2))
    assert groups(2, 2) == [[0, 1]]
    monkeypatch.setattr(
        state.frame, "normals", lambda group, rng: iter([np.ones(2)]), raising=False
    )
    assert groups(300, 300) == [list(range(300))]
    assert groups(290, 300) == [list(range(290))]
    # A single sample may also be told by one of its features.
    assert groups(1, 2) == [[0]] * 3
    assert len(groups(5, 1)) == 4 + 2


@pytest.mark.parametrize(
    "X, feature",
    [
        ([[0.0, 5.0], [1.0, 6.0]], 0),
        ([[100.0, 5.0], [101.0, 6.0]], 1),
        ([[-1.0, 0.0], [1.0, 9.0]], 0),
        ([[0.0, 0.0], [0.0, 1e-9]], 1),
        ([[0.0, 0.0], [-3.0, -8.0]], 0),
        ([[1.5, 0.9e308], [1.75, -0.9e308]], 1),
    ],
)
def test_pushes_go_along_the_feature_of_the_largest_relative_range(X, feature):
    assert residual._widest_feature(np.array(X)) == feature


def test_edges_are_the_middle_halves_of_the_gaps():
    state = SimpleNamespace(drift=np.array([0.0, 0.7499]))
    edges = residual._edges(state, 0.0, 1.0, 4.0, 3)
    # Classes lie in 0..1, 4..5 and 8..9.
    assert edges.tolist() == [[1.75, 3.25], [5.75, 7.25]]
    for drift, spacing in ((0.75, 4.0), (0.0, 1.7e308)):
        state = SimpleNamespace(drift=np.array([drift]))
        quiet = np.errstate(over="ignore", invalid="ignore")
        with quiet, pytest.raises(InterpolationError, match="near-duplicates"):
            residual._edges(state, 0.0, 1.0, spacing, 3)


def hat(values, rounding, corners, members=(), errors=0.0):
    n = len(values)
    return residual._Hat(
        np.array(members, dtype=int),
        np.array([1.0, 0.0]),
        np.array(values),
        np.full(n, errors),
        np.array(rounding),
        corners,
    )


def test_the_room_of_a_hat_is_that_of_its_steeper_slope():
    values = [0.0]
    assert hat(values, values, (0.0, 1.0, 5.0, 9.0)).room == 1.0
    assert hat(values, values, (0.0, 7.0, 9.0, 11.0)).room == 2.0


def test_what_a_push_may_be_off_is_what_its_nodes_round():
    X = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 0.5]])
    state = residual._State(X)
    block = hat([0.0, 10.0, 20.0], [1.0, 1.0, 0.5], (4.0, 8.0, 12.0, 16.0), [1])
    state.push(block, 8.0)
    # 4 * 8 / 4 times (rounding + 2**-50 (|value| + 16)), right of the left foot.
    noise = [0.0, 8 * (1 + 26 * 2.0**-50), 8 * (0.5 + 36 * 2.0**-50)]
    assert state.drift.tolist() == noise
    assert state.pushed.tolist() == [0.0, 8.0, 0.0]
    state.push(block, 8.0)
    assert state.drift.tolist() == [2 * value for value in noise]
    # What may reach the foot is reached.
    near = hat([3.5, 0.0, 0.0], [0.0] * 3, (4.0, 8.0, 12.0, 16.0), [1], errors=0.5)
    at_foot = state.drift.copy()
    state.push(near, 8.0)
    assert (state.drift == at_foot).all()
    near = hat([3.5, 0.0, 0.0], [0.0] * 3, (4.0, 8.0, 12.0, 16.0), [1], errors=0.75)
    state.push(near, 8.0)
    assert (state.drift > at_foot).tolist() == [True, False, False]
    with pytest.raises(InterpolationError, match="steep nodes"):
        state.push(hat([9.0] * 3, [1e308] * 3, (0.0, 1e-9, 1.0, 2.0), [0]), 1e9)


def test_positions_are_those_of_pushed_points():
    X = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 0.5]])
    state = residual._State(X)
    assert (state.axis, state.scale) == (0, 0.25)
    assert state.places.tolist() == [0, 0.25, 0.5]
    normal = np.array([3.0, -2.0])
    values, errors, rounding = state.positions(normal)
    assert values.tolist() == [-2, -1, 5]
    assert (errors == rounding).all() and (rounding > 0).all()
    state.push(hat([0.0] * 3, [0.0] * 3, (4.0, 8.0, 12.0, 16.0), [1]), 8.0)
    state.drift[:] = [0.0, 0.5, 1.0]
    moved, errors, pushed_rounding = state.positions(normal)
    # Pushed by 8 / 0.25 along the first feature: 3 * 32 more.
    assert moved.tolist() == [-2, -1 + 96, 5]
    # 2**-50 of 12 (0.25 + 8), for what has been pushed.
    more = pushed_rounding - rounding
    np.testing.assert_allclose(more, [0, 99 * 2.0**-50, 0], rtol=1e-9)
    np.testing.assert_allclose(errors - pushed_rounding, [0, 6, 12], rtol=1e-12)


@pytest.mark.parametrize("split", [True, False])
def test_blocks_in_the_way_of_strangers_shrink_by_an_eighth(monkeypatch, split):
    sizes = []

    def best(state, left, size, rng):
        group = left[:size]
        sizes.append(len(group))
        if len(sizes) in (1, 2, 3):
            raise DegenerateGroupError(group, left[:0])
        corners = (0.0, 1.0, 2.0, 3.0)
        return hat([9.0] * 60, [0.0] * 60, corners, group)

    monkeypatch.setattr(residual, "_best_hat", best)
    X = np.random.default_rng(0).standard_normal((60, 20))
    state, labels = residual._State(X), np.arange(60) % 2
    arguments = state, labels, np.array([1, 0]), 4.0, split, None
    if not split:
        with pytest.raises(DegenerateGroupError):
            residual._find_hats(*arguments)
        return
    hats, groups = residual._find_hats(*arguments)
    assert sizes == [20, 17, 14, 12, 18]
    assert hats.pushes.tolist() == [4.0, 4.0]
    assert np.sort(np.concatenate(groups)).tolist() == list(range(0, 60, 2))


# Nearby sets.


def cells_of(n_centers=12, n_classes=3, n_features=3, seed=0):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((n_centers, n_features))
    labels = np.sort(np.arange(n_centers) % n_classes)
    return Cells(points, labels, DistanceFrame.of(points))


def half_planes(cells, x):
    """Return p_ij(x) - a of all pairs of different label, else 0."""
    points = cells.points.points
    difference = points - points[:, np.newaxis]
    products = ((x - points)[:, np.newaxis] * difference).sum(axis=2)
    squares = np.square(difference).sum(axis=2)
    different = cells.labels[:, np.newaxis] != cells.labels
    p = np.divide(products, squares, out=np.zeros_like(squares), where=different)
    return np.where(different, p - 1 / 3.1, 0.0)


SLOPE = 1 / (1 - 2 / 3.1)


@pytest.mark.parametrize("block_cells", [1, 5, 128])
def test_affine_bounds_of_cells_are_those_of_all_pairs(monkeypatch, block_cells):
    monkeypatch.setattr(_nearby_cells, "_BLOCK_CELLS", block_cells)
    cells = cells_of()
    X = np.random.default_rng(1).standard_normal((20, 3))
    bounds = cells._upper_bounds(PointSet(X, cells.frame))
    sums = np.array([half_planes(cells, x).sum(axis=1) for x in X])
    expected = 1 - SLOPE * np.maximum(sums, 0)
    assert (expected < 0).any()
    np.testing.assert_allclose(bounds, expected, atol=1e-9)
    # Rounding only ever raises them.
    assert (bounds >= expected - 1e-14 * np.abs(expected)).all()


def test_pairs_that_are_much_nearer_than_the_rest_are_left_out_of_the_bounds():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 2.0**-12]])
    cells = Cells(points, np.array([0, 1, 2]), DistanceFrame.of(points))
    alone = [Cells(points[k], np.array([0, 1]), cells.frame) for k in ([0, 1], [0, 2])]
    X = np.random.default_rng(1).standard_normal((9, 2)) / 2
    bounds = cells._upper_bounds(PointSet(X, cells.frame))
    for k in (1, 2):
        expected = alone[k - 1]._upper_bounds(PointSet(X, cells.frame))[:, 1]
        np.testing.assert_allclose(bounds[:, k], expected, atol=1e-9)


@pytest.mark.parametrize("block_cells", [1, 5, 128])
@pytest.mark.parametrize("n_rivals", [1, 3, 16])
def test_rivals_lower_the_bounds_to_what_their_terms_leave(
    monkeypatch, n_rivals, block_cells
):
    monkeypatch.setattr(_nearby_cells, "_BLOCK_CELLS", block_cells)
    monkeypatch.setattr(_nearby_cells, "_N_RIVALS", n_rivals)
    cells = cells_of()
    X = np.random.default_rng(1).standard_normal((20, 3))
    distances = squared_distances(PointSet(X, cells.frame), cells.points)
    bounds = np.ones_like(distances)
    row, rivals, values = cells._ask_rivals(bounds, distances)
    terms = np.array([np.maximum(half_planes(cells, x), 0) for x in X])
    full = 1 - SLOPE * terms.sum(axis=2)
    np.testing.assert_allclose(values, full[row, rivals], atol=1e-9)
    asked = np.zeros((20, 12), dtype=bool)
    asked[row, rivals] = True
    lowered = 1 - SLOPE * (terms * asked[:, np.newaxis]).sum(axis=2)
    np.testing.assert_allclose(bounds, np.minimum(lowered, 1), rtol=1e-6, atol=1e-8)
    assert (bounds >= full - 1e-12).all()
    # The nearest ones of the nearest class, and of the others.
    nearest = cells.labels[distances.argmin(axis=1)]
    for x in range(20):
        for inside in (cells.labels == nearest[x], cells.labels != nearest[x]):
            ordered = np.flatnonzero(inside)[np.argsort(distances[x, inside])]
            assert asked[x, ordered[:n_rivals]].all()
            assert asked[x, inside].sum() == min(n_rivals, 11, inside.sum())


def test_only_what_may_win_is_evaluated():
    seen = _Evaluated((3, 4), [slice(0, 1), slice(1, 4)])
    seen.add(np.array([0, 2]), np.array([2, 0]), np.array([-0.5, 0.25]))
    upper = np.array(
        [[0.5, -0.5, 1.0, -0.6], [-1.0, 0.75, 0.5, 0.75], [1.0, -2.0, -3.0, -1.0]]
    )
    # Groups without a value: 0 of row 0, both of row 1, 1 of row 2.
    rows, cells = seen.seeds(upper)
    assert list(zip(rows.tolist(), cells.tolist(), strict=True)) == [
        (0, 0),
        (1, 0),
        (1, 1),
        (2, 3),
    ]
    seen.add(rows, cells, np.array([0.5, -1.5, 0.5, -1.0]))
    rows, cells = seen.open(upper)
    # As large as the best of the group, or 0 if that is positive.
    assert list(zip(rows.tolist(), cells.tolist(), strict=True)) == [
        (0, 1),
        (1, 2),
        (1, 3),
    ]
    rows, cells, values = seen.pairs()
    assert rows.tolist() == [0, 2, 0, 1, 1, 2]
    assert cells.tolist() == [2, 0, 0, 0, 1, 3]
    assert values.tolist() == [-0.5, 0.25, 0.5, -1.5, 0.5, -1.0]


def test_positive_cells_of_a_class_are_summed_and_else_the_largest_counts():
    cells = cells_of(6, 2)
    rows = np.array([0, 0, 0, 1, 1, 1])
    numbers = np.array([0, 2, 3, 1, 2, 4])
    values = np.array([0.5, 0.25, -3.0, -2.0, -1.0, 0.75])
    found = cells._collect(2, rows, numbers, values)
    assert found.tolist() == [[0.75, -3.0], [-1.0, 0.75]]
    assert cells._collect(1, rows[:1], numbers[:1], values[:1])[0, 1] == -np.inf


@pytest.mark.parametrize("limit", [1, 24, 36, 60, 10_000])
@pytest.mark.parametrize("most", [1, 4, 100])
def test_blocks_of_cells_are_as_large_as_the_limits_allow(monkeypatch, limit, most):
    cells, X = cells_of(), np.random.default_rng(1).standard_normal((30, 3))
    expected = cells.scores(X)
    monkeypatch.setattr(_nearby_cells, "_BLOCK_VALUES", limit)
    monkeypatch.setattr(_nearby_cells, "_BLOCK_ROWS", most)
    sizes, score = [], cells._block_scores
    monkeypatch.setattr(
        cells,
        "_block_scores",
        lambda rows, groups: sizes.append(len(rows)) or score(rows, groups),
    )
    np.testing.assert_array_equal(cells.scores(X), expected)
    full = min(30, most, max(1, limit // 12))
    assert set(sizes[:-1]) <= {full}
    assert sum(sizes) == 30


def test_few_cells_are_evaluated_where_one_is_asked_for(monkeypatch):
    cells = cells_of(400, 2, 2)
    X = np.random.default_rng(1).standard_normal((50, 2))
    evaluated, values = [], cells._values

    def counted(distances, rows, numbers):
        evaluated.append(len(rows))
        return values(distances, rows, numbers)

    monkeypatch.setattr(cells, "_values", counted)
    cells.scores(X, best_only=True)
    assert sum(evaluated) < 0.1 * 50 * 400


@pytest.mark.parametrize("block", [1, 3, 128])
@pytest.mark.parametrize("radius", [0.0, 0.3, 1.0, 5.0])
def test_centers_are_those_of_one_point_after_the_other(monkeypatch, block, radius):
    monkeypatch.setattr(nearby_set, "_BLOCK_CENTERS", block)
    rng = np.random.default_rng(0)
    points, labels = rng.standard_normal((60, 2)) * 3, rng.integers(3, size=60)
    found = greedy_cover(points, labels, radius, DistanceFrame.of(points))
    centers = []
    for k, point in enumerate(points):
        same = [c for c in centers if labels[c] == labels[k]]
        if not any(np.linalg.norm(points[c] - point) <= radius for c in same):
            centers.append(k)
    assert found.tolist() == centers


def test_layers_of_up_to_two_to_the_24_weights_are_written_out(monkeypatch):
    points = np.random.default_rng(0).standard_normal((8, 2))
    network = NearbySetNetwork(points, np.arange(8) // 4, DistanceFrame.of(points))
    assert nearby_set.LARGEST_LAYER == 2**24
    # 32 ordered pairs of two weights each.
    monkeypatch.setattr(nearby_set, "LARGEST_LAYER", 64)
    assert network.layers[0].weights.size == 64
    monkeypatch.setattr(nearby_set, "LARGEST_LAYER", 63)
    with pytest.raises(
        ValueError, match="32 hyperplanes of 2 weights each.* 63 numbers"
    ):
        _ = network.layers
