"""Calls of kernels at random, and what they return as something to compare."""

from __future__ import annotations

import numpy as np

from sklearn_memorize import kernels


def _codes(rng, n_tiles: int, n_words: int) -> np.ndarray:
    """Return codes in tiles: some share of bits is set, and some lanes are empty."""
    share = rng.random((n_words, 64)) * rng.choice([0.3, 1.0])
    bits = rng.random((n_tiles * 64, n_words, 64)) < share
    words = kernels.pack_bits(bits.reshape(n_tiles * 64, 64 * n_words))
    words[rng.random(len(words)) < rng.choice([0.0, 0.1])] = ~np.uint64(0)
    tiles = words.reshape(n_tiles, 64, n_words).transpose(0, 2, 1)
    return np.ascontiguousarray(tiles)


def _laid_out(rng, tiles: np.ndarray) -> np.ndarray:
    """Return the codes in planes, for every other call, if they can be."""
    n_tiles, n_words, _ = tiles.shape
    if n_tiles % 8 or not n_tiles or rng.random() < 0.5:
        return tiles
    words = np.ascontiguousarray(tiles.transpose(0, 2, 1)).reshape(
        64 * n_tiles, n_words
    )
    bits = np.unpackbits(
        words.astype("<u8").view(np.uint8), axis=1, bitorder="little"
    ).reshape(n_tiles // 8, 8, 64, 64 * n_words)
    planes = np.packbits(bits.transpose(0, 3, 1, 2), axis=-1, bitorder="little")
    return np.ascontiguousarray(planes).view("<u8")[..., 0].astype(np.uint64)


def _neurons(rng, n_words: int):
    n_neurons = int(rng.integers(0, 20))
    masks = rng.integers(0, 2**64, (n_neurons, n_words), dtype=np.uint64)
    if rng.random() < 0.5:
        masks &= rng.integers(0, 2**64, masks.shape, dtype=np.uint64)
    spread = rng.choice([2, 64 * n_words + 3, 1 << 30])
    bounds = rng.integers(-2, spread, n_neurons)
    return masks, bounds


def _starts(rng, n_neurons: int) -> np.ndarray:
    inner = np.sort(rng.integers(0, n_neurons + 1, rng.integers(1, 5)))
    return np.concatenate(([0], inner, [n_neurons]))[rng.integers(0, 2) :]


def _size(rng) -> tuple[int, int]:
    n_tiles = int(rng.choice([0, 1, 2, 7, 8, 16]))
    return n_tiles, int(rng.choice([0, 1, 2, 3, 7, 9, 17]))


def _counting(rng):
    tiles = _codes(rng, *_size(rng))
    masks, bounds = _neurons(rng, tiles.shape[1])
    return tiles, _laid_out(rng, tiles), masks, bounds


def smallest_counts(rng):
    tiles, codes, masks, _ = _counting(rng)
    skip = np.sort(rng.integers(0, len(tiles) + 1, 2))
    return lambda: kernels.smallest_counts(codes, masks, *skip)


def covers(rng):
    tiles, codes, masks, bounds = _counting(rng)
    start, stop = np.sort(rng.integers(0, len(tiles) + 1, 2))
    return lambda: kernels.covers(codes, masks, bounds, start, stop)


def margins_and_fires(rng):
    tiles, codes, masks, bounds = _counting(rng)
    starts = _starts(rng, len(masks))
    n_votes = int(rng.choice([rng.integers(1, 9), rng.integers(1, 90)]))
    n_samples = rng.choice([None, int(rng.integers(0, 64 * len(tiles) + 1))])

    def run():
        fired = kernels.classes_that_fire(codes, masks, bounds, starts, n_samples)
        margins = kernels.margins_and_fires(
            codes, masks, bounds, starts, n_votes, n_samples
        )
        return fired, *margins

    return run


def margins_of_rows(rng):
    n_rows = rng.choice([rng.integers(1, 12), rng.integers(12, 600)])
    n_coverings, n_words, n_classes = rng.integers(1, 6, 3)
    shape = n_rows, n_coverings, n_words
    words = rng.integers(0, 2**64, shape, dtype=np.uint64)
    starts = np.concatenate(
        ([0], np.cumsum(rng.integers(0, 5, n_coverings * n_classes)))
    )
    masks = rng.integers(0, 2**64, (starts[-1], n_words), dtype=np.uint64)
    bounds = rng.integers(*rng.choice([[0, 64 * n_words], [-9, 1 << 30]]), starts[-1])
    n_votes = int(rng.choice([1, 2, 5, 40]))
    return lambda: kernels.margins_of_rows(words, masks, bounds, starts, n_votes)


def _rows_of_words(rng, n_words):
    n_rows = rng.choice([rng.integers(0, 20), rng.integers(100, 1200)])
    words = rng.integers(0, 2**64, (n_rows, n_words), dtype=np.uint64)
    if rng.random() < 0.5:  # codes that are alike: many counts are equal
        words &= rng.integers(0, 2**64, words.shape, dtype=np.uint64) & words
    return words


def margin_sums(rng):
    n_words = int(rng.integers(1, 5))
    words, most = _rows_of_words(rng, n_words), 64 * n_words + 1
    masks = rng.integers(0, 2**64, (rng.integers(0, 60), n_words), dtype=np.uint64)
    starts, bounds = _starts(rng, len(masks)), rng.integers(0, most + 1, len(masks))
    votes = np.unique(rng.integers(1, 70, rng.integers(1, 9)))
    left_out = None
    if rng.random() < 0.7:
        left_out = kernels.LeftOut(
            *(rng.integers(-1, max(len(words), 1), (2, len(masks)))),
            rng.integers(0, most + 1, len(masks)),
        )
        if len(words) == 0:
            left_out.centers[:] = left_out.setters[:] = -1
    return lambda: kernels.margin_sums(words, masks, bounds, starts, votes, left_out)


def two_smallest_counts(rng):
    n_words = int(rng.integers(1, 5))
    words = _rows_of_words(rng, n_words)
    masks = rng.integers(0, 2**64, (rng.integers(0, 60), n_words), dtype=np.uint64)
    starts = _starts(rng, len(masks))
    starts[0] = 0
    of_samples = np.sort(rng.integers(0, len(words) + 1, len(starts)))
    of_samples[[0, -1]] = 0, len(words)
    return lambda: kernels.two_smallest_counts(words, of_samples, masks, starts)


def words_at(rng):
    tiles = _codes(rng, *_size(rng))
    n = int(rng.integers(0, 40)) if len(tiles) else 0
    positions = rng.integers(0, max(64 * len(tiles), 1), n)
    if rng.random() < 0.5:
        positions.sort()
    codes = _laid_out(rng, tiles)
    return lambda: kernels.words_at(codes, positions)


def arranged(rng):
    tiles = _codes(rng, *_size(rng))
    positions = np.arange(64 * len(tiles))
    return lambda: kernels.words_at(kernels.arranged(tiles.copy()), positions)


def _matrix(rng, n_rows: int, n_columns: int) -> np.ndarray:
    """Return small integers, mostly zeros or not, of any type and memory order."""
    X = rng.integers(-3, 4, (n_rows, 2 * n_columns)).astype(rng.choice(["f4", "f8"]))
    X[rng.random(X.shape) < rng.choice([0.0, 0.7, 0.95])] = 0
    X = X[:, ::2] if rng.random() < 0.3 else X[:, :n_columns]
    return np.asarray(X, order=rng.choice(["C", "F", "A"]))


def _hyperplanes(rng, n_rows: int, n_hyperplanes: int, n_features: int):
    """Return small integers, whose products are exact in any order."""
    directions = rng.integers(-2, 3, (n_hyperplanes, n_features)).astype(np.float32)
    offsets = (0.5 * rng.integers(-2, 3, n_hyperplanes)).astype(np.float32)
    row_bounds = rng.integers(0, 2, n_rows).astype(np.float32)
    column_bounds = rng.random(n_hyperplanes).astype(np.float32)
    offset_bounds = (0.5 * rng.integers(0, 2, n_hyperplanes)).astype(np.float32)
    return directions, offsets, row_bounds, column_bounds, offset_bounds


def _sorted_pairs(doubtful) -> list:
    return sorted(zip(*(numbers.tolist() for numbers in doubtful), strict=True))


def _shift(rng, n_features: int):
    return rng.choice([0.0, 1.0], n_features) if rng.random() < 0.5 else None


def _widths(rng) -> tuple[int, int]:
    """Return numbers of hyperplanes and of features, now and then many of these."""
    n_features = rng.choice([1, 2, 16, 17, 63, 64, 65, 130, rng.integers(500, 1200)])
    return int(rng.choice([1, 31, 63, 64, 65, 127, 129, 200])), int(n_features)


def signs_of_rows(rng):
    n_hyperplanes, n_features = _widths(rng)
    n_rows, n_words = int(rng.integers(1, 120)), -(-n_hyperplanes // 64)
    X = _matrix(rng, n_rows + 3, n_features)
    rows = rng.permutation(n_rows + 3)[:n_rows]
    directions, *offsets = _hyperplanes(rng, n_rows, n_hyperplanes, n_features)
    positions = rng.permutation(64 * 3)[:n_rows]
    shift = _shift(rng, n_features)

    def run():
        codes = np.zeros((3, n_words, 64), dtype=np.uint64)
        packed, *size = kernels.packed_rows(X, rows, shift, 1)
        doubtful = kernels.pack_signs_of_rows(
            packed, directions, *offsets, positions, codes
        )
        return *size, codes, _sorted_pairs(doubtful)

    return run


def signs_in_planes(rng):
    n_hyperplanes, n_features = _widths(rng)
    n_groups, n_words = int(rng.integers(1, 3)), -(-n_hyperplanes // 64)
    n_tiles = 8 * n_groups
    lanes = np.flatnonzero(rng.random(64 * n_tiles) < rng.random())
    X = _matrix(rng, len(lanes) + 1, n_features)
    rows = rng.permutation(len(X))[: len(lanes)]
    directions, *offsets = _hyperplanes(rng, len(lanes), n_hyperplanes, n_features)
    shift = _shift(rng, n_features)

    def run():
        planes = np.zeros((n_groups, 64 * n_words, 8), dtype=np.uint64)
        tiles, *size = kernels.tiles_of_rows(X, rows, lanes, n_tiles, shift, -1)
        doubtful = kernels.signs_in_planes(tiles, lanes, directions, *offsets, planes)
        return tiles, *size, planes, _sorted_pairs(doubtful)

    return run


def pack_signs(rng):
    n_rows, n_columns = int(rng.integers(1, 60)), int(rng.integers(1, 300))
    products = rng.integers(-3, 4, (n_rows, n_columns)).astype(np.float32)
    products[rng.random(products.shape) < 0.01] = rng.choice([np.nan, np.inf, -np.inf])
    _, *offsets = _hyperplanes(rng, n_rows, n_columns, 1)
    positions = rng.permutation(64)[:n_rows]
    first_word = int(rng.integers(0, 3))

    def run():
        codes = np.zeros((1, first_word + -(-n_columns // 64), 64), dtype=np.uint64)
        doubtful = kernels.pack_signs(products, *offsets, positions, first_word, codes)
        return codes, *doubtful

    return run


def _outputs(rng) -> np.ndarray:
    """Return outputs of ReLU units of some size, and some at the cap or all alike."""
    n_hyperplanes = int(rng.choice([1, 5, 31, 32, 33, 64, 65, 130, 500]))
    n_lanes = 64 * int(rng.integers(1, 4))
    cap = np.floor(2.0**53 / (n_hyperplanes + 1))
    scale = rng.choice([2.0, 100.0, 2.0**20, 2.0**30, cap / 4])
    values = np.floor(rng.standard_normal((n_lanes, n_hyperplanes)) * scale)
    values = np.clip(values, 0.0, cap)
    some = rng.random(values.shape) < rng.choice([0.0, 0.01])
    values[some] = rng.choice([0.0, 1.0, cap])
    values[rng.random(n_lanes) < rng.choice([0.0, 0.1])] = cap
    values[rng.random(n_lanes) < rng.choice([0.0, 0.3])] = values[0]
    return values


def _summing(rng):
    values = _outputs(rng)
    n_neurons = int(rng.choice([0, 1, 7, 40, 600]))
    centers = values[rng.integers(0, len(values), n_neurons)]
    is_used = (centers == 0) & (rng.random(centers.shape) < rng.choice([0.5, 1.0]))
    masks = kernels.pack_bits(is_used)
    sums = values @ is_used.T
    levels = rng.choice([0.0, 0.1, 0.5, 1.0], n_neurons)
    bounds = np.array([np.quantile(s, q) for s, q in zip(sums.T, levels, strict=True)])
    bounds = bounds.astype(np.int64) + rng.integers(-1, 2, n_neurons)
    return values, masks, bounds


def round_outputs(rng):
    values = _outputs(rng)
    return lambda: tuple(kernels.round_outputs(values))


def smallest_sums(rng):
    values, masks, _ = _summing(rng)
    skip = np.sort(rng.integers(0, len(values) // 64 + 1, 2))
    return lambda: kernels.smallest_sums(kernels.round_outputs(values), masks, *skip)


def sums_below(rng):
    values, masks, bounds = _summing(rng)
    tiles = np.sort(rng.integers(0, len(values) // 64 + 1, 2))
    return lambda: kernels.sums_below(
        kernels.round_outputs(values), masks, bounds, *tiles
    )


def largest_margins_of_sums(rng):
    values, masks, bounds = _summing(rng)
    starts, n_samples = _starts(rng, len(masks)), int(rng.integers(1, len(values) + 1))
    n_votes = int(rng.choice([1, 2, 5, 40]))

    def run():
        outputs = kernels.round_outputs(values)
        fired = kernels.classes_with_sums_below(
            outputs, masks, bounds, starts, n_samples
        )
        return fired, *kernels.largest_margins_of_sums(
            outputs, masks, bounds, starts, n_votes, n_samples
        )

    return run


def ceilings_of_rows(rng):
    # Small integers and halves: sums are exact, in any order.
    n_hyperplanes, n_features = _widths(rng)
    n_rows = int(rng.integers(1, 60))
    X = _matrix(rng, n_rows + 3, n_features)
    rows = rng.permutation(n_rows + 3)[:n_rows]
    directions, *offsets = _hyperplanes(rng, n_rows, n_hyperplanes, n_features)
    biases, sizes, *of_columns = (array.astype(np.float64) for array in offsets)
    relatives, cap = rng.choice([0.0, 0.1], n_rows), float(rng.integers(1, 9))
    positions, shift = rng.permutation(64)[:n_rows], _shift(rng, n_features)

    def run():
        outputs = np.full((64, n_hyperplanes + 2), 7.0)
        packed, *_ = kernels.packed_rows(X, rows, shift, 3)
        values = kernels.rows_in_double(packed, X, rows, shift, 1)
        doubtful = kernels.ceilings_of_rows(
            packed,
            values,
            directions,
            (biases, *of_columns),
            (sizes, relatives),
            positions,
            cap,
            outputs,
        )
        return outputs, _sorted_pairs(doubtful)

    return run


def round_outputs_of_rows(rng):
    n_hyperplanes, n_features = _widths(rng)
    n_rows, n_tiles = int(rng.integers(1, 100)), 2
    X = _matrix(rng, n_rows + 3, n_features)
    rows = rng.permutation(n_rows + 3)[:n_rows]
    directions, *offsets = _hyperplanes(rng, n_rows, n_hyperplanes, n_features)
    offsets[1][rng.random(n_rows) < rng.choice([0.0, 0.1])] = np.inf
    positions, shift = rng.permutation(64 * n_tiles)[:n_rows], _shift(rng, n_features)
    scale = float(rng.choice([1.0, 2.0**10, 2.0**26]))
    cap = float(rng.choice([1000.0, 2.0**33, np.floor(2.0**53 / (n_hyperplanes + 1))]))

    def run():
        packed, *_ = kernels.packed_rows(X, rows, shift, 1)
        return tuple(
            kernels.round_outputs_of_rows(
                packed, directions, *offsets, positions, n_tiles, scale, cap
            )
        )

    return run


def rounded_margins(rng):
    values, masks, bounds = _summing(rng)
    starts, n_samples = _starts(rng, len(masks)), int(rng.integers(1, len(values) + 1))
    n_votes, some = int(rng.choice([1, 2, 5, 40])), rng.random(len(values))
    units = rng.choice([1.0, 1.1, 0.9], len(values)).astype(np.float32)
    is_unknown = some < rng.choice([0.0, 0.1, 1.0])

    def run():
        _, small, of_tile, below, above = kernels.round_outputs(values)
        below = np.where(is_unknown, np.float32(np.inf), below)
        outputs = kernels.RoundedOutputs(small, of_tile * units, below, above)
        return kernels.rounded_margins(
            outputs, masks, bounds, starts, n_votes, n_samples
        )

    return run


def _numbers(rng, n_rows: int, n_columns: int, exponents) -> np.ndarray:
    """Return numbers of all sizes, zeros of both signs and denormal ones."""
    X = rng.standard_normal((n_rows, n_columns))
    X = np.ldexp(X, rng.integers(*exponents, X.shape))
    X[rng.random(X.shape) < 0.1] = rng.choice([0.0, -0.0])
    with np.errstate(over="ignore", under="ignore"):
        X = X.astype(rng.choice(["f4", "f8"]))
    return np.asarray(np.nan_to_num(X), order=rng.choice(["C", "F"]))


def _shape(rng) -> tuple[int, int]:
    return int(rng.integers(1, 30)), int(rng.integers(1, 70))


def row_hashes(rng):
    X = _numbers(rng, *_shape(rng), (-1074, 1000))
    return lambda: kernels.row_hashes(X)


def row_norms(rng):
    X = _numbers(rng, *_shape(rng), (-1074, 400))
    center = rng.standard_normal(X.shape[1])
    return lambda: kernels.row_norms(X, center, 3)


def integer_sums(rng):
    X = _numbers(rng, *_shape(rng), (-40, 40))
    exponent = int(rng.integers(-12, 50))
    return lambda: kernels.integer_sums(X, exponent)


def ordered_product(rng):
    n_rows, n_columns = _shape(rng)
    rows = _numbers(rng, n_rows, n_columns, (-600, 400))
    weights = _numbers(rng, int(rng.integers(1, 40)), n_columns, (-600, 400))
    return lambda: kernels.ordered_product(rows, weights)


def largest_differences(rng):
    n_features = int(rng.integers(0, 40))
    rows = rng.standard_normal((int(rng.integers(0, 20)), n_features))
    points = rng.standard_normal((int(rng.integers(0, 40)), n_features))
    if rng.random() < 0.5:
        points = points.astype(np.float32)
    return lambda: kernels.largest_differences(rows, points)


def pair_sums(rng):
    # Small integers: sums are exact, in any order.
    n_rows, n_columns = _shape(rng)
    X = _matrix(rng, n_rows, n_columns)
    directions = rng.integers(-2, 3, (7, n_columns)).astype(np.float32)
    rows, columns = rng.integers(0, n_rows, 20), rng.integers(0, 7, 20)
    return lambda: kernels.pair_sums(X, rows, directions, columns)


def compensated_sums(rng):
    # Small integers: sums are exact, in any order.
    n_rows, n_columns = _shape(rng)
    X = _matrix(rng, n_rows, n_columns)
    directions = rng.integers(-2, 3, (7, n_columns)).astype(np.float32)
    rows, columns = rng.integers(0, n_rows, 20), rng.integers(0, 7, 20)
    constants = rng.integers(-9, 10, (2, 20)).astype(np.float64)
    return lambda: kernels.compensated_sums(X, rows, directions, columns, *constants)


def differences_of_pairs(rng):
    n_features = int(rng.integers(0, 40))
    # Of many sizes, so that differences lose digits; and equal ones.
    left, right = (
        np.ldexp(
            rng.integers(-3, 4, (9, n_features)), rng.integers(-70, 70, n_features)
        )
        for _ in range(2)
    )
    pairs = np.sort(rng.integers(0, 9, 20)), rng.integers(0, 9, 20)
    return lambda: kernels.differences_of_pairs(left, pairs[0], right, pairs[1])


def hinge_sums(rng):
    # Small integers, and factors that are powers of two: sums are exact, in any order.
    n_rows, n_columns = _shape(rng)
    n_columns = max(n_columns, 1)
    distances = rng.integers(0, 9, (n_rows, n_columns)).astype(np.float32)
    factors = rng.choice([0.0, 0.5, 1.0, 2.0], (7, n_columns)).astype(np.float32)
    n_pairs = 20 if n_rows else 0
    rows = rng.integers(0, max(n_rows, 1), n_pairs)
    cells, positions = rng.integers(0, (7, n_columns), (n_pairs, 2)).T
    slacks = rng.integers(-3, 4, n_pairs).astype(np.float32)
    constants = (0.25, 0.5, 0.125)
    return lambda: kernels.hinge_sums(
        distances, rows, factors, cells, positions, slacks, constants
    )


CASES = (
    arranged,
    ceilings_of_rows,
    compensated_sums,
    covers,
    differences_of_pairs,
    hinge_sums,
    integer_sums,
    largest_differences,
    largest_margins_of_sums,
    margin_sums,
    margins_and_fires,
    margins_of_rows,
    ordered_product,
    pack_signs,
    pair_sums,
    round_outputs,
    round_outputs_of_rows,
    rounded_margins,
    row_hashes,
    row_norms,
    signs_in_planes,
    signs_of_rows,
    smallest_counts,
    smallest_sums,
    sums_below,
    two_smallest_counts,
    words_at,
)


def answer(run, backend: str) -> list:
    """Return what a call returns with some kernels, as lists of numbers and types."""
    with (
        kernels.use_backend(backend),
        np.errstate(over="ignore", invalid="ignore", under="ignore"),
    ):
        parts = run()
    parts = parts if isinstance(parts, tuple) else (parts,)
    return [
        (part.dtype.str, part.shape, part.tobytes())
        if isinstance(part, np.ndarray)
        else part
        for part in parts
    ]
