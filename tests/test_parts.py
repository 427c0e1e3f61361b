"""Parts that make networks small or safe, and whose faults no answer would show."""

import sys
import threading
from fractions import Fraction

import numpy as np
import pytest
from scipy import sparse

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize._estimator._training_set import dense
from sklearn_memorize.constructions.deep_threshold._construction import (
    _draw_parities,
    neuron_bound,
)
from sklearn_memorize.constructions.deep_threshold._gates import lookup_table
from sklearn_memorize.constructions.random_hyperplanes._drawing import (
    HyperplaneStream,
    enclosing_ball,
)
from sklearn_memorize.constructions.random_relu._construction import (
    Features,
    _middle,
    widen,
)
from sklearn_memorize.constructions.slabs._construction import _thresholds
from sklearn_memorize.constructions.small_relu._slopes import _weights
from sklearn_memorize.kernels import _memory
from sklearn_memorize.kernels._threads import run_in_threads
from sklearn_memorize.network import Network

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")


def test_threads_work_at_the_same_time():
    together = threading.Barrier(2, timeout=20)
    assert sorted(run_in_threads(lambda _: together.wait(), range(2), 2)) == [0, 1]


def test_a_network_has_to_say_what_its_layers_are():
    class Silent(Network):
        def forward(self, X, n_threads=1):
            return X

    with pytest.raises(TypeError, match="layers"):
        Silent()


def test_pruning_drops_hyperplanes_that_no_neuron_reads():
    X = np.array([[-1.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    options = {"n_hyperplanes": 300, "n_draws": 1, "random_state": 0}
    for prune in (False, True):
        estimator = MemorizingClassifier(prune=prune, **options).fit(X, [0, 1, 1])
        first, second, _ = estimator.network_.layers
        weights = second.weights
        weights = weights.toarray() if hasattr(weights, "toarray") else weights
        read = (weights != 0).any(axis=0)
        assert read.all() == prune
        assert (len(first.biases) < 300) == prune


def test_what_is_asked_for_before_allocation_is_at_least_what_is_then_held(monkeypatch):
    X = np.random.default_rng(0).standard_normal((3000, 40))
    stream = HyperplaneStream(0, enclosing_ball(X, np.arange(3000), True), 1.0)
    layer = stream.draw(500)
    wide = sparse.csr_array(X[:100])
    wide.resize(100, 5000)
    needs = {
        500 * 40 * 4 * 2: lambda: stream.draw(500),
        3000 * 500 // 8: lambda: layer.room(3000),
        3000 * 500 * 8: lambda: layer.room(3000, "relu"),
        3000 * 500 * 8 * 2: lambda: widen([layer], X),
        100 * 5000 * 8 * 2: lambda: dense(wide),
    }
    monkeypatch.setattr(_memory, "_SMALL", 1)
    for n_bytes, allocate in needs.items():
        monkeypatch.setattr(_memory, "available_memory", lambda n=n_bytes: n - 1.0)
        with pytest.raises(MemoryError, match="are available"):
            allocate()
        monkeypatch.setattr(_memory, "available_memory", lambda n=n_bytes: n * 1.5)
        allocate()


@linux
def test_what_the_process_holds_is_not_left_of_its_limit(monkeypatch):
    import resource

    limit, held = 2.0**40, np.ones(2**22)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (int(limit), -1))
    assert 0 < _memory._left_of_limit() < limit - held.nbytes


def test_each_hyperplane_adds_six_neurons_to_the_bound():
    # As long as the depth stays the same: 513 to 1024 of them.
    bounds = [neuron_bound(m, 20, 10_000, 2) for m in (600, 700, 1000)]
    assert np.diff(bounds).tolist() == [6 * 100 + 100, 6 * 300 + 300]


@pytest.mark.parametrize("n_word_bits", range(2, 12))
def test_no_bits_of_a_word_are_always_equal(n_word_bits):
    parities = _draw_parities(500, n_word_bits, np.random.default_rng(0))
    assert len(np.unique(parities, axis=1).T) == n_word_bits
    assert (parities.sum(axis=1) >= 1).all()


@pytest.mark.parametrize("n_words", [1, 2, 10, 999, 20_000])
@pytest.mark.parametrize("n_outputs", [1, 4, 10])
def test_tables_have_the_best_number_of_blocks(n_words, n_outputs):
    table = lookup_table(np.arange(n_words), np.arange(n_words) % 2, 20, n_outputs)
    n_blocks, n_positions = table.values.shape
    assert n_blocks * n_positions >= n_words
    least = min(
        2 * -(-n_words // k) + (1 + n_outputs) * k for k in range(1, n_words + 1)
    )
    # One more position and one more block than the best, from rounding.
    assert 2 * n_blocks + (1 + n_outputs) * n_positions <= least + 3 + n_outputs


def test_rounding_errors_of_potentials_do_not_accumulate():
    rng = np.random.default_rng(0)
    wanted = rng.standard_normal((400, 1, 1)) * 10.0 ** rng.integers(-6, 7, (400, 1, 1))
    reach, starts = np.full((400, 1), 3.0), np.full((1, 1), 0.1)
    weights = _weights(wanted, reach, starts)
    potential = Fraction(0.1)
    for weight, y in zip(
        weights.ravel().tolist(), wanted.ravel().tolist(), strict=True
    ):
        missing = Fraction(float(y)) - potential
        assert (
            abs(3 * Fraction(float(weight)) - missing)
            <= abs(missing) * Fraction(2) ** -51
        )
        potential += 2 * Fraction(float(weight))


def test_slabs_have_the_same_room_on_both_sides():
    values = np.array([-4.0, -1.0, 0.5, 1.0, 4.5])
    errors, members = np.full(5, 0.25), np.array([1, 2, 3])
    lower, upper, _ = _thresholds(values, errors, members, np.array([0, 4]))
    assert lower == (-3.75 - 1.25) / 2 and upper == (1.25 + 4.25) / 2


def test_outputs_are_zero_halfway_between_the_sides():
    values = np.array([[0.25, 3.0], [1.0, -8.0], [-0.5, -3.5]])
    signs = np.array([[1, 1], [1, -1], [-1, -1]])
    assert _middle(values, signs).tolist() == [-0.125, -0.25]


def test_bounds_of_rounding_errors_grow_with_the_samples_where_biases_are_zero():
    rng = np.random.default_rng(0)
    samples, directions = rng.standard_normal((1000, 4)), rng.standard_normal((5, 4))
    samples[0] *= 2.0**20
    features = Features(samples, directions, np.zeros(5), 0)
    network = features.network(np.ones((5, 1)), np.zeros(1))
    hidden = np.maximum(samples @ directions.T, 0.0)
    sums = hidden @ np.abs(network.layers[1].weights.T)
    assert features.errors(network)[0] > sums[0] * 2.0**-53 > 0


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
