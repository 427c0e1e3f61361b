"""The innermost loops of the bit kernels, written in vectors.

LLVM would use narrower vectors, or none, if it were left to find them in a scalar
loop. On processors with short vectors it splits these into several instructions.
"""

from __future__ import annotations

from itertools import chain

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ._reference import ROWS_OF_A_GROUP

__all__ = [
    "HYPERPLANES_TOGETHER",
    "count_tile",
    "group_sign_bits",
    "sign_bits",
    "tile_sign_bits",
]

_WORD = ir.IntType(64)
_INDEX = ir.IntType(32)
_WIDTH = 8
_VECTOR = ir.VectorType(_WORD, _WIDTH)
_N_VECTORS = 8
# The counts are compared with the limit after every so many words.
_WORDS_AT_ONCE = 2


def _function(builder, name: str, result, *arguments):
    signature = ir.FunctionType(result, arguments)
    known = builder.module.globals.get(name)
    return known or ir.Function(builder.module, signature, name)


def _splat(builder, word):
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, word, ir.Constant(_INDEX, 0))
    zeros = ir.Constant(ir.VectorType(_INDEX, _WIDTH), [0] * _WIDTH)
    return builder.shuffle_vector(first, undefined, zeros)


def _add_words(builder, codes, mask, word, counts, n_words: int):
    """Return counts + popcount(code & mask) over the next few words."""
    ctpop = _function(builder, "llvm.ctpop.v8i64", _VECTOR, _VECTOR)
    for _ in range(n_words):
        bits = _splat(builder, builder.load(builder.gep(mask, [word])))
        start = builder.mul(word, ir.Constant(_WORD, _N_VECTORS))
        for k in range(_N_VECTORS):
            place = builder.gep(codes, [builder.add(start, ir.Constant(_WORD, k))])
            common = builder.and_(builder.load(place, align=8), bits)
            counts[k] = builder.add(counts[k], builder.call(ctpop, [common]))
        word = builder.add(word, ir.Constant(_WORD, 1))
    return word


def _any_below(builder, counts, limits):
    """Return whether any of the counts is below the limit."""
    minimum = _function(builder, "llvm.umin.v8i64", _VECTOR, _VECTOR, _VECTOR)
    flags = ir.VectorType(ir.IntType(1), _WIDTH)
    any_of = _function(builder, "llvm.vector.reduce.or.v8i1", ir.IntType(1), flags)
    smallest = counts[0]
    for other in counts[1:]:
        smallest = builder.call(minimum, [smallest, other])
    return builder.call(any_of, [builder.icmp_unsigned("<", smallest, limits)])


# Eight accumulators of eight words hold the counts of a tile of 64 samples.


@intrinsic
def count_tile(typing_context, tile, mask, n_words, limit, counts):
    """Count popcount(code & mask) for the 64 lanes of a tile.

    Called as `count_tile(tile, mask, n_words, limit, counts)`, with the addresses of
    contiguous arrays `tile[n_words, 64]`, `mask[n_words]` and `counts[64]`. Returns
    False, and leaves `counts` alone, as soon as no lane can end below `limit`; else
    stores the counts and returns True.
    """
    signature = types.boolean(
        types.uintp, types.uintp, types.int64, types.uint64, types.uintp
    )
    return signature, _generate_count_tile


def _generate_count_tile(context, builder, signature, arguments):
    tile, mask, n_words, limit, result = arguments
    codes = builder.inttoptr(tile, _VECTOR.as_pointer())
    masks = builder.inttoptr(mask, _WORD.as_pointer())
    counts = builder.inttoptr(result, _VECTOR.as_pointer())
    limits = _splat(builder, limit)
    entry = builder.block
    head, body, tail, rest, store, end = (
        builder.append_basic_block(name)
        for name in ("head", "body", "tail", "rest", "store", "end")
    )
    builder.branch(head)

    builder.position_at_end(head)
    word = builder.phi(_WORD)
    partial = [builder.phi(_VECTOR) for _ in range(_N_VECTORS)]
    word.add_incoming(ir.Constant(_WORD, 0), entry)
    for count in partial:
        count.add_incoming(ir.Constant(_VECTOR, [0] * _WIDTH), entry)
    beyond = builder.add(word, ir.Constant(_WORD, _WORDS_AT_ONCE))
    builder.cbranch(builder.icmp_unsigned("<=", beyond, n_words), body, tail)

    builder.position_at_end(body)
    sums = list(partial)
    next_word = _add_words(builder, codes, masks, word, sums, _WORDS_AT_ONCE)
    word.add_incoming(next_word, body)
    for count, total in zip(partial, sums, strict=True):
        count.add_incoming(total, body)
    builder.cbranch(_any_below(builder, sums, limits), head, end)

    # An odd word may be left over; a mask of width zero has none at all.
    builder.position_at_end(tail)
    builder.cbranch(builder.icmp_unsigned("<", word, n_words), rest, store)
    builder.position_at_end(rest)
    last = list(partial)
    _add_words(builder, codes, masks, word, last, 1)
    builder.branch(store)

    builder.position_at_end(store)
    for k in range(_N_VECTORS):
        total = builder.phi(_VECTOR)
        total.add_incoming(partial[k], tail)
        total.add_incoming(last[k], rest)
        last[k] = total
    for k, total in enumerate(last):
        place = builder.gep(counts, [ir.Constant(_WORD, k)])
        builder.store(total, place, align=8)
    builder.branch(end)

    builder.position_at_end(end)
    complete = builder.phi(ir.IntType(1))
    complete.add_incoming(ir.Constant(ir.IntType(1), 0), body)
    complete.add_incoming(ir.Constant(ir.IntType(1), 1), store)
    return context.cast(builder, complete, types.boolean, types.boolean)


_N_FLOATS = 16
_N_PARTS = 64 // _N_FLOATS
_FLOATS = ir.VectorType(ir.FloatType(), _N_FLOATS)


@intrinsic
def sign_bits(
    typing_context, products, offsets, row_bound, column_bounds, offset_bounds
):
    """Return the bits [p + o > 0] and [not |p + o| > r c + b] of 64 entries.

    Called as `sign_bits(products, offsets, row_bound, column_bounds, offset_bounds)`
    with the addresses of 64 single precision numbers each, and the number r.
    """
    signature = types.UniTuple(types.uint64, 2)(
        types.uintp, types.uintp, types.float32, types.uintp, types.uintp
    )
    return signature, _generate_sign_bits


def _generate_sign_bits(context, builder, signature, arguments):
    products, offsets, column_bounds, offset_bounds = (
        builder.inttoptr(arguments[k], _FLOATS.as_pointer()) for k in (0, 1, 3, 4)
    )
    values = [
        builder.fadd(*pair)
        for pair in zip(
            _load_64_floats(builder, products),
            _load_64_floats(builder, offsets),
            strict=True,
        )
    ]
    bounds = _bounds(builder, arguments[2], column_bounds, offset_bounds)
    bits = _signs_and_doubts(builder, values, bounds)
    return context.make_tuple(builder, signature.return_type, bits)


@intrinsic
def group_sign_bits(
    typing_context,
    columns,
    values,
    n_columns,
    panel,
    offsets,
    row_bounds,
    column_bounds,
    offset_bounds,
    bits,
):
    """Store the bits [p + o > 0] and [not |p + o| > r c + b] of a group of rows.

    The products p are those of the rows of a group with 64 hyperplanes: their sums, the
    weights and a value all stay in registers. Called with
    the addresses of contiguous arrays: `columns[n_columns]`, 32-bit numbers of the
    features in which the rows are not zero; `values[n_columns, ROWS_OF_A_GROUP]`, the
    rows there; `panel[n_features, 64]`, the directions of the hyperplanes; and, to be
    written, `bits[ROWS_OF_A_GROUP, 2]`.
    """
    signature = types.void(types.uintp, types.uintp, types.int64, *[types.uintp] * 6)
    return signature, _generate_group_sign_bits


def _generate_group_sign_bits(context, builder, signature, arguments):
    n_columns, panel, bits = arguments[2], arguments[3], arguments[8]
    columns = builder.inttoptr(arguments[0], _INDEX.as_pointer())
    values, row_bounds = (
        builder.inttoptr(arguments[k], ir.FloatType().as_pointer()) for k in (1, 5)
    )
    offsets, column_bounds, offset_bounds = (
        builder.inttoptr(arguments[k], _FLOATS.as_pointer()) for k in (4, 6, 7)
    )
    bits = builder.inttoptr(bits, _WORD.as_pointer())

    def factors(place):
        column = builder.load(builder.gep(columns, [place]), align=4)
        stride = ir.Constant(_WORD, 4 * 64)
        address = builder.add(panel, builder.mul(builder.zext(column, _WORD), stride))
        weights = builder.inttoptr(address, _FLOATS.as_pointer())
        first = builder.mul(place, ir.Constant(_WORD, ROWS_OF_A_GROUP))
        rows = [
            builder.gep(values, [builder.add(first, ir.Constant(_WORD, k))])
            for k in range(ROWS_OF_A_GROUP)
        ]
        return rows, weights

    sums = _sum_products(builder, n_columns, ROWS_OF_A_GROUP, factors)
    offsets = _load_64_floats(builder, offsets)
    for k, totals in enumerate(sums):
        row_bound = builder.load(
            builder.gep(row_bounds, [ir.Constant(_INDEX, k)]), align=4
        )
        bounds = _bounds(builder, row_bound, column_bounds, offset_bounds)
        shifted = [builder.fadd(*pair) for pair in zip(totals, offsets, strict=True)]
        for which, word in enumerate(_signs_and_doubts(builder, shifted, bounds)):
            where = ir.Constant(_INDEX, 2 * k + which)
            builder.store(word, builder.gep(bits, [where]))
    return context.get_dummy_value()


# Sums for 64 rows by so many hyperplanes stay in registers.
HYPERPLANES_TOGETHER = 4


@intrinsic
def tile_sign_bits(
    typing_context, rows, directions, n_features, offsets, thresholds, bits
):
    """Store the bits [p + o > t] and [|p + o| > t] of the 64 rows of a tile.

    The products p are those of the rows with `HYPERPLANES_TOGETHER` hyperplanes. Called
    with the addresses of contiguous arrays: `rows[n_features, 64]`,
    `directions[HYPERPLANES_TOGETHER, n_features]`, `offsets[HYPERPLANES_TOGETHER]` and
    as many `thresholds`, not below zero; and, to be written,
    `bits[HYPERPLANES_TOGETHER, 2]`.
    """
    signature = types.void(
        types.uintp,
        types.uintp,
        types.int64,
        types.uintp,
        types.uintp,
        types.uintp,
    )
    return signature, _generate_tile_sign_bits


def _generate_tile_sign_bits(context, builder, signature, arguments):
    n_features = arguments[2]
    rows = builder.inttoptr(arguments[0], _FLOATS.as_pointer())
    directions, offsets, thresholds = (
        builder.inttoptr(arguments[k], ir.FloatType().as_pointer()) for k in (1, 3, 4)
    )
    bits = builder.inttoptr(arguments[5], _WORD.as_pointer())

    def factors(feature):
        start = builder.mul(feature, ir.Constant(_WORD, _N_PARTS))
        weights = []
        for k in range(HYPERPLANES_TOGETHER):
            first = builder.mul(n_features, ir.Constant(_WORD, k))
            weights.append(builder.gep(directions, [builder.add(first, feature)]))
        return weights, builder.gep(rows, [start])

    sums = _sum_products(builder, n_features, HYPERPLANES_TOGETHER, factors)
    for k, totals in enumerate(sums):
        number = [ir.Constant(_INDEX, k)]
        offset = builder.load(builder.gep(offsets, number), align=4)
        threshold = builder.load(builder.gep(thresholds, number), align=4)
        shifted = [builder.fadd(total, _spread(builder, offset)) for total in totals]
        words = _signs_beyond(builder, shifted, threshold)
        for which, word in enumerate(words):
            where = ir.Constant(_INDEX, 2 * k + which)
            builder.store(word, builder.gep(bits, [where]))
    return context.get_dummy_value()


def _signs_beyond(builder, values, threshold):
    """Return the bits [value > threshold] and [|value| > threshold]."""
    above = _spread(builder, threshold)
    below = _spread(builder, builder.fneg(threshold))
    positive = certain = ir.Constant(_WORD, 0)
    for k, value in enumerate(values):
        is_above = builder.fcmp_ordered(">", value, above)
        is_certain = builder.or_(is_above, builder.fcmp_ordered("<", value, below))
        shift = ir.Constant(_WORD, k * _N_FLOATS)
        positive = builder.or_(
            positive, builder.shl(_as_word(builder, is_above), shift)
        )
        certain = builder.or_(
            certain, builder.shl(_as_word(builder, is_certain), shift)
        )
    return positive, certain


def _sum_products(builder, n_terms, n_sums: int, factors):
    """Return sums over k of a number by 64 numbers each, `n_sums` side by side.

    `factors(k)` returns the addresses of the numbers, and that of the 64.
    """
    entry = builder.block
    head, body, end = (builder.append_basic_block(n) for n in ("head", "body", "end"))
    builder.branch(head)

    builder.position_at_end(head)
    term = builder.phi(_WORD)
    sums = [[builder.phi(_FLOATS) for _ in range(_N_PARTS)] for _ in range(n_sums)]
    term.add_incoming(ir.Constant(_WORD, 0), entry)
    for total in chain(*sums):
        total.add_incoming(ir.Constant(_FLOATS, [0.0] * _N_FLOATS), entry)
    builder.cbranch(builder.icmp_unsigned("<", term, n_terms), body, end)

    builder.position_at_end(body)
    numbers, vectors = factors(term)
    vectors = _load_64_floats(builder, vectors)
    for totals, number in zip(sums, numbers, strict=True):
        number = _spread(builder, builder.load(number, align=4))
        for total, vector in zip(totals, vectors, strict=True):
            # Fused where the processor can: the bounds hold with either rounding.
            product = builder.fmul(number, vector, flags=("contract",))
            following = builder.fadd(total, product, flags=("contract",))
            total.add_incoming(following, body)
    term.add_incoming(builder.add(term, ir.Constant(_WORD, 1)), body)
    builder.branch(head)

    builder.position_at_end(end)
    return sums


def _bounds(builder, row_bound, column_bounds, offset_bounds):
    """Return r c + b for 64 columns."""
    row_bound = _spread(builder, row_bound)
    bounds = []
    for k in range(_N_PARTS):
        bound = builder.fmul(row_bound, _load_floats(builder, column_bounds, k))
        bounds.append(builder.fadd(bound, _load_floats(builder, offset_bounds, k)))
    return bounds


def _load_64_floats(builder, array):
    return [_load_floats(builder, array, k) for k in range(_N_PARTS)]


def _load_floats(builder, array, k: int):
    return builder.load(builder.gep(array, [ir.Constant(_INDEX, k)]), align=4)


def _spread(builder, number):
    undefined = ir.Constant(_FLOATS, ir.Undefined)
    first = builder.insert_element(undefined, number, ir.Constant(_INDEX, 0))
    zeros = ir.Constant(ir.VectorType(_INDEX, _N_FLOATS), [0] * _N_FLOATS)
    return builder.shuffle_vector(first, undefined, zeros)


def _signs_and_doubts(builder, values, bounds):
    """Return the bits [value > 0] and [not |value| > bound]."""
    absolute = _function(builder, "llvm.fabs.v16f32", _FLOATS, _FLOATS)
    zero = ir.Constant(_FLOATS, [0.0] * _N_FLOATS)
    positive = doubtful = ir.Constant(_WORD, 0)
    for k, (value, bound) in enumerate(zip(values, bounds, strict=True)):
        above = builder.fcmp_ordered(">", value, zero)
        within = builder.fcmp_unordered("<=", builder.call(absolute, [value]), bound)
        shift = ir.Constant(_WORD, k * _N_FLOATS)
        positive = builder.or_(positive, builder.shl(_as_word(builder, above), shift))
        doubtful = builder.or_(doubtful, builder.shl(_as_word(builder, within), shift))
    return positive, doubtful


def _as_word(builder, flags):
    return builder.zext(builder.bitcast(flags, ir.IntType(_N_FLOATS)), _WORD)
