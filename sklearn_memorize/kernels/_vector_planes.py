"""Counting bit by bit: 512 counters side by side, one bit of each in a vector.

A *plane* holds one bit of 512 samples. Adding a plane to the counters takes full
adders, a + b + c = sum + 2 carry, of two logical operations each for all 512 samples;
and only the planes that a mask selects are read. That is faster than `count_tile`
wherever there are enough samples.
"""

from __future__ import annotations

from functools import partial

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ._vector import _INDEX, _VECTOR, _WIDTH, _WORD, _function, _splat

__all__ = ["add_planes", "add_planes_wide", "list_bits", "popcount"]

# 2**6 planes are added at a time, then the counters are compared with the limit; the
# planes left over at the end 2**4 at a time.
_BLOCK, _REST = 6, 4
_ZERO = ir.Constant(_VECTOR, [0] * _WIDTH)


def _three_inputs(builder, a, b, c, table: int):
    """Return the logical function of three inputs that has this table of values."""
    name = "llvm.x86.avx512.pternlog.q.512"
    function = _function(builder, name, _VECTOR, _VECTOR, _VECTOR, _VECTOR, _INDEX)
    return builder.call(function, [a, b, c, ir.Constant(_INDEX, table)])


class _Logic:
    """Sum and majority of three bits; in one instruction each where there is one."""

    def __init__(self, context, builder):
        self._builder = builder
        _, _, features = context.codegen().magic_tuple()
        self._ternary = "+avx512f" in features.split(",")

    def sum(self, a, b, c):
        if self._ternary:
            return _three_inputs(self._builder, a, b, c, 0b10010110)
        return self._builder.xor(self._builder.xor(a, b), c)

    def majority(self, a, b, c):
        if self._ternary:
            return _three_inputs(self._builder, a, b, c, 0b11101000)
        builder = self._builder
        return builder.or_(builder.and_(a, b), builder.and_(c, builder.or_(a, b)))

    def majority_without(self, a, b, c):
        """Return the majority of a, not b, and c."""
        if self._ternary:
            return _three_inputs(self._builder, a, b, c, 0b10110010)
        ones = ir.Constant(_VECTOR, [-1] * _WIDTH)
        return self.majority(a, self._builder.xor(b, ones), c)


def _add(builder, logic, counters, load, depth: int):
    """Return the counters after adding 2**depth planes, one bit in each of `counters`.

    Planes meet in a binary tree: two of weight 2**k and bit k of the counter make a
    new bit k and a carry of weight 2**(k + 1).
    """
    counters = list(counters)

    def tree(k):
        if k == 0:
            return load()
        a, b, bit = tree(k - 1), tree(k - 1), counters[k - 1]
        counters[k - 1] = logic.sum(bit, a, b)
        return logic.majority(bit, a, b)

    carry = tree(depth)
    for k in range(depth, len(counters)):
        bit = counters[k]
        counters[k] = builder.xor(bit, carry)
        carry = builder.and_(bit, carry)
    return counters


def _below(builder, logic, counters, limit_bits):
    """Return [counter < limit], bit by bit from the lowest one."""
    below = _ZERO
    for k, counter in enumerate(counters):
        bit = builder.load(builder.gep(limit_bits, [ir.Constant(_WORD, k)]))
        below = logic.majority_without(below, counter, _splat(builder, bit))
    return below


def _any_lane(builder, lanes):
    flags = ir.VectorType(ir.IntType(1), _WIDTH)
    any_of = _function(builder, "llvm.vector.reduce.or.v8i1", ir.IntType(1), flags)
    return builder.call(any_of, [builder.icmp_unsigned("!=", lanes, _ZERO)])


def _generate(n_bits, context, builder, signature, arguments):
    planes, rows, n_rows, limit_bits, state = arguments
    rows = builder.inttoptr(rows, _INDEX.as_pointer())
    limit_bits = builder.inttoptr(limit_bits, _WORD.as_pointer())
    state = builder.inttoptr(state, _VECTOR.as_pointer())
    logic = _Logic(context, builder)
    slots = [builder.gep(state, [ir.Constant(_WORD, k)]) for k in range(n_bits + 1)]
    before = [builder.load(slot, align=8) for slot in slots[:-1]]
    entry = builder.block
    head, body, tail, rest, store, end = (
        builder.append_basic_block(name)
        for name in ("head", "body", "tail", "rest", "store", "end")
    )

    def plane(start, offset):
        place = builder.add(start, ir.Constant(_WORD, offset))
        offset = builder.zext(builder.load(builder.gep(rows, [place])), _WORD)
        address = builder.inttoptr(builder.add(planes, offset), _VECTOR.as_pointer())
        return builder.load(address, align=8)

    def plane_or_zero(start, offset):
        place = builder.add(start, ir.Constant(_WORD, offset))
        is_there = builder.sext(builder.icmp_unsigned("<", place, n_rows), _WORD)
        return builder.and_(plane(start, offset), _splat(builder, is_there))

    def added(counters, read, start, depth):
        offsets = iter(range(1 << depth))
        load = lambda: read(start, next(offsets))  # noqa: E731
        return _add(builder, logic, counters, load, depth)

    builder.branch(head)
    builder.position_at_end(head)
    row = builder.phi(_WORD)
    counters = [builder.phi(_VECTOR) for _ in before]
    beyond = builder.add(row, ir.Constant(_WORD, 1 << _BLOCK))
    builder.cbranch(builder.icmp_unsigned("<=", beyond, n_rows), body, tail)

    builder.position_at_end(body)
    after = added(counters, plane, row, _BLOCK)
    goes_on = _any_lane(builder, _below(builder, logic, after, limit_bits))
    builder.cbranch(goes_on, head, end)
    _join(row, counters, (ir.Constant(_WORD, 0), before, entry), (beyond, after, body))

    builder.position_at_end(tail)
    rest_row = builder.phi(_WORD)
    rest_counters = [builder.phi(_VECTOR) for _ in before]
    builder.cbranch(builder.icmp_unsigned("<", rest_row, n_rows), rest, store)

    builder.position_at_end(rest)
    after = added(rest_counters, plane_or_zero, rest_row, _REST)
    beyond = builder.add(rest_row, ir.Constant(_WORD, 1 << _REST))
    builder.branch(tail)
    _join(rest_row, rest_counters, (row, counters, head), (beyond, after, rest))

    builder.position_at_end(store)
    below = _below(builder, logic, rest_counters, limit_bits)
    for slot, value in zip(slots, [*rest_counters, below], strict=True):
        builder.store(value, slot, align=8)
    any_below = _any_lane(builder, below)
    builder.branch(end)

    builder.position_at_end(end)
    result = builder.phi(ir.IntType(1))
    result.add_incoming(ir.Constant(ir.IntType(1), 0), body)
    result.add_incoming(any_below, store)
    return context.cast(builder, result, types.boolean, types.boolean)


def _join(row, counters, *sources):
    """Tell what the loop variables are, coming from each of the sources."""
    for start, values, block in sources:
        row.add_incoming(start, block)
        for counter, value in zip(counters, values, strict=True):
            counter.add_incoming(value, block)


_SIGNATURE = types.boolean(
    types.uintp, types.uintp, types.int64, types.uintp, types.uintp
)


@intrinsic
def add_planes(typing_context, planes, rows, n_rows, limit_bits, state):
    """Add planes to 512 counters of 12 bits; say whether any is below the limit.

    Called as `add_planes(planes, rows, n_rows, limit_bits, state)`, with the addresses
    of `planes[:, 8]`, of the places `rows[n_rows]` (int32, in bytes) of those to add
    (15 more are read), of the bits of the limit (a word each, all ones or zeros) and of
    `state[13, 8]`: the counters, and whether they are below the limit. Returns False,
    and leaves `state` alone, as soon as none can end below.
    """
    return _SIGNATURE, partial(_generate, 12)


@intrinsic
def add_planes_wide(typing_context, planes, rows, n_rows, limit_bits, state):
    """Do what `add_planes` does, with counters of 24 bits."""
    return _SIGNATURE, partial(_generate, 24)


_N_NUMBERS = 16
_NUMBERS = ir.VectorType(_INDEX, _N_NUMBERS)


@intrinsic
def list_bits(typing_context, word, first, numbers):
    """Store `first + 64 * k` at the address `numbers`, for each bit k of the word.

    Called as `list_bits(word, first, numbers)`; the numbers are stored one after the
    other (int32). Returns how many they are.
    """
    return types.int64(types.uint64, types.int32, types.uintp), _generate_list_bits


def _generate_list_bits(context, builder, signature, arguments):
    word, first, address = arguments
    flags = ir.VectorType(ir.IntType(1), _N_NUMBERS)
    target = _INDEX.as_pointer()
    name = "llvm.masked.compressstore.v16i32"
    store = _function(builder, name, ir.VoidType(), _NUMBERS, target, flags)
    ctpop = _function(builder, "llvm.ctpop.i64", _WORD, _WORD)
    zeros = ir.Constant(_NUMBERS, [0] * _N_NUMBERS)
    undefined = ir.Constant(_NUMBERS, ir.Undefined)
    start = builder.insert_element(undefined, first, ir.Constant(_INDEX, 0))
    start = builder.shuffle_vector(start, undefined, zeros)
    place = builder.inttoptr(address, target)
    count = ir.Constant(_WORD, 0)
    for k in range(64 // _N_NUMBERS):
        steps = range(64 * k * _N_NUMBERS, 64 * (k + 1) * _N_NUMBERS, 64)
        part = builder.lshr(word, ir.Constant(_WORD, k * _N_NUMBERS))
        part = builder.trunc(part, ir.IntType(_N_NUMBERS))
        values = builder.add(start, ir.Constant(_NUMBERS, list(steps)))
        end = builder.gep(place, [count])
        builder.call(store, [values, end, builder.bitcast(part, flags)])
        count = builder.add(count, builder.call(ctpop, [builder.zext(part, _WORD)]))
    return count


@intrinsic
def popcount(typing_context, word):
    """Return the number of bits set in a word."""
    return types.int64(types.uint64), _generate_popcount


def _generate_popcount(context, builder, signature, arguments):
    return builder.call(_function(builder, "llvm.ctpop.i64", _WORD, _WORD), arguments)
