"""The code of a sample is the exact sign, however it is asked for."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from sklearn_memorize import kernels
from sklearn_memorize.constructions.random_hyperplanes._codes import BitCodes
from sklearn_memorize.constructions.random_hyperplanes._drawing import (
    HyperplaneStream,
    enclosing_ball,
)
from sklearn_memorize.constructions.random_hyperplanes._hyperplane_layer import (
    HyperplaneLayer,
)
from sklearn_memorize.constructions.random_hyperplanes._relu_codes import FRACTION_BITS


def rational_value(direction, point, bias):
    products = zip(direction.tolist(), point.tolist(), strict=True)
    return sum((Fraction(w) * Fraction(x) for w, x in products), Fraction(bias))


def rational_signs(layer, X):
    X = np.asarray(X, dtype=np.float64)
    return np.array(
        [
            [
                rational_value(w, x, b) > 0
                for w, b in zip(layer.directions, layer.biases.tolist(), strict=True)
            ]
            for x in X
        ]
    )


moderate = st.floats(-1e100, 1e100, width=64)


@given(hnp.arrays(np.float64, (4, 3), elements=moderate), st.integers(0, 2**31))
def test_layer_signs_are_rational_signs_when_points_lie_on_hyperplanes(X, seed):
    rng = np.random.default_rng(seed)
    directions = rng.integers(-2, 3, (6, 3)).astype(np.float32)
    exponent = int(np.frexp(np.abs(X).max())[1])
    on_hyperplane = -(directions.astype(np.float64) @ X[0])
    layer = HyperplaneLayer(directions, np.ldexp(on_hyperplane, -exponent), exponent)
    expected = rational_signs(layer, X)
    for backend in ("numpy", kernels.backend()):
        with kernels.use_backend(backend):
            assert (layer.signs(X) == expected).all()
            assert (layer.signs(sparse.csr_array(X)) == expected).all()


@pytest.mark.parametrize("offset", [0.0, 1e9, 1e18])
@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
def test_grids_far_from_the_origin_have_exact_codes(offset, scale):
    rng = np.random.default_rng(0)
    X = (rng.integers(-2, 3, (65, 5)) + offset) * scale
    directions = np.round(rng.standard_normal((70, 5))).astype(np.float32)
    exponent = int(np.frexp(np.abs(X).max())[1])
    biases = np.ldexp(-(directions.astype(np.float64) @ X[0]), -exponent)
    shift = X[1] if offset else None
    layer = HyperplaneLayer(directions, biases, exponent, shift)
    expected = rational_signs(layer, X)
    assert (layer.signs(X) == expected).all()
    assert (layer.signs(np.asfortranarray(X)) == expected).all()
    assert (layer.signs(sparse.csr_array(X)) == expected).all()
    assert (layer.encode(X, n_threads=2).bits() == expected).all()


def test_points_beyond_single_precision_have_exact_codes():
    layer = HyperplaneLayer(
        np.array([[1.0, 1.0], [1.0, -1.0]], dtype=np.float32), np.array([0.0, -0.25])
    )
    X = np.array([[1e300, -1e300], [1e300, 1e-300], [1e-300, -1e-300], [0.0, 0.0]])
    assert (layer.signs(X) == rational_signs(layer, X)).all()


@pytest.mark.parametrize("n_features", [3, 40, 600])
@pytest.mark.parametrize("exponent", [120, 124, 127, 130])
def test_sums_that_overflow_single_precision_on_the_way_have_exact_signs(
    n_features, exponent
):
    """Points that lie as far from a layer as single precision reaches."""
    rng = np.random.default_rng(exponent)
    directions = rng.standard_normal((70, n_features)).astype(np.float32)
    X = rng.standard_normal((90, n_features))
    # The first two terms are large, and cancel but for a part in a million.
    X[:, 1] = -X[:, 0] * directions[0, 0] / directions[0, 1] * (1 + 1e-6)
    X[:, 2:] *= 1e-9
    X = np.ldexp(X, exponent)
    biases = rng.standard_normal(70)
    shift = np.zeros(n_features)
    expected = rational_signs(HyperplaneLayer(directions, biases), X[:3])
    for layer in (
        HyperplaneLayer(directions, biases),
        HyperplaneLayer(directions, biases, shift=shift),
        HyperplaneLayer(sparse.csr_array(directions), biases),
    ):
        codes = layer.signs(X)
        assert (codes[:3] == expected).all()
        assert (codes == layer.signs(sparse.csr_array(X))).all()
        for backend in kernels.backends():
            with kernels.use_backend(backend):
                assert (layer.signs(X) == codes).all()


@pytest.mark.parametrize("is_full", [True, False])
@pytest.mark.parametrize("spread", [1e-15, 1e-6])
def test_sparse_directions_see_data_far_from_the_origin_as_dense_ones_do(
    is_full, spread
):
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((60, 30)).astype(np.float32)
    if not is_full:
        directions[rng.random(directions.shape) < 0.9] = 0.0
    center = 1.0 + rng.random(30)
    X = center + spread * rng.standard_normal((50, 30))
    X[0] = center
    exponent = int(np.frexp(spread)[1]) + 3
    biases = np.ldexp(-(directions.astype(np.float64) @ center), -exponent)
    dense = HyperplaneLayer(directions, biases, exponent, center)
    thin = HyperplaneLayer(sparse.csr_array(directions), biases, exponent, center)
    expected = rational_signs(dense, X)
    for layer in (dense, thin):
        assert (layer.signs(X) == expected).all()
        assert (layer.signs(sparse.csr_array(X)) == expected).all()
        offsets, bounds = layer.shifted_offsets
        for w, b, offset, bound in zip(
            directions, layer.scaled_biases, offsets, bounds, strict=True
        ):
            exact = rational_value(w, np.ldexp(center, -exponent), b)
            assert abs(Fraction(float(offset)) - exact) <= Fraction(float(bound))
            assert bound <= 1e-6 * abs(offset) + 1e-30
    order = rng.permutation(60)
    assert (dense.subset(order).signs(X) == expected[:, order]).all()


def test_plain_single_precision_would_be_wrong():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 50)).astype(np.float32)
    directions = rng.standard_normal((500, 50)).astype(np.float32)
    near = -(directions.astype(np.float64) @ X[0]) + rng.normal(0, 1e-7, 500)
    layer = HyperplaneLayer(directions, near)
    plain = X[:1] @ directions.T + near.astype(np.float32) > 0
    exact = layer.signs(X[:1])
    assert (exact == rational_signs(layer, X[:1])).all()
    assert (plain != exact).any()


def rational_ceilings(layer, X):
    unit = Fraction(2) ** (layer.exponent - FRACTION_BITS)
    cap = int(layer.room(1, "relu").cap)
    ceilings = [
        [
            min(max(0, -(-rational_value(w, x, b) // unit)), cap)
            for w, b in zip(layer.directions, layer.biases.tolist(), strict=True)
        ]
        for x in np.asarray(X, dtype=np.float64)
    ]
    return np.array(ceilings, dtype=np.float64)


@pytest.mark.parametrize("scale", [1e-100, 1.0, 1e100])
@pytest.mark.parametrize("offset", [0.0, 1e12])
def test_relu_outputs_are_rounded_up_exactly(scale, offset):
    rng = np.random.default_rng(1)
    X = (rng.integers(-4, 5, (20, 4)) / 8 + offset) * scale
    X[3] = 1e9 * scale
    directions = (np.round(4 * rng.standard_normal((9, 4))) / 4).astype(np.float32)
    exponent = int(np.frexp(scale)[1])
    biases = np.ldexp(-(directions.astype(np.float64) @ X[0]), -exponent)
    layer = HyperplaneLayer(directions, biases, exponent)
    for units in (layer, layer.with_finer_outputs()):
        assert (units.biases == layer.biases).all()
        expected = rational_ceilings(units, X)
        for Z in (X, np.asfortranarray(X), sparse.csr_array(X)):
            codes = units.encode(Z, "relu")
            assert (codes.values[: codes.n_samples] == expected).all()


def test_samples_of_many_features_have_exact_codes():
    rng = np.random.default_rng(2)
    X = rng.random((3, 1300)).astype(np.float32)
    directions = rng.standard_normal((100, 1300)).astype(np.float32)
    through_first = -(directions.astype(np.float64) @ X[0])
    layer = HyperplaneLayer(directions, through_first + rng.normal(0, 1e-5, 100))
    expected = rational_signs(layer, X)
    assert (layer.signs(X) == expected).all()
    assert (layer.signs(sparse.csr_array(X)) == expected).all()
    plain = X @ directions.T + layer.biases.astype(np.float32) > 0
    assert (plain != expected).any()


@pytest.mark.parametrize("n_features", [1, 2, 3])
@pytest.mark.parametrize("center", [None, 1e6])
def test_signs_decided_by_one_rounding_are_exact_in_few_dimensions(n_features, center):
    rng = np.random.default_rng(n_features)
    X = rng.standard_normal((40, n_features)) + (center or 0.0)
    directions = rng.standard_normal((300, n_features)).astype(np.float32)
    through = -(directions.astype(np.float64) @ X[:1].T).ravel()
    ulps = rng.integers(-1, 2, 300) * np.spacing(through)
    shift = None if center is None else np.full(n_features, center)
    for near in (ulps, 1e-8 * np.abs(through) * rng.standard_normal(300)):
        layer = HyperplaneLayer(directions, through + near, 0, shift)
        expected = rational_signs(layer, X)
        assert (layer.signs(X) == expected).all()
        ceilings = rational_ceilings(layer, X[:3])
        codes = layer.encode(X[:3], "relu")
        assert (codes.values[: codes.n_samples] == ceilings).all()


def test_samples_that_are_mostly_zeros_have_exact_codes():
    rng = np.random.default_rng(3)
    X = rng.integers(1, 256, (400, 90)) / 255
    X *= rng.random(X.shape) < 0.1
    X[7] = 0
    directions = rng.standard_normal((130, 90)).astype(np.float32)
    through = -(directions.astype(np.float64) @ X[0])
    biases = through + rng.integers(-1, 2, 130) * np.spacing(through)
    biases[5] = 0
    layer = HyperplaneLayer(directions, biases)
    in_a_batch = layer.signs(X)
    assert (in_a_batch[:10] == rational_signs(layer, X[:10])).all()
    plain = X.astype(np.float32) @ directions.T + biases.astype(np.float32) > 0
    assert (plain[0] != in_a_batch[0]).any()
    with kernels.use_backend("numpy"):
        assert (layer.signs(X) == in_a_batch).all()
    alone = np.vstack([layer.signs(X[i : i + 1]) for i in range(len(X))])
    assert (alone == in_a_batch).all()
    assert (layer.signs(sparse.csr_array(X)) == in_a_batch).all()


@pytest.mark.parametrize("center", [None, 1e6])
@pytest.mark.parametrize("n_features", [1, 2, 5, 16])
def test_codes_written_in_planes_are_those_of_the_plain_kernels(n_features, center):
    rng = np.random.default_rng(n_features)
    X = rng.standard_normal((1500, n_features)) + (center or 0.0)
    X[3] = 0
    directions = rng.standard_normal((130, n_features)).astype(np.float32)
    through = -(X[rng.integers(0, 1500, 130)] * directions).sum(axis=1)
    biases = through + rng.integers(-1, 2, 130) * np.spacing(through)
    biases[:9] = 0
    shift = None if center is None else np.full(n_features, center)
    layer = HyperplaneLayer(directions, biases, 1, shift)
    rows = rng.permutation(1500)[:1100].astype(np.int32)
    # One tile is left out, another is not full, and the last group is begun.
    positions = np.sort(rng.permutation(np.r_[0:640, 704:1500])[:1100])
    codes = layer.encode_arranged(X, rows, positions, 1600, n_threads=2)
    with kernels.use_backend("numpy"):
        plain = layer.encode_arranged(X, rows, positions, 1600)
        expected = plain.words()
    if kernels.backend() != "numpy":
        assert codes.tiles.shape != plain.tiles.shape
    words = codes.words()
    assert (words[positions] == expected[positions]).all()
    empty = np.setdiff1d(np.arange(1600), positions)
    assert (words[empty] == ~np.uint64(0)).all()
    assert (layer.signs(X[rows[:3]]) == rational_signs(layer, X[rows[:3]])).all()
    assert (codes.bits(positions[:3]) == layer.signs(X[rows[:3]])).all()
    plain_signs = X.astype(np.float32) @ directions.T + biases.astype(np.float32) > 0
    assert (plain_signs[rows] != codes.bits(positions)).any()


def test_single_bits_can_be_set_in_planes_and_tiles():
    rng = np.random.default_rng(0)
    codes = BitCodes.from_words(rng.integers(0, 2**63, (1024, 3), dtype=np.uint64), 190)
    bits = codes.bits()
    where = rng.integers(0, 1024, 99), rng.permutation(190)[:99]
    for lay_out in (lambda: codes, codes.arranged):
        laid_out = lay_out()
        bits[where] = ~bits[where]
        laid_out.put(*where, bits[where])
        assert (laid_out.bits() == bits).all()


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_threads_lay_out_the_same_codes(n_threads):
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**63, (3300, 2), dtype=np.uint64)
    codes = BitCodes.from_words(words, 127).arranged(n_threads)
    assert (codes.words() == words).all()


@pytest.mark.parametrize("n_hyperplanes", [1, 63, 64, 70])
def test_masks_are_the_complements_of_codes_and_nothing_beside(n_hyperplanes):
    X = np.random.default_rng(0).standard_normal((90, 4))
    stream = HyperplaneStream(0, enclosing_ball(X, np.arange(90), True), 1.0)
    layer = stream.draw(n_hyperplanes)
    masks = layer.encode(X).masks(np.arange(90))
    as_bytes = masks.astype("<u8").view(np.uint8)
    bits = np.unpackbits(as_bytes, axis=1, bitorder="little").astype(bool)
    assert (bits[:, :n_hyperplanes] == ~layer.signs(X)).all()
    assert not bits[:, n_hyperplanes:].any()
