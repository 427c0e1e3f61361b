"""One seed, one network, byte for byte: whoever computes it, in whatever order."""

import hashlib
import re
import sys
from functools import cache

import joblib
import numpy as np
import pytest
from _estimators import PUBLIC, REGRESSORS
from scipy import sparse
from threadpoolctl import threadpool_limits

import sklearn_memorize
from sklearn_memorize import MemorizingClassifier, kernels

rng = np.random.default_rng(0)
# Values that single precision holds, so that copies in both precisions are equal.
X = rng.standard_normal((100, 12)).astype(np.float32)
X[:, 3] = np.round(X[:, 3])  # with zeros of both signs
X[75:] = X[:25] + np.float32(2.0**-4)
X = X.astype(np.float64)
Y = rng.integers(0, 3, 100)
TARGETS = np.sin(5 * X[:, 0])
VARIANTS = {
    **{name: (name, {}) for name in PUBLIC},
    "draws": ("MemorizingClassifier", {"n_draws": 3, "keep": "all"}),
    "best draw": ("MemorizingClassifier", {"n_draws": 3, "keep": "best"}),
    "one draw": ("MemorizingClassifier", {"n_draws": 1, "keep": "best"}),
    "greedy": ("MemorizingClassifier", {"covering": "greedy", "prune": True}),
    "ReLU": ("MemorizingClassifier", {"activation": "relu", "min_hyperplanes": 300}),
    "around the origin": ("MemorizingClassifier", {"center": False}),
    "every center": ("NearbySetClassifier", {"cover_radius": 0}),
    "five layers": ("SmallReLUClassifier", {"n_layers": 5}),
    "wide": ("RandomReLUClassifier", {"min_hyperplanes": 400}),
}
PARALLEL = [key for key, (name, _) in VARIANTS.items() if "n_jobs" in vars(
    getattr(sklearn_memorize, name)())]  # fmt: skip


def fitted(variant, X=X, order=slice(None), **options):
    name, own = VARIANTS[variant]
    estimator = getattr(sklearn_memorize, name)(**own, **options)
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=0)
    y = TARGETS if name in REGRESSORS else Y
    return estimator.fit(X[order], y[order])


def digest(estimator, n_layers=None):
    """Return a hash of all bytes of the network, and of the numbers beside it.

    Or only of its first layers, if a number of them is given.
    """
    if hasattr(estimator, "hyperplanes_"):
        network = estimator.hyperplanes_
    else:
        network = estimator.network_
    try:
        layers = network.layers if hasattr(network, "layers") else (network.layer(),)
    except ValueError:  # too large to write out
        layers = ()
    arrays = [
        part
        for layer in layers[:n_layers]
        for matrix in (layer.weights, layer.biases)
        for part in (
            (matrix.data, matrix.indices, matrix.indptr)
            if sparse.issparse(matrix)
            else (matrix,)
        )
    ]
    numbers = {
        name: value
        for name, value in vars(estimator).items()
        if name.endswith("_") and isinstance(value, (int, float, bool))
    }
    assert arrays or hasattr(network, "widths")
    summed = hashlib.sha256()
    for array in arrays:
        summed.update(f"{array.dtype.str} {array.shape} ".encode())
        # Python integers and fractions lie elsewhere each time.
        held = array.dtype != object
        summed.update(array.tobytes() if held else repr(array.tolist()).encode())
    if n_layers is None:
        numbers = {name: float(value).hex() for name, value in sorted(numbers.items())}
        summed.update(f"{numbers} {getattr(network, 'widths', None)}".encode())
    return summed.hexdigest()


@cache
def expected(variant):
    return digest(fitted(variant))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_same_seed_gives_the_same_network_again(variant):
    assert digest(fitted(variant)) == expected(variant)


@pytest.mark.parametrize(
    "variant", [v for v, (name, _) in VARIANTS.items() if name != "NearbySetClassifier"]
)
def test_another_seed_gives_another_network(variant):
    name, own = VARIANTS[variant]
    estimator = getattr(sklearn_memorize, name)(random_state=1, **own)
    estimator.fit(X, TARGETS if name in REGRESSORS else Y)
    assert digest(estimator) != expected(variant)


@pytest.mark.parametrize("n_jobs", [2, -1])
@pytest.mark.parametrize("variant", PARALLEL)
def test_the_number_of_jobs_does_not_show(variant, n_jobs):
    assert digest(fitted(variant, n_jobs=n_jobs)) == expected(variant)


@pytest.mark.parametrize("backend", ["loky", "threading", "sequential"])
@pytest.mark.parametrize("variant", PARALLEL)
def test_the_backend_of_joblib_does_not_show(variant, backend):
    with joblib.parallel_config(backend, n_jobs=2):
        assert digest(fitted(variant)) == expected(variant)


@pytest.mark.parametrize("variant", VARIANTS)
def test_plain_numpy_gives_the_network_of_numba(variant):
    with kernels.use_backend("numpy"):
        assert digest(fitted(variant)) == expected(variant)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("variant", VARIANTS)
def test_threads_of_the_linear_algebra_do_not_show(variant, n_threads):
    with threadpool_limits(n_threads):
        assert digest(fitted(variant)) == expected(variant)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_copy_in_single_precision_gives_the_same_network(variant):
    assert digest(fitted(variant, X.astype(np.float32))) == expected(variant)


@pytest.mark.parametrize("variant", VARIANTS)
def test_storage_does_not_show(variant):
    for stored in (np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2]):
        assert digest(fitted(variant, stored)) == expected(variant)


@pytest.mark.parametrize("variant", VARIANTS)
def test_sparse_storage_does_not_show(variant):
    assert digest(fitted(variant, sparse.csr_array(X))) == expected(variant)


def block_sizes():
    """Yield the modules and names of the numbers that say how much is done at once."""
    for name, module in list(sys.modules.items()):
        if name.startswith("sklearn_memorize.") and ".kernels" not in name:
            for constant, value in vars(module).items():
                if re.fullmatch("_BLOCK_.*|_.*_AT_ONCE", constant):
                    assert isinstance(value, int)
                    yield module, constant


@pytest.mark.parametrize("variant", VARIANTS)
def test_how_much_is_done_at_once_does_not_show(variant, monkeypatch):
    names = ("decision_function", "predict", "transform")
    name = next(n for n in names if hasattr(fitted(variant), n))
    answers = getattr(fitted(variant), name)(X)
    changed = list(block_sizes())
    assert len(changed) > 10
    for module, constant in changed:
        monkeypatch.setattr(module, constant, 40)
    estimator = fitted(variant)
    assert digest(estimator) == expected(variant)
    for rows in (X, sparse.csr_array(X)):
        assert (getattr(estimator, name)(rows) == answers).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_order_of_the_samples_does_not_show(variant):
    order = np.random.default_rng(0).permutation(len(X))
    assert digest(fitted(variant, order=order)) == expected(variant)


# The transformer does not look for equal rows; its center is the mean of all.
@pytest.mark.parametrize(
    "variant", sorted(set(VARIANTS) - {"RandomThresholdTransformer"})
)
def test_repeated_samples_do_not_show(variant):
    twice = np.concatenate([np.arange(len(X)), np.arange(0, len(X), 3)])
    assert digest(fitted(variant, order=twice)) == expected(variant)


def test_a_generator_that_is_handed_over_moves_on():
    generator = np.random.RandomState(0)
    first, second = (
        digest(MemorizingClassifier(random_state=generator).fit(X, Y)) for _ in range(2)
    )
    assert first != second
