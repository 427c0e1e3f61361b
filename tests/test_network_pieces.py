"""The parts of networks, against arithmetic that is done by hand or in rationals."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import sparse

from sklearn_memorize.constructions.random_hyperplanes import _relu_codes
from sklearn_memorize.constructions.random_hyperplanes._hyperplane_layer import (
    HyperplaneLayer,
)
from sklearn_memorize.constructions.random_hyperplanes._relu_codes import ReLUCodes
from sklearn_memorize.constructions.residual._network import (
    Hats,
    ResidualNetwork,
    Steps,
)
from sklearn_memorize.constructions.small_relu._network import (
    LineFunction,
    SmallReLUNetwork,
)
from sklearn_memorize.exact import _rank as _exact_rank
from sklearn_memorize.kernels import _memory
from sklearn_memorize.network import Layer, LayeredNetwork

GIB = 2**30


# Memory.


@pytest.mark.parametrize("limit", [0.0, 1.0, math.inf])
def test_sizes_below_64_mebibytes_are_not_looked_at(monkeypatch, limit):
    asked = []
    monkeypatch.setattr(_memory, "available_memory", lambda: asked.append(1) or limit)
    _memory.check_room(2**26 - 1, "small things")
    assert not asked
    if limit == math.inf:
        _memory.check_room(2**26, "large things")
    else:
        with pytest.raises(MemoryError):
            _memory.check_room(2**26, "large things")
    assert asked


def test_what_does_not_fit_is_named_with_sizes_in_gibibytes(monkeypatch):
    monkeypatch.setattr(_memory, "available_memory", lambda: 1.5 * GIB)
    with pytest.raises(MemoryError) as error:
        _memory.check_room(3072 * GIB, "2 things")
    expected = "2 things take 3,072.0 GiB of memory, and 1.5 GiB are available."
    assert str(error.value) == expected


def test_what_just_fits_is_not_refused(monkeypatch):
    monkeypatch.setattr(_memory, "available_memory", lambda: float(GIB))
    _memory.check_room(GIB, "a thing")
    with pytest.raises(MemoryError, match="a thing"):
        _memory.check_room(GIB + 1, "a thing")


def test_the_least_of_all_limits_is_what_is_available(monkeypatch):
    names = ["_free", "_left_of_container", "_left_of_limit"]
    for least in names:
        for name in names:
            value = 3.0 if name == least else 5.0
            monkeypatch.setattr(_memory, name, lambda value=value: value)
        assert _memory.available_memory() == 3.0


def test_free_memory_is_read_in_kibibytes(tmp_path):
    table = tmp_path / "meminfo"
    table.write_text("MemTotal: 900 kB\nMemAvailable:    21 kB\nMemFree: 3 kB\n")
    assert _memory._free(str(table)) == 21 * 1024
    table.write_text("MemAvailable: unknown kB\n")
    assert 2**20 < _memory._free(str(table)) < 2**60


def test_the_limit_of_a_container_is_read_in_bytes(tmp_path):
    limit = tmp_path / "memory.max"
    assert _memory._left_of_container(str(limit)) == math.inf
    limit.write_text("max\n")
    assert _memory._left_of_container(str(limit)) == math.inf
    limit.write_text("123456\n")
    assert _memory._left_of_container(str(limit)) == 123456.0


# Rows are evaluated block by block.

N_ROWS, N_FEATURES = 50, 7


def _hyperplanes(n_hyperplanes=20, n_features=N_FEATURES, exponent=0):
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((n_hyperplanes, n_features)).astype(np.float32)
    return HyperplaneLayer(directions, rng.standard_normal(n_hyperplanes), exponent)


@pytest.mark.parametrize("most", [1, 64, 65, 130, 399, 400, 10_000])
@pytest.mark.parametrize("n_values", [0, 1, 6, 30])
def test_blocks_of_rows_are_as_large_as_the_limit_allows(n_values, most):
    blocks = _memory.blocks_of_rows(N_ROWS, n_values, most)
    sizes = [len(range(N_ROWS)[block]) for block in blocks]
    full = min(N_ROWS, max(1, most // max(1, n_values)))
    assert sum(sizes) == N_ROWS
    assert set(sizes[:-1]) <= {full}
    assert 0 < sizes[-1] <= full


# ReLU outputs in fixed point.


@pytest.mark.parametrize("n_hyperplanes", [1, 2, 3, 64, 1000, 2**20])
def test_sums_of_outputs_at_the_cap_are_exact(n_hyperplanes):
    cap = ReLUCodes(np.empty((0, n_hyperplanes)), 0).cap
    assert cap == int(cap)
    assert n_hyperplanes * int(cap) < 2**53
    # There is no larger cap that leaves room for one more.
    assert (n_hyperplanes + 1) * (int(cap) + 1) > 2**53


@pytest.mark.parametrize("exponent", [-3, 0, 5])
def test_outputs_are_rounded_up_to_multiples_of_two_to_the_minus_26(exponent):
    layer = _hyperplanes(exponent=exponent)
    X = np.ldexp(np.random.default_rng(1).standard_normal((5, N_FEATURES)), exponent)
    codes = layer.encode(X, "relu")
    rational = np.vectorize(Fraction, otypes=[object])
    exact = rational(X) @ rational(layer.directions.astype(float)).T
    exact += rational(layer.biases)
    unit = Fraction(2) ** (exponent - 26)
    expected = [[max(0, math.ceil(value / unit)) for value in row] for row in exact]
    assert codes.values[:5].astype(int).tolist() == expected


def relu_codes(n_samples=150, n_hyperplanes=70, seed=0):
    values = np.random.default_rng(seed).integers(-20, 20, (n_samples, n_hyperplanes))
    codes = ReLUCodes.empty(n_samples, n_hyperplanes)
    codes.values[:n_samples] = np.maximum(values, 0)
    return codes


def mask_matrix(codes, positions):
    return (codes.values[positions] == 0).astype(int)


@pytest.mark.parametrize("n_samples, n_rows", [(0, 0), (1, 64), (64, 64), (65, 128)])
def test_positions_without_a_sample_are_at_the_cap(n_samples, n_rows):
    codes = ReLUCodes.empty(n_samples, 3)
    assert codes.values.shape == (n_rows, 3)
    assert (codes.values == codes.cap).all()
    assert codes.n_samples == n_samples


def test_some_samples_are_taken_in_their_order():
    codes = relu_codes()
    taken = codes.take(np.array([149, 3, 3]))
    np.testing.assert_array_equal(taken.values[:3], codes.values[[149, 3, 3]])
    assert (taken.values[3:] == taken.cap).all()
    assert (taken.n_samples, len(taken.values)) == (3, 64)


def test_a_part_holds_the_rows_of_its_tiles():
    codes = relu_codes()
    part = codes.part(slice(1, 3))
    np.testing.assert_array_equal(part.values, codes.values[64:192])
    assert part.n_samples == 128


@pytest.mark.parametrize("block_values", [1, 64 * 70, 64 * 71, 128 * 70, 10**6])
def test_sums_are_taken_over_whole_tiles_up_to_the_limit(monkeypatch, block_values):
    codes = relu_codes()
    monkeypatch.setattr(_relu_codes, "_BLOCK_VALUES", block_values)
    blocks = [block for block, _ in codes._sums(codes.masks(np.arange(2)))]
    full = max(1, block_values // (64 * 70)) * 64
    starts = range(0, 192, full)
    assert blocks == [slice(start, min(start + full, 192)) for start in starts]


@pytest.mark.parametrize("block_values", [1, 10**6])
@pytest.mark.parametrize("skip", [slice(0, 0), slice(0, 1), slice(1, 2), slice(1, 3)])
def test_bounds_are_the_largest_with_which_no_other_sample_is_covered(
    monkeypatch, skip, block_values
):
    monkeypatch.setattr(_relu_codes, "_BLOCK_VALUES", block_values)
    codes = relu_codes()
    positions = np.array([0, 70, 149])
    bounds = codes.largest_bounds(codes.masks(positions), skip)
    masks = mask_matrix(codes, positions)
    matters = np.ones(192, dtype=bool)
    matters[64 * skip.start : 64 * skip.stop] = False
    sums = codes.values[matters] @ masks.T
    # One unit of rounding for each output that is summed, and one to lie below.
    assert bounds.tolist() == (sums.min(axis=0) - masks.sum(axis=1) - 1).tolist()


def test_a_bound_is_as_large_as_can_be_if_no_sample_matters():
    codes = relu_codes(60)
    masks = codes.masks(np.arange(2))
    sizes = mask_matrix(codes, np.arange(2)).sum(axis=1)
    bounds = codes.largest_bounds(masks, slice(0, 1))
    assert bounds.tolist() == (2**53 - sizes - 1).tolist()


@pytest.mark.parametrize("tiles", [slice(0, 3), slice(1, 2), slice(1, 3)])
def test_a_neuron_covers_what_is_below_its_bound(tiles):
    codes = relu_codes()
    positions = np.array([5, 100])
    sums = codes.values @ mask_matrix(codes, positions).T
    # A sample exactly at the bound is not covered.
    bounds = np.median(sums[:150], axis=0).astype(np.int64)
    assert (sums == bounds).any()
    words = codes.covers(codes.masks(positions), bounds, tiles)
    bits = np.unpackbits(
        np.ascontiguousarray(words).view(np.uint8), axis=1, bitorder="little"
    )
    rows = slice(64 * tiles.start, 64 * tiles.stop)
    np.testing.assert_array_equal(bits, (sums < bounds).T[:, rows])


STARTS = np.array([0, 2, 2, 7])


def test_a_class_fires_where_one_of_its_neurons_does():
    codes = relu_codes()
    positions = np.arange(7) * 20
    sums = codes.values @ mask_matrix(codes, positions).T
    bounds = np.quantile(sums[:150], 0.2, axis=0).astype(np.int64)
    fired = codes.classes_that_fire(codes.masks(positions), bounds, STARTS)
    below = (sums < bounds)[:150]
    expected = [below[:, :2].any(1), np.zeros(150, bool), below[:, 2:].any(1)]
    np.testing.assert_array_equal(fired, np.stack(expected, axis=1))
    assert below.any() and not below.all()


@pytest.mark.parametrize("n_votes", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("block_values", [1, 10**6])
def test_the_largest_margins_of_a_class_are_summed(monkeypatch, block_values, n_votes):
    monkeypatch.setattr(_relu_codes, "_BLOCK_VALUES", block_values)
    codes = relu_codes()
    positions = np.arange(7) * 20
    sums = codes.values @ mask_matrix(codes, positions).T
    bounds = np.arange(100, 170, 10)
    found = codes.margin_sums(codes.masks(positions), bounds, STARTS, n_votes)
    margins = (bounds - sums)[:150]
    best = [np.sort(part, axis=1)[:, ::-1] for part in (margins[:, :2], margins[:, 2:])]
    assert found.shape == (150, 3)
    np.testing.assert_array_equal(found[:, 0], best[0][:, :n_votes].sum(axis=1))
    np.testing.assert_array_equal(found[:, 2], best[1][:, :n_votes].sum(axis=1))
    assert not found[:, 1].any()


# Ranks.


@pytest.mark.parametrize("n_primes", [1, 3])
def test_primes_are_the_largest_below_two_to_the_31(n_primes):
    # 2**31 - 1 is Mersenne's; the two before it are 18 and 60 less.
    expected = [2**31 - 1, 2**31 - 19, 2**31 - 61]
    assert list(_exact_rank._primes(n_primes)) == expected[:n_primes]


@pytest.mark.parametrize(
    "points, order",
    [
        (np.array([[1.0, 0.0], [3.0, 1.0]]), 2),
        (np.array([[1.0, 2.0**-30, 2.0**40, 5.0]]), 3),
        (np.full((4, 9), 0.3), 1),
    ],
)
def test_primes_exceed_the_bound_of_hadamard_and_are_not_many_more(points, order):
    values = [Fraction(value) for value in points.ravel().tolist() if value]
    # Mantissas of 53 bits, counted from the smallest exponent there is.
    unit = min(Fraction(2) ** (math.frexp(value)[1] - 53) for value in values)
    largest = 2 * max(value / unit for value in values)  # a difference of two
    hadamard = (float(largest) * math.sqrt(points.shape[1])) ** order
    n_primes = _exact_rank._n_primes(points, order)
    assert 2.0 ** (30.9 * n_primes) > 2 * hadamard
    assert n_primes <= math.log2(hadamard) / 30.9 + 2


def test_never_more_than_sixteen_primes_are_tried():
    points = np.array([[2.0**-300, 2.0**300]])
    assert _exact_rank._n_primes(points, 10) == 16
    assert _exact_rank._n_primes(np.zeros((2, 2)), 2) == 1


@pytest.mark.parametrize("prime", [7, 2**31 - 1])
def test_differences_are_those_of_rationals_modulo_a_prime(prime):
    points = np.array([[0.75, -3.0], [2.0**-7, 0.1], [0.0, 5.0]])
    found = _exact_rank._differences(points, prime)
    for row, numbers in zip(points[1:].tolist(), found.tolist(), strict=True):
        for value, first, number in zip(row, points[0].tolist(), numbers, strict=True):
            exact = Fraction(value) - Fraction(first)
            wanted = exact.numerator * pow(exact.denominator, -1, prime) % prime
            assert number == wanted


def test_ranks_are_counted_modulo_a_prime():
    rows = np.array([[1, 2, 3], [2, 4, 6], [0, 1, 1], [3, 6, 9], [1, 3, 4], [0, 0, 1]])
    rank, dependent = _exact_rank._reduced(rows.copy(), 3, 101)
    assert (rank, dependent.tolist()) == (2, [True, True, False])
    # Modulo 2 the second of the first rows vanishes, and with it nothing new.
    rank, dependent = _exact_rank._reduced(rows[[1, 2, 0, 4]] % 2, 2, 2)
    assert (rank, dependent.tolist()) == (1, [False, False])


# Residual blocks.


@pytest.mark.parametrize("order", [[0, 1], [1, 0], [2, 0, 1], [1, 3, 0, 2]])
def test_steps_put_out_one_at_the_class_they_read(order):
    n_classes = len(order)
    edges = np.array([[10.0 * k + 4, 10.0 * k + 8] for k in range(n_classes - 1)])
    steps = Steps(edges, np.array(order))
    outputs = steps.forward(np.arange(n_classes) * 10.0)
    if n_classes == 2:
        assert outputs[:, 0].tolist() == [number - 0.5 for number in order]
    else:
        assert outputs.argmax(axis=1).tolist() == order
        assert (np.sort(outputs, axis=1)[:, :-1] == 0).all()
        assert (outputs.max(axis=1) == 1).all()
    middle = steps.forward(np.array([5.0]))[0]  # a quarter of the first step
    if n_classes == 2:
        assert middle[0] == (-0.25 if order[0] == 0 else 0.25)
    else:
        assert (middle[order[0]], middle[order[1]]) == (0.75, 0.25)


def test_hats_are_one_between_their_shoulders_and_zero_outside_of_their_feet():
    corners = np.array([[0.0, 1.0, 2.0, 3.0], [1.0, 3.0, 7.0, 8.0]])
    hats = Hats(np.ones((2, 1)), corners, np.ones(2))
    positions = np.array([-5.0, 1.0, 1.5, 3.0, 5.0, 7.0, 7.25, 8.0, 9.0])
    expected = [0, 0, 0.25, 1, 1, 1, 0.75, 0, 0]
    assert hats.height(1, positions).tolist() == expected
    nodes = np.maximum(positions[:, np.newaxis] - corners[1], 0.0)
    assert (nodes @ hats.slopes(1)).tolist() == expected
    assert hats.slopes(1).tolist() == [0.5, -0.5, -1.0, 1.0]


def residual_by_hand(order):
    hats = Hats(
        np.array([[1.0, 0.0], [0.5, 2.0]]),
        np.array([[-1.0, 0.0, 1.0, 2.0], [1.0, 3.0, 4.0, 6.0]]),
        np.array([8.0, 16.0]),
    )
    edges = np.array([[4.0, 5.0], [0.0, 20.0], [30.0, 31.0]])[: len(order) - 1]
    return ResidualNetwork(hats, 0, 2.0, Steps(edges, np.array(order)))


@pytest.mark.parametrize(
    "order, outputs",
    # 2 weights, and 1 bias; 4 weights, and 1 bias; 6 weights, and 1 bias.
    [([1, 0], 2 + 1), ([0, 2, 1], 8 + 1), ([3, 1, 2, 0], 12 + 1)],
)
def test_parameters_of_residual_blocks_are_counted_by_hand(order, outputs):
    network = residual_by_hand(order)
    # Four nodes read one and two features, and write one; a corner is at zero.
    blocks = 4 * 3 + 4 * 2 + 7
    readers = {2: 2 + 2, 3: 4 + 3, 4: 6 + 5}[len(order)]
    assert network.n_parameters == blocks + readers + outputs
    n_outputs = len(order) if len(order) > 2 else 1
    assert network.widths == (4, 4, 2 * (len(order) - 1), n_outputs)
    assert (network.n_blocks, network.depth, network.n_inputs) == (2, 4, 2)


def test_pushes_add_up_along_the_feature():
    network = residual_by_hand([0, 2, 1])
    # h_0 = 0.5 is on the first hat, and pushed by 8 / 2 to 4.5. Then
    # 4.5 / 2 + 2 h_1 = 2.25 at h_1 = 0: 0.625 of the second push, 16 / 2.
    X = np.array([[0.5, 0.0], [0.5, 0.375], [-2.0, 0.0], [-0.5, 50.0]])
    places = 2 * X[:, 0] + [8 + 10, 8 + 16, 0, 4]
    assert network._pushed(X).tolist() == places.tolist()
    state = X
    for inner, outer in network.blocks:
        state = state + inner.forward(state) @ outer.toarray().T
    assert (2 * state[:, 0]).tolist() == places.tolist()
    np.testing.assert_array_equal(state[:, 1], X[:, 1])
    outputs = X
    for layer in network.layers:
        outputs = layer.forward(outputs)
    np.testing.assert_allclose(outputs, network.forward(X), rtol=0, atol=1e-12)
    from_sparse = network.forward(sparse.csr_array(X))
    np.testing.assert_array_equal(from_sparse, network.forward(X))


# Cells of a small ReLU network.


def cells_by_hand():
    """Two groups of two, with nodes of slopes 4 and -4, 2 and -2."""
    return LineFunction(
        np.array([0.0, 1.0, 3.0, 5.0]),
        np.array([[0.5], [-0.25], [0.0], [0.75]]),
        np.array([[4.0], [-4.0], [2.0], [-2.0]]),
        np.array([np.nan, 2.0, np.nan]),
    )


def test_cells_say_what_their_nodes_add_up_to():
    cells = cells_by_hand()
    assert cells.evaluate(cells.anchors)[:, 0].tolist() == cells.values[:, 0].tolist()
    positions = np.array([-9.0, -0.125, 0.1, 0.5, 0.95, 1.25, 2.0, 2.1, 4.0, 4.5, 9.0])
    expected = [
        -1.0,  # saturated to the left
        0.0,  # 0.5 - 4 / 8
        0.5 + 0.4,
        1.0,  # both are saturated at 1
        -0.25 + 0.2,
        -1.0,  # -0.25 - 4 / 4, cut off
        -1.0,  # the border still belongs to the node on the left
        -1.0,
        1.0,  # both are saturated at 1
        1.0,
        -1.0,
    ]
    np.testing.assert_allclose(cells.evaluate(positions)[:, 0], expected, atol=1e-15)


@pytest.mark.parametrize("anchors, gap", [([7.0], math.inf), ([1.0, 3.5], 2.5)])
def test_the_smallest_gap_is_that_of_two_anchors(anchors, gap):
    n = len(anchors)
    cells = LineFunction(
        np.array(anchors),
        np.zeros((n, 1)),
        np.arange(-n, 0.0)[:, None],
        np.zeros(n - 1),
    )
    layers = [Layer(np.ones((1, 1)), np.zeros(1), "identity")]
    network = SmallReLUNetwork(layers, np.ones(1), cells, np.zeros(1), np.ones(1))
    assert network.smallest_gap == gap
    assert network.largest_slope == n


# What is stored.


def test_networks_stored_in_this_format_are_read():
    state = {
        "format": 2,
        "kind": "sklearn_memorize.network.LayeredNetwork",
        "layers": [
            {
                "kind": "sklearn_memorize.network.Layer",
                "weights": np.array([[2.0, -1.0]]),
                "biases": np.array([0.5]),
                "activation": "relu",
            }
        ],
    }
    network = object.__new__(LayeredNetwork)
    network.__setstate__(state)
    assert network.forward(np.array([[1.0, 0.5], [0.0, 9.0]])).tolist() == [
        [2.0],
        [0.0],
    ]
