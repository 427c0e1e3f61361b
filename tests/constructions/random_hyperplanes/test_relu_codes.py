"""ReLU outputs in fixed point: sums are exact, bounds are safe."""

import numpy as np
import pytest

from sklearn_memorize import kernels
from sklearn_memorize.constructions.random_hyperplanes._relu_codes import ReLUCodes


@pytest.mark.parametrize("n_hyperplanes", [1, 2, 3, 64, 1000, 2**20])
def test_sums_of_outputs_at_the_cap_are_exact(n_hyperplanes):
    cap = ReLUCodes(np.empty((0, n_hyperplanes)), 0).cap
    assert cap == int(cap)
    assert n_hyperplanes * int(cap) < 2**53
    # There is no larger cap that leaves room for one more.
    assert (n_hyperplanes + 1) * (int(cap) + 1) > 2**53


def relu_codes(n_samples=150, n_hyperplanes=70, seed=0):
    values = np.random.default_rng(seed).integers(-20, 20, (n_samples, n_hyperplanes))
    codes = ReLUCodes.empty(n_samples, n_hyperplanes)
    codes.values[:n_samples] = np.maximum(values, 0)
    return codes


def mask_matrix(codes, positions):
    return (codes.values[positions] == 0).astype(int)


def test_codes_of_no_sample_are_laid_out_as_well():
    codes = ReLUCodes.empty(0, 7).arranged()
    masks = relu_codes(3, 7).masks(np.arange(3))
    sizes = np.bitwise_count(masks).sum(axis=1)
    bounds = codes.largest_bounds(masks, slice(0, 0))
    assert bounds.tolist() == (2**53 - sizes - 1).tolist()
    assert codes.covers(masks, bounds, slice(0, 0)).shape == (3, 0)
    totals, fires = codes.votes(masks, bounds, np.array([0, 2, 3]), 2)
    assert totals.shape == fires.shape == (0, 2)


@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.parametrize("n_samples", [1, 64, 65, 700])
def test_codes_are_laid_out_alike_by_any_number_of_threads(n_samples, n_threads):
    codes = relu_codes(n_samples)
    for part, other in zip(
        codes.arranged(n_threads).rounded,
        kernels.round_outputs(codes.values),
        strict=True,
    ):
        np.testing.assert_array_equal(part, other)


def test_codes_that_are_laid_out_are_not_written_any_more():
    codes = relu_codes().arranged()
    with pytest.raises(AssertionError, match="would not follow"):
        codes.put_outputs(np.arange(2), codes.values[:2])


@pytest.mark.parametrize("skip", [slice(0, 0), slice(0, 1), slice(1, 2), slice(1, 3)])
def test_bounds_are_the_largest_with_which_no_other_sample_is_covered(skip):
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
def test_the_largest_margins_of_a_class_are_summed(n_votes):
    codes = relu_codes()
    positions = np.arange(7) * 20
    sums = codes.values @ mask_matrix(codes, positions).T
    bounds = np.arange(100, 170, 10)
    found, fired = codes.votes(codes.masks(positions), bounds, STARTS, n_votes)
    margins = (bounds - sums)[:150]
    best = [np.sort(part, axis=1)[:, ::-1] for part in (margins[:, :2], margins[:, 2:])]
    assert found.shape == (150, 3)
    np.testing.assert_array_equal(found[:, 0], best[0][:, :n_votes].sum(axis=1))
    np.testing.assert_array_equal(found[:, 2], best[1][:, :n_votes].sum(axis=1))
    assert not found[:, 1].any()
    expected = codes.classes_that_fire(codes.masks(positions), bounds, STARTS)
    np.testing.assert_array_equal(fired, expected)
    assert fired.any()
