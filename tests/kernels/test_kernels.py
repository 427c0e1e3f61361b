"""Every compiled kernel gives exactly what the obvious one gives."""

import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.kernel_cases import CASES, answer

from sklearn_memorize import kernels

COMPILED = kernels.backends()[1:]


@pytest.fixture(params=COMPILED or [pytest.param("", marks=pytest.mark.skip)])
def backend(request):
    """Each instruction set that the processor has."""
    return request.param


def both(backend, kernel, *arguments):
    answers = []
    for name in ("numpy", backend):
        with kernels.use_backend(name):
            answers.append(getattr(kernels, kernel)(*arguments))
    return answers


N_TILES = 16


def in_every_way(backend, kernel, codes, *arguments):
    """Return what both kernels say of codes in tiles, then of codes in planes."""
    with kernels.use_backend(backend):
        planes = kernels.arranged(codes.copy())
    assert planes.shape != codes.shape
    return [
        *both(backend, kernel, codes, *arguments),
        *both(backend, kernel, planes, *arguments),
    ]


# From 4,095 planes on the counters are wider.
@pytest.fixture(params=[1, 63, 64, 65, 130, 257, 1000, 4032, 4100])
def codes(request):
    rng = np.random.default_rng(request.param)
    n_words = -(-request.param // 64)
    bits = rng.random((N_TILES * 64, request.param)) < 0.4
    words = kernels.pack_bits(bits)
    tiles = np.ascontiguousarray(words.reshape(N_TILES, 64, n_words).transpose(0, 2, 1))
    tiles[-1, :, -7:] = ~np.uint64(0)
    return tiles


@pytest.fixture
def masks(codes):
    rng = np.random.default_rng(7)
    masks = rng.integers(0, 2**64, (70, codes.shape[1]), dtype=np.uint64)
    masks[0], masks[1] = 0, ~np.uint64(0)
    return masks


@pytest.fixture
def bounds(codes):
    rng = np.random.default_rng(9)
    highest = 16 * codes.shape[1]
    bounds = rng.integers(-1, highest, 70).astype(np.int32)
    bounds[2] = np.iinfo(np.int32).max
    return bounds


def test_planes_hold_the_same_codes(backend, codes):
    positions = np.random.default_rng(3).integers(0, N_TILES * 64, 99)
    words, *others = in_every_way(backend, "words_at", codes, positions)
    assert (words == codes[positions // 64, :, positions % 64]).all()
    for other in others:
        assert (other == words).all()


def test_the_plain_kernels_leave_codes_in_tiles(codes):
    with kernels.use_backend("numpy"):
        assert kernels.arranged(codes) is codes


@pytest.mark.parametrize("n_tiles", [0, 7, 9])
def test_incomplete_groups_stay_in_tiles(backend, n_tiles):
    codes = np.zeros((n_tiles, 2, 64), dtype=np.uint64)
    with kernels.use_backend(backend):
        assert kernels.arranged(codes) is codes


def test_bits_are_packed_least_significant_first():
    bits = np.zeros((2, 70), dtype=bool)
    bits[0, [0, 3, 64]] = True
    bits[1, 69] = True
    assert kernels.pack_bits(bits).tolist() == [[9, 1], [0, 32]]


@pytest.mark.parametrize("skip", [(0, 0), (0, 2), (1, 11), (3, 16)])
def test_smallest_counts_agree(backend, codes, masks, skip):
    smallest, *others = in_every_way(backend, "smallest_counts", codes, masks, *skip)
    for other in others:
        assert smallest.dtype == other.dtype
        assert (smallest == other).all()


@pytest.mark.parametrize("tiles", [(0, 16), (3, 7), (5, 16), (4, 4)])
def test_covers_agree(backend, codes, masks, bounds, tiles):
    covers, *others = in_every_way(backend, "covers", codes, masks, bounds, *tiles)
    for other in others:
        assert (covers == other).all()
    assert covers.any() == (tiles[0] < tiles[1])


def test_classes_that_fire_agree(backend, codes, masks, bounds):
    starts = np.array([0, 3, 3, 40, 70])
    fired, *others = in_every_way(
        backend, "classes_that_fire", codes, masks, bounds, starts
    )
    for other in others:
        assert (fired == other).all()
    assert fired.any()
    assert not fired[:, 1].any()


@pytest.mark.parametrize("n_votes", [1, 2, 3, 5, 20, 66, 100])
def test_largest_margins_agree(backend, codes, masks, bounds, n_votes):
    starts = np.array([0, 3, 3, 20, 70])
    margins, *others = in_every_way(
        backend, "margins_and_fires", codes, masks, bounds, starts, n_votes
    )
    for other in others:
        assert np.array_equal(margins[0], other[0])
        assert np.array_equal(margins[1], other[1])
    with kernels.use_backend("numpy"):
        fired = kernels.classes_that_fire(codes, masks, bounds, starts)
    assert np.array_equal(margins[1], fired)


@pytest.mark.parametrize("n_columns", [1, 64, 100])
def test_packed_signs_and_doubts_agree(backend, n_columns):
    rng = np.random.default_rng(n_columns)
    products = rng.integers(-3, 4, (50, n_columns)).astype(np.float32)
    products[3] = np.nan
    offsets = rng.integers(-2, 3, n_columns).astype(np.float32)
    row_bounds = rng.integers(0, 2, 50).astype(np.float32)
    column_bounds = rng.random(n_columns).astype(np.float32)
    offset_bounds = (rng.integers(0, 2, n_columns) * 0.5).astype(np.float32)
    positions = rng.permutation(64)[:50]
    packed, doubts = [], []
    for name in ("numpy", backend):
        codes = np.zeros((1, 1 + -(-n_columns // 64), 64), dtype=np.uint64)
        with kernels.use_backend(name):
            doubts.append(
                kernels.pack_signs(
                    products,
                    offsets,
                    row_bounds,
                    column_bounds,
                    offset_bounds,
                    positions,
                    1,
                    codes,
                )
            )
        packed.append(codes)
    assert (packed[0] == packed[1]).all()
    assert np.array_equal(doubts[0], doubts[1])
    assert len(doubts[0][0]) > 0


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n_rows", [1, 6, 149])
@pytest.mark.parametrize("n_hyperplanes", [1, 64, 100, 128])
def test_packed_signs_of_rows_agree(backend, n_hyperplanes, n_rows, order):
    # Small integers: products are exact, in any order.
    rng = np.random.default_rng(n_hyperplanes)
    X = rng.integers(-3, 4, (2 * n_rows, 21)).astype(np.float32, order=order)
    X[rng.random(X.shape) < 0.7] = 0
    X[n_rows, 3] = np.inf
    rows = rng.permutation(2 * n_rows)[:n_rows]
    rows[0] = n_rows
    directions = rng.integers(-2, 3, (n_hyperplanes, 21)).astype(np.float32)
    offsets = rng.integers(-2, 3, n_hyperplanes).astype(np.float32)
    bounds = (
        rng.integers(0, 2, n_rows).astype(np.float32),
        rng.random(n_hyperplanes).astype(np.float32),
        (rng.integers(0, 2, n_hyperplanes) * 0.5).astype(np.float32),
    )
    positions = rng.permutation(192)[:n_rows]
    answers = []
    for name in ("numpy", backend):
        codes = np.zeros((3, -(-n_hyperplanes // 64), 64), dtype=np.uint64)
        with kernels.use_backend(name), np.errstate(invalid="ignore"):
            packed, *size = kernels.packed_rows(X, rows, None, 1)
            doubts = kernels.pack_signs_of_rows(
                packed, directions, 0.5 * offsets, *bounds, positions, codes
            )
        doubts = sorted(zip(*map(np.ndarray.tolist, doubts), strict=True))
        answers.append((codes, doubts, size))
    (codes, doubts, size), (fast_codes, fast_doubts, fast_size) = answers
    assert np.array_equal(codes, fast_codes)
    assert doubts == fast_doubts
    assert n_rows * n_hyperplanes < 100 or len(doubts) > 0
    assert np.array_equal(size, fast_size)


@pytest.mark.parametrize("shift", [None, 3.0])
@pytest.mark.parametrize("exponent", [-900, 0, 1000])
def test_packed_rows_are_measured_alike(backend, exponent, shift):
    rng = np.random.default_rng(5)
    X = np.ldexp(rng.integers(0, 5, (50, 7)).astype(float), exponent)
    shift = None if shift is None else np.full(7, np.ldexp(shift, exponent))
    rows = rng.permutation(50)[:32]
    plain, fast = both(backend, "packed_rows", X, rows, shift, exponent)
    differences = np.ldexp(X[rows], -exponent)
    differences -= 0 if shift is None else 3
    for _, n_terms, squares in (plain, fast):
        assert np.array_equal(n_terms, (differences != 0).sum(axis=1))
        assert np.array_equal(squares, (differences**2).sum(axis=1))


@pytest.mark.parametrize("n_features", [1, 8, 21])
def test_sums_of_pairs_are_right_up_to_rounding(backend, n_features):
    rng = np.random.default_rng(n_features)
    X = rng.standard_normal((20, n_features))
    directions = rng.standard_normal((30, n_features)).astype(np.float32)
    rows, columns = rng.integers(0, 20, 99), rng.integers(0, 30, 99)
    terms = X[rows] * directions[columns]
    for sums, magnitudes in both(backend, "pair_sums", X, rows, directions, columns):
        np.testing.assert_allclose(sums, terms.sum(axis=1), rtol=0, atol=1e-13)
        np.testing.assert_allclose(magnitudes, np.abs(terms).sum(axis=1), rtol=1e-14)


@pytest.mark.parametrize("n_columns", [1, 8, 33, 5000])
def test_sums_of_positive_parts_are_right_up_to_rounding(backend, n_columns):
    rng = np.random.default_rng(n_columns)
    d = rng.random((20, n_columns), dtype=np.float32)
    v = rng.random((30, n_columns), dtype=np.float32)
    v[rng.random(v.shape) < 0.2] = 0
    rows, cells = rng.integers(0, 20, 99), rng.integers(0, 30, 99)
    positions = rng.integers(0, n_columns, 99)
    slacks = rng.standard_normal(99).astype(np.float32) / 100
    x = d[rows, positions].astype(float)[:, np.newaxis] - d[rows]
    x += slacks[:, np.newaxis] + np.abs(x) * (0.001 * v[cells] + 0.002)
    terms = np.maximum(0.25 + x * v[cells], 0) * (v[cells] > 0)
    pairs = d, rows, v, cells, positions, slacks, (0.001, 0.002, 0.25)
    for sums in both(backend, "hinge_sums", *pairs):
        np.testing.assert_allclose(sums, terms.sum(axis=1), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("n_features", [1, 8, 21])
def test_compensated_sums_have_digits_that_doubles_do_not(backend, n_features):
    rng = np.random.default_rng(n_features)
    X = rng.standard_normal((20, n_features)) * 10.0 ** rng.integers(-9, 9, (20, 1))
    directions = rng.standard_normal((30, n_features)).astype(np.float32)
    rows, columns = rng.integers(0, 20, 99), rng.integers(0, 30, 99)
    shifts = rng.standard_normal(99)
    # All but the last digits of the products cancel.
    offsets = -(X[rows] * directions[columns]).sum(axis=1) - shifts
    pairs = X, rows, directions, columns, offsets, shifts
    for sums, magnitudes, smallest in both(backend, "compensated_sums", *pairs):
        for i, (x, w) in enumerate(zip(X[rows], directions[columns], strict=True)):
            terms = [
                Fraction(float(a)) * Fraction(float(b))
                for a, b in zip(x, w, strict=True)
            ]
            terms += [Fraction(offsets[i]), Fraction(shifts[i])]
            exact = sum(terms)
            assert abs(Fraction(sums[i]) - exact) <= abs(exact) * Fraction(2) ** -51
            size = float(sum(map(abs, terms)))
            assert abs(magnitudes[i] - size) <= 1e-14 * size
            assert smallest[i] == np.minimum(1.0, np.abs(x * w).min())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_row_hashes_agree_and_see_values_only(backend, dtype):
    rng = np.random.default_rng(0)
    block = rng.integers(-2, 3, (300, 9)).astype(dtype)
    block[block == 0] *= -1
    plain, fast = both(backend, "row_hashes", block)
    assert (plain == fast).all()
    assert (plain == kernels.row_hashes(block.astype(np.float64) + 0.0)).all()
    distinct = {tuple(row) for row in (block + 0.0).tolist()}
    assert len(set(plain.tolist())) == len(distinct)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n_rows", [1, 7, 70])
@pytest.mark.parametrize("n_weights", [0, 1, 3, 4, 7, 15, 16, 17, 50])
def test_sums_are_taken_from_left_to_right_by_both(backend, n_rows, n_weights, order):
    rng = np.random.default_rng(1)
    rows = np.asarray(rng.standard_normal((n_rows, 33)), order=order)
    weights = np.asarray(rng.standard_normal((n_weights, 33)), order=order)
    plain, fast = both(backend, "ordered_product", rows, weights)
    np.testing.assert_array_equal(plain, fast, strict=True)
    # Neither do they depend on the other rows.
    np.testing.assert_array_equal(
        fast[-1:], kernels.ordered_product(rows[-1:], weights)
    )


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n_features", [1, 2, 33])
def test_norms_are_summed_by_halves_by_both(backend, order, n_features):
    rng = np.random.default_rng(1)
    rows = np.asarray(rng.standard_normal((40, n_features)), order=order)
    center = rng.standard_normal(n_features)
    plain, fast = both(backend, "row_norms", rows, center, 3)
    assert (plain == fast).all()
    np.testing.assert_allclose(plain, np.linalg.norm(rows - center, axis=1) / 8)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n_rows, n_points, n_features", [(1, 1, 1), (7, 33, 21)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_largest_differences_agree(backend, order, n_rows, n_points, n_features, dtype):
    rng = np.random.default_rng(1)
    rows = np.asarray(rng.standard_normal((n_rows, n_features)), dtype, order=order)
    points = np.asarray(rng.standard_normal((n_points, n_features)), dtype)
    rows[0], points[0] = np.finfo(dtype).max, -np.finfo(dtype).max
    points[-1] = 1e-320 if dtype == np.float64 else 1e-40
    plain, fast = both(backend, "largest_differences", rows, points)
    np.testing.assert_array_equal(plain, fast)
    with np.errstate(over="ignore"):
        differences = rows[:, np.newaxis].astype(float) - points
    np.testing.assert_array_equal(plain, np.abs(differences).max(axis=2))


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_largest_difference_of_a_pair_is_exact(backend, order):
    rng = np.random.default_rng(1)
    shape = 9, 23
    left = np.ldexp(rng.standard_normal(shape), rng.integers(-30, 30, shape))
    right = np.ldexp(rng.standard_normal(shape), rng.integers(-30, 30, shape))
    # Two differences that round to the same number, of which one is larger.
    left[0], right[0] = 1.0, 0.0
    right[0, 3:5] = -(2.0**-70), 2.0**-60
    left[1, 2], right[1, 2] = np.finfo(np.float64).max, -np.finfo(np.float64).max
    pairs = np.repeat(np.arange(9), 2), rng.integers(0, 9, 18)
    pairs[1][[0, 2]] = 0, 1
    given = np.asarray(left, order=order), pairs[0], right, pairs[1]
    plain, fast = both(backend, "differences_of_pairs", *given)
    np.testing.assert_array_equal(plain, fast)
    assert (fast[0][2], fast[1][2]) == (np.inf, 0.0)
    for i, j, high, low in zip(*pairs, *fast, strict=True):
        if np.isfinite(high):
            differences = map(Fraction, left[i]), map(Fraction, right[j])
            exact = max(abs(a - b) for a, b in zip(*differences, strict=True))
            assert Fraction(high) + Fraction(low) == exact


@pytest.mark.parametrize("exponent", [-1090, -3, 900])
def test_integer_sums_agree(backend, exponent):
    rng = np.random.default_rng(2)
    rows = np.ldexp(rng.uniform(-9, 9, (50, 7)), exponent)
    plain, fast = both(backend, "integer_sums", rows, exponent)
    assert (plain == fast).all()
    assert (plain == np.rint(np.ldexp(rows, -exponent)).sum(axis=0)).all()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**63))
def test_all_backends_give_the_same_bytes(case, seed):
    run = case(np.random.default_rng(seed))
    expected = answer(run, "numpy")
    for name in COMPILED:
        assert answer(run, name) == expected, name


@pytest.mark.skipif(not COMPILED, reason="the kernels in C were not compiled")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_flushing_to_zero_changes_no_answer(case):
    # Bits 6 and 15 of x86, and 24 of arm64: denormal numbers become zeros.
    flags = 0x8040 if kernels._c.STANDARD_CONTROL else 1 << 24
    for seed in range(5):
        run = case(np.random.default_rng(seed))
        expected = answer(run, COMPILED[-1])
        before = kernels._c.get_control()
        kernels._c.set_control(before | flags)
        try:
            flushed = answer(run, COMPILED[-1])
            assert kernels._c.get_control() & flags == flags
        finally:
            kernels._c.set_control(before)
        assert flushed == expected


def test_standard_arithmetic_keeps_denormal_numbers():
    if not COMPILED:
        pytest.skip("the kernels in C were not compiled")
    before = kernels._c.get_control()
    kernels._c.set_control(before | (0x8040 if before & 0x1F80 else 1 << 24))
    try:
        tiny = np.array([2.0**-1074])
        assert kernels.standard_arithmetic(lambda: (tiny * 1.0 > 0).all())()
        assert not (tiny * 1.0 > 0).any()
    finally:
        kernels._c.set_control(before)


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.words_at(np.zeros((1, 1, 64), "u8"), np.array([64]), _words(1)),
        lambda c: c.words_at(np.zeros((1, 1, 64), "u8"), np.array([-1]), _words(1)),
        lambda c: c.words_at(np.zeros((1, 1, 64), "u8"), np.array([0]), _words(2)),
        lambda c: c.words_at(np.zeros((1, 1, 64), "i8"), np.array([0]), _words(1)),
        lambda c: c.words_at(np.zeros((1, 1, 63), "u8"), np.array([0]), _words(1)),
        lambda c: c.words_at(np.zeros((1, 1, 64), "u8"), np.array([0])),
        lambda c: c.words_at(None, np.array([0]), _words(1)),
        lambda c: c.arrange(np.zeros((7, 1, 64), "u8")),
        lambda c: c.use("sse9"),
    ],
)
def test_the_extension_refuses_arrays_that_do_not_fit(call):
    if not COMPILED:
        pytest.skip("the kernels in C were not compiled")
    with pytest.raises((TypeError, ValueError, IndexError)):
        call(kernels._c)


def _words(n: int) -> np.ndarray:
    return np.empty(n, dtype=np.uint64)


@pytest.mark.parametrize("backend", COMPILED)
def test_read_only_arrays_are_not_written_to(backend):
    tiles = np.zeros((8, 1, 64), dtype=np.uint64)
    tiles.flags.writeable = False
    with kernels.use_backend(backend), pytest.raises((ValueError, BufferError)):
        kernels.arranged(tiles)


def test_an_unknown_backend_is_refused():
    with (
        pytest.raises(ValueError, match=r"backend must be one of 'numpy'.* 'fortran'"),
        kernels.use_backend("fortran"),
    ):
        pass


def _backend_of_a_new_process(**environment):
    code = "from sklearn_memorize import kernels; print(kernels.backend())"
    return subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("name", kernels.backends())
def test_the_environment_chooses_the_backend(name):
    done = _backend_of_a_new_process(SKLEARN_MEMORIZE_KERNELS=name)
    assert done.stdout.strip() == name, done.stderr


def test_the_environment_cannot_choose_what_is_not_there():
    done = _backend_of_a_new_process(SKLEARN_MEMORIZE_KERNELS="avx9000")
    assert "SKLEARN_MEMORIZE_KERNELS must be one of 'numpy'" in done.stderr


def test_without_the_extension_numpy_runs_and_says_so_once(tmp_path):
    code = (
        "import sys; sys.modules['sklearn_memorize.kernels._c'] = None\n"
        "import warnings\n"
        "with warnings.catch_warnings(record=True) as seen:\n"
        "    warnings.simplefilter('always')\n"
        "    from sklearn_memorize import kernels\n"
        "    import sklearn_memorize\n"
        "print(kernels.backends(), sum('compiled kernels' in str(w.message) "
        "for w in seen))\n"
    )
    environment = dict(os.environ)
    environment.pop("SKLEARN_MEMORIZE_KERNELS", None)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.stdout.split() == ["('numpy',)", "1"], done.stderr


@pytest.mark.parametrize("tiles", [(0, 16), (3, 7), (5, 14), (4, 4)])
@pytest.mark.parametrize("share", [0.1, 1.0])
def test_covers_in_order_agree(backend, codes, tiles, share):
    """Whatever the order, and also where it leaves samples out."""
    start, stop = tiles
    n = 64 * (stop - start)
    rng = np.random.default_rng(n)
    order = rng.permutation(n)[: int(share * n)]
    n_bits = 64 * codes.shape[1] - 3
    plain, *others = in_every_way(
        backend, "cover_in_order", codes, order, *tiles, n_bits
    )
    for other in others:
        for ours, theirs in zip(plain, other, strict=True):
            assert ours.dtype == theirs.dtype
            assert (ours == theirs).all()
    assert (plain[1] > 0).all()
    # One word of such codes leaves nearly no mask a bound.
    assert len(plain[0]) > 0 or n == 0 or codes.shape[1] == 1


@pytest.mark.parametrize("n_terms, n_pairs", [(1, 8), (3, 1), (9, 3), (0, 2)])
def test_values_of_pairs_agree(backend, n_terms, n_pairs):
    rng = np.random.default_rng(n_terms)
    rows = rng.integers(-1, 2, (50, 9)) * rng.standard_normal((1, 9))
    firsts, seconds = rng.integers(0, 50, (2, 60, n_pairs))
    features = rng.integers(0, 9, (60, n_terms))
    weights = rng.standard_normal((60, n_terms))
    arguments = rows, firsts, seconds, features, weights
    for plain, fast in zip(*both(backend, "first_apart", *arguments), strict=True):
        assert plain.tobytes() == fast.tobytes()


def classes_of(n, rng, n_classes=4):
    """Divide n numbers among classes, one of which may be empty."""
    return np.concatenate(([0], np.sort(rng.integers(0, n, n_classes - 1)), [n]))


@pytest.mark.parametrize("n_rows", [1, 63, 1000])
@pytest.mark.parametrize("n_terms", [1, 3, 9])
def test_gini_gains_agree(backend, n_rows, n_terms):
    rng = np.random.default_rng(n_rows)
    columns = rng.integers(-2, 3, (9, n_rows)) * rng.standard_normal((9, 1))
    features = rng.integers(0, 9, (40, n_terms))
    weights = rng.standard_normal((40, n_terms))
    weights[::5, 1:] = 0.0
    thresholds = rng.standard_normal(40)
    thresholds[0], thresholds[1] = -1e9, 1e9
    arguments = columns, classes_of(n_rows, rng), features, weights, thresholds
    plain, fast = both(backend, "gini_gains", *arguments)
    assert (plain == fast).all()


@pytest.mark.parametrize("n_classes", [1, 2, 5])
def test_two_smallest_counts_agree(backend, codes, masks, n_classes):
    rng = np.random.default_rng(n_classes)
    words = kernels.words_at(codes, np.arange(0, 700, 2))
    arguments = (
        words,
        classes_of(len(words), rng, n_classes),
        masks,
        classes_of(len(masks), rng, n_classes),
    )
    for plain, fast in zip(
        *both(backend, "two_smallest_counts", *arguments), strict=True
    ):
        assert plain.dtype == fast.dtype
        assert (plain == fast).all()


def test_the_smallest_of_two_counts_is_the_smallest_count(codes, masks):
    n = 64 * (N_TILES - 1)
    words = kernels.words_at(codes, np.arange(n))
    nothing_left_out = np.array([0, 0, n]), masks, np.array([0, len(masks), len(masks)])
    smallest, second, setters = kernels.two_smallest_counts(words, *nothing_left_out)
    skipped = N_TILES - 1, N_TILES
    assert (smallest == kernels.smallest_counts(codes, masks, *skipped)).all()
    assert (smallest <= second).all()
    counts = np.bitwise_count(words[setters] & masks).sum(axis=1)
    assert (counts == smallest).all()


@pytest.mark.parametrize("leaves_out", [False, True])
def test_margin_sums_agree(backend, codes, masks, leaves_out):
    rng = np.random.default_rng(5)
    most = 64 * codes.shape[1] + 1
    words = kernels.words_at(codes, np.arange(0, 900, 5))
    bounds = rng.integers(0, most + 1, len(masks))
    left_out = kernels.LeftOut(
        rng.integers(-1, len(words), len(masks)),
        rng.integers(-1, len(words), len(masks)),
        rng.integers(0, most + 1, len(masks)),
    )
    arguments = (
        words,
        masks,
        bounds,
        classes_of(len(masks), rng),
        np.array([1, 2, 5, 64]),
        left_out if leaves_out else None,
    )
    plain, fast = both(backend, "margin_sums", *arguments)
    assert (plain == fast).all()


def test_margin_sums_are_the_sums_of_the_largest_margins(codes, masks):
    bounds = np.random.default_rng(6).integers(0, 64 * codes.shape[1], len(masks))
    starts = np.array([0, 3, 3, 70])
    words = kernels.words_at(codes, np.arange(64 * N_TILES))
    sums = kernels.margin_sums(words, masks, bounds, starts, np.array([1, 9]))
    for place, n_votes in enumerate((1, 9)):
        margins, _ = kernels.margins_and_fires(codes, masks, bounds, starts, n_votes)
        assert (sums[:, :, place] == margins).all()
