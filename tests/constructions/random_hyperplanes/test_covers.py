"""Covers of a class: greedy ones, and neurons to spare."""

from dataclasses import replace

import numpy as np
import pytest

from sklearn_memorize.constructions.random_hyperplanes._codes import BitCodes
from sklearn_memorize.constructions.random_hyperplanes._covers import (
    cover_greedily,
    cover_in_drawing_order,
    without_spare_neurons,
)
from sklearn_memorize.kernels import LANES

N_SAMPLES, N_OTHERS = 300, 150
TILES = slice(0, -(-N_SAMPLES // LANES))


def bits_of_two_classes(n_bits, seed=0):
    """Draw bits that are alike within five groups; the second class starts a tile."""
    rng = np.random.default_rng(seed)
    groups = rng.random((5, n_bits)) < 0.5
    return [
        groups[rng.integers(5, size=n)] ^ (rng.random((n, n_bits)) < 0.2)
        for n in (N_SAMPLES, N_OTHERS)
    ]


def packed(own, others):
    """Return codes of two classes, each of which starts a tile."""
    room = np.ones((TILES.stop * LANES + N_OTHERS, own.shape[1]), dtype=bool)
    room[:N_SAMPLES], room[TILES.stop * LANES :] = own, others
    padded = np.pad(room, ((0, 0), (0, -room.shape[1] % 64)))
    as_bytes = np.packbits(padded, axis=1, bitorder="little")
    codes = BitCodes.empty(len(room), own.shape[1])
    used = np.r_[:N_SAMPLES, TILES.stop * LANES : len(room)]
    codes.put_outputs(used, as_bytes.view("<u8")[used])
    return codes


def neurons(own, others):
    """Return which samples each sample's neuron would cover, and its bound."""
    counts = (~own).astype(int) @ own.T
    bounds = ((~own).astype(int) @ others.T).min(axis=1)
    return counts < bounds[:, np.newaxis], bounds


@pytest.mark.parametrize("n_bits", [10, 40, 2000])
def test_a_greedy_cover_takes_the_largest_gain_first_and_the_first_among_equals(n_bits):
    own, others = bits_of_two_classes(n_bits)
    covers, bounds = neurons(own, others)
    order = np.random.default_rng(1).permutation(N_SAMPLES)
    left, expected = np.ones(N_SAMPLES, dtype=bool), []
    while True:
        gains = np.where(bounds > 0, (covers & left).sum(axis=1), 0)[order]
        if gains.max() == 0:
            break
        expected.append(order[gains.argmax()])
        left &= ~covers[expected[-1]]
    found = cover_greedily(packed(own, others), TILES, order)
    assert found.centers.tolist() == expected
    assert found.bounds.tolist() == bounds[expected].tolist()
    assert found.coverage.tolist() == covers[expected].sum(axis=1).tolist()
    assert found.missed.tolist() == np.flatnonzero(left).tolist()


@pytest.mark.parametrize("is_kept", [True, False])
def test_neurons_to_spare_are_dropped_the_smallest_first(is_kept):
    own, others = bits_of_two_classes(60)
    codes = packed(own, others)
    order = np.random.default_rng(1).permutation(N_SAMPLES)
    cover = cover_in_drawing_order(codes, TILES, order)
    covers = neurons(own, others)[0][cover.centers]
    needed = np.ones(len(covers), dtype=bool)
    for neuron in np.argsort(covers.sum(axis=1), kind="stable"):
        needed[neuron] = False
        if not (covers[needed].any(axis=0) >= covers[neuron]).all():
            needed[neuron] = True
    assert not needed.all()
    members = codes.covers(cover.masks, cover.bounds, TILES) if is_kept else None
    found = without_spare_neurons(replace(cover, members=members), codes, TILES)
    assert found.centers.tolist() == cover.centers[needed].tolist()
    assert found.missed.tolist() == cover.missed.tolist()
