"""On a real cluster: the same results, data sent once, workers that die."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from support.needs import needs
from support.storage import LABELS, SAMPLES

from sklearn_memorize import (
    BitExtractionClassifier,
    MemorizingClassifier,
    NearbySetClassifier,
)
from sklearn_memorize.exceptions import (
    ConflictingLabelsWarning,
    InterpolationError,
    InterpolationWarning,
)
from sklearn_memorize.model_selection import interpolation_study

dask = needs("dask", "dask.array", "distributed")


da = dask.array


distributed = sys.modules["distributed"]


@contextmanager
def cluster_of_two(method="spawn"):
    """Start two worker processes of one thread each."""
    with (
        dask.config.set({"distributed.worker.multiprocessing-method": method}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        yield cluster


@pytest.fixture(scope="module")
def cluster():
    with cluster_of_two() as cluster:
        yield cluster


@pytest.fixture
def threads():
    with dask.config.set(scheduler="threads"):
        yield


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:600], y[:600]


def classifier(**parameters):
    paper = {"hyperplanes": "random", "min_hyperplanes": 64, "random_state": 0}
    return MemorizingClassifier(**{**paper, **parameters})


def content(model) -> bytes:
    """Return all that was fitted, byte for byte."""
    fitted = {
        name: value
        for name, value in vars(model).items()
        if name.endswith("_") and name not in ("network_", "feature_names_in_")
    }
    parts = [sorted((name, repr(value)) for name, value in fitted.items())]
    parts.append(model.network_.widths)
    for covering in getattr(model.network_, "coverings", ()):
        layer = covering.hyperplanes
        arrays = (
            layer.directions,
            layer.scaled_biases,
            layer.exponent,
            layer.shift,
            layer.axis.features,
            layer.axis.sides,
            layer.axis.thresholds,
            layer.axis.exponents,
            covering.masks,
            covering.bounds,
            covering.starts,
        )
        parts.extend(None if a is None else pickle.dumps(np.array(a)) for a in arrays)
    parts.append(getattr(model.network_, "quorum", None))
    calibration = getattr(model.network_, "calibration", None)
    if calibration is not None:
        parts.append((calibration.scale, calibration.offsets))
    with np.printoptions(threshold=sys.maxsize, floatmode="unique"):
        return repr(parts).encode()


def kill_one(cluster, task: str, state: str) -> threading.Thread:
    """Kill a worker, at a moment when it has a task of that name in that state."""

    def busy_worker():
        for key, found in list(cluster.scheduler.tasks.items()):
            if task in str(key) and found.state == state:
                holders = [found.processing_on, *(found.who_has or ())]
                return next((w.address for w in holders if w is not None), None)
        return None

    def wait_and_kill():
        deadline = time.monotonic() + 60
        while (address := busy_worker()) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)
        killed.extend(
            nanny.pid
            for nanny in cluster.workers.values()
            if nanny.worker_address == address
        )
        for pid in killed:
            os.kill(pid, signal.SIGKILL)

    killed: list[int] = []
    thread = threading.Thread(target=wait_and_kill)
    thread.killed = killed
    thread.start()
    return thread


@contextmanager
def what_is_sent(cluster):
    """Record the bytes of what is scattered, by anyone, and of the tasks of joblib."""
    import cloudpickle
    from joblib._dask import DaskDistributedBackend

    scattered: list[int] = []
    tasks: list[int] = []
    scheduler = cluster.scheduler
    before = dict(scheduler.handlers), scheduler.update_data
    as_arguments = DaskDistributedBackend._to_func_args

    def update_data(*args, nbytes, **kwargs):
        scattered.extend(nbytes.values())
        return before[1](*args, nbytes=nbytes, **kwargs)

    def plain(value):
        return None if isinstance(value, distributed.Future) else value

    async def counted(self, function):
        batch, calls = await as_arguments(self, function)
        kept = [
            (f, [plain(a) for a in args], {k: plain(v) for k, v in kwargs.items()})
            for f, args, kwargs in calls
        ]
        tasks.append(len(cloudpickle.dumps(kept)))
        return batch, calls

    scheduler.handlers["update_data"] = scheduler.update_data = update_data
    DaskDistributedBackend._to_func_args = counted
    try:
        yield scattered, tasks
    finally:
        DaskDistributedBackend._to_func_args = as_arguments
        scheduler.handlers.update(before[0])
        del scheduler.update_data


def test_a_fit_on_a_cluster_is_the_local_one(cluster, digits):
    local = content(classifier(n_draws=8).fit(*digits))
    with joblib.parallel_config(backend="dask"):
        assert content(classifier(n_draws=8).fit(*digits)) == local


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_workers_may_be_forked(method, digits):
    classifier(n_draws=2).fit(*digits)  # threads and kernels are in use before
    local = content(classifier(n_draws=2).fit(*digits))
    with cluster_of_two(method), joblib.parallel_config(backend="dask"):
        assert content(classifier(n_draws=2).fit(*digits)) == local


def test_a_search_on_a_cluster_is_the_local_one(cluster, digits):
    def search():
        grid = {"n_draws": [1, 2], "max_bias": [0.5, 1.0]}
        return GridSearchCV(classifier(), grid, cv=2, error_score="raise").fit(*digits)

    local = search()
    with joblib.parallel_config(backend="dask"):
        remote = search()
    for name, values in local.cv_results_.items():
        if "time" not in name:
            assert list(map(repr, values)) == list(map(repr, remote.cv_results_[name]))
    assert content(remote.best_estimator_) == content(local.best_estimator_)


def test_a_study_on_a_cluster_is_the_local_one(cluster, digits):
    def study():
        return interpolation_study(
            classifier(n_draws=2),
            *digits,
            param_grid={"n_hyperplanes": [4, 40, "auto"]},
            n_repeats=2,
            random_state=0,
        )

    local = study()
    with joblib.parallel_config(backend="dask"):
        remote = study()
    assert 0 < local["interpolation_probability"].mean() < 1
    for name, values in local.items():
        if "time" not in name:
            np.testing.assert_array_equal(remote[name], values)


def test_the_data_of_a_fit_are_sent_once(cluster, digits):
    X, y = digits
    on_cluster = joblib.parallel_config(backend="dask")
    with what_is_sent(cluster) as (scattered, tasks), on_cluster:
        classifier(n_draws=8).fit(X, y)
    assert 0 < len(tasks) <= 8  # joblib may put quick draws into one task
    assert scattered.count(X.nbytes) == 1
    # The rows that count and their places: two integers for each sample.
    assert sum(scattered) < X.nbytes + 17 * len(X) + 5000
    assert max(tasks) < 4000


def test_the_data_of_a_study_are_sent_once(cluster, digits):
    X, y = digits
    on_cluster = joblib.parallel_config(backend="dask")
    with what_is_sent(cluster) as (scattered, tasks), on_cluster:
        interpolation_study(
            classifier(n_draws=3), X, y, param_grid={}, n_repeats=4, random_state=0
        )
    assert len(tasks) <= 4
    assert scattered.count(X.nbytes) == 1
    assert sum(scattered) < X.nbytes + y.nbytes + 5000
    assert max(tasks) < 4000


def test_a_killed_worker_does_not_change_a_fit():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6000, 10))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    model = classifier(n_draws=8, min_hyperplanes=500)
    local = content(model.fit(X, y))
    with cluster_of_two() as cluster, joblib.parallel_config(backend="dask"):
        killing = kill_one(cluster, "batch_of", "processing")
        model.fit(X, y)
        killing.join()
    assert killing.killed
    assert content(model) == local


CHUNKS = [(600,), (250, 250, 100), (1, 64, 65, 470), (0, 600), (37,) * 16 + (8,)]


def in_chunks(X, sizes):
    return da.from_array(X, chunks=(sizes, X.shape[1]))


@pytest.mark.parametrize("sizes", CHUNKS, ids=lambda sizes: f"{len(sizes)}-chunks")
def test_chunks_lead_to_the_network_of_the_fit_in_memory(threads, digits, sizes):
    X, y = digits
    model = classifier(n_draws=2)
    local = content(model.fit(X, y))
    assert content(model.fit(in_chunks(X, sizes), y)) == local
    assert (
        content(model.fit(in_chunks(X, sizes), da.from_array(y, chunks=111))) == local
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {"activation": "relu", "n_hyperplanes": 150, "n_draws": 1},
        {"keep": "best"},
        {"center": False, "max_bias": 0.5, "decision": "network"},
        {"n_hyperplanes": 100, "n_draws": 1},
        {"min_hyperplanes": 4, "n_draws": 1},
        {"hyperplanes": "adapted", "n_draws": 3},
        {"hyperplanes": "adapted", "n_draws": 2, "keep": "best"},
        {"hyperplanes": "adapted", "n_draws": 2, "n_votes": 5},
        {"hyperplanes": "adapted", "activation": "relu", "n_draws": 1},
    ],
    ids=repr,
)
def test_parameters_mean_the_same_for_chunks(threads, digits, parameters):
    X, y = digits
    model = classifier(**parameters)
    local = content(model.fit(X, y))
    assert content(model.fit(in_chunks(X, (200, 400)), y)) == local


@pytest.mark.parametrize("activation", ["threshold", "relu"])
def test_separating_hyperplanes_are_the_same_for_chunks(threads, activation):
    rng = np.random.default_rng(0)
    X = np.c_[rng.lognormal(10, 1, 400), rng.normal(size=(400, 3))]
    y = X[:, 1] * X[:, 2] > 0
    model = classifier(activation=activation, n_draws=2)
    local = content(model.fit(X, y))
    assert model.n_separating_hyperplanes_ > 0
    assert content(model.fit(in_chunks(X, (150, 250)), y)) == local
    assert content(model.fit(in_chunks(X, (100, 100, 200)), y)) == local


@pytest.mark.parametrize("sizes", CHUNKS, ids=lambda sizes: f"{len(sizes)}-chunks")
@pytest.mark.parametrize("kind", ["digits", "lattice", "rare class"])
def test_samples_in_chunks_are_left_out_as_in_memory(threads, digits, sizes, kind):
    """The number of votes, the calibration and the score are the same."""
    X, y = digits
    if kind == "lattice":  # with many separating hyperplanes
        X = np.stack(np.divmod(np.arange(600), 25), axis=1).astype(float)
        y = np.random.default_rng(0).integers(0, 2, 600)
    elif kind == "rare class":
        y = (np.arange(600) % 599 == 0).astype(int)
    model = classifier(hyperplanes="adapted", n_draws=2)
    local = content(model.fit(X, y))
    assert 0 < model.loo_score_ <= 1 and model.network_.calibration is not None
    assert content(model.fit(in_chunks(X, sizes), y)) == local


def test_one_sided_chunks(threads, digits):
    X, y = digits[0], digits[1] % 2
    model = classifier(one_sided=True, n_draws=1)
    local = content(model.fit(X, y))
    assert content(model.fit(in_chunks(X, (200, 400)), y)) == local


def test_a_single_class_in_chunks(threads, digits):
    X, y = digits[0], np.full(600, "a")
    local = content(classifier().fit(X, y))
    assert content(classifier().fit(in_chunks(X, (200, 400)), y)) == local


def doubled(seed=0):
    """Return rows that repeat, across chunks too, some with several labels."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 4, (600, 3)).astype(float)
    X[rng.random(X.shape) < 0.1] = -0.0
    return X, rng.integers(0, 3, 600)


@pytest.mark.filterwarnings(
    "ignore::sklearn_memorize.exceptions.ConflictingLabelsWarning"
)
@pytest.mark.parametrize("weights", [None, "integers", "fractions", "of some chunks"])
@pytest.mark.parametrize("ranges", ["one", "many"])
@pytest.mark.parametrize("hyperplanes", ["random", "adapted"])
def test_duplicates_and_conflicts_in_chunks(
    threads, request, weights, ranges, hyperplanes
):
    if ranges == "many":
        request.getfixturevalue("many_ranges")
    X, y = doubled()
    generator = np.random.default_rng(1)
    if weights == "integers":
        weights = generator.integers(0, 3, 600)
    elif weights == "fractions":  # sums of these depend on their order
        weights = generator.random(600)
    elif weights == "of some chunks":
        weights = (np.arange(600) // 250 == 1) * generator.choice([0.1, 1.0, 1e30], 600)
    model = classifier(hyperplanes=hyperplanes, n_draws=2)
    local = content(model.fit(X, y, weights))
    assert model.n_conflicts_ > 10
    assert content(model.fit(in_chunks(X, (250, 250, 100)), y, weights)) == local
    if weights is not None:
        weights = da.from_array(weights, chunks=77)
        assert content(model.fit(in_chunks(X, (250, 250, 100)), y, weights)) == local


@pytest.fixture
def many_ranges(monkeypatch):
    """Divide the hashes of a few rows into ranges, and compare few values at once."""
    from sklearn_memorize.constructions.random_hyperplanes import _hash_ranges

    monkeypatch.setattr(_hash_ranges, "_ROWS_OF_A_RANGE", 100)
    monkeypatch.setattr(_hash_ranges, "_VALUES_AT_ONCE", 100)


@pytest.mark.parametrize("sizes", CHUNKS, ids=lambda sizes: f"{len(sizes)}-chunks")
@pytest.mark.parametrize(
    "parameters",
    [
        {"n_draws": 3},
        {"hyperplanes": "adapted", "n_draws": 2},
        {"activation": "relu", "n_draws": 1},
        {"min_hyperplanes": 4, "n_draws": 1},
        {"min_hyperplanes": 4, "separating_hyperplanes": False, "n_draws": 2},
        {"n_hyperplanes": 20, "n_draws": 2},
    ],
    ids=repr,
)
@pytest.mark.filterwarnings("ignore::sklearn_memorize.exceptions.InterpolationWarning")
def test_large_classes_in_many_ranges_lead_to_the_network_of_the_fit_in_memory(
    threads, many_ranges, monkeypatch, digits, sizes, parameters
):
    from sklearn_memorize.constructions.random_hyperplanes import _adapted, _covers

    model = classifier(**parameters)
    permuted = content(model.fit(*digits))
    monkeypatch.setattr(_covers, "MOST_PERMUTED", 20)
    monkeypatch.setattr(_adapted, "MOST_PERMUTED", 20)
    local = content(model.fit(*digits))
    assert local != permuted
    assert content(model.fit(in_chunks(digits[0], sizes), digits[1])) == local


@pytest.mark.parametrize("size", [1, 2, 1000, 70_000])
def test_turns_are_the_order_of_drawing(size):
    from sklearn_memorize.constructions.random_hyperplanes._covers import DrawingOrder

    order = DrawingOrder(7, 3, size)
    ranks = np.arange(size)
    by_turn = order.all_ranks()
    np.testing.assert_array_equal(np.sort(by_turn), ranks)
    np.testing.assert_array_equal(np.argsort(order.turns(ranks)), by_turn)
    some = ranks[::-3]
    np.testing.assert_array_equal(order.turns(some), order.turns(ranks)[some])
    if size > 2:
        other = DrawingOrder(7, 4, size).all_ranks()
        assert (other != by_turn).any()


def test_rows_that_repeat_in_all_chunks_are_sent_once_a_chunk(threads, monkeypatch):
    """Rows are compared within their chunks first."""
    from sklearn_memorize.constructions.random_hyperplanes import _hash_ranges

    merged = []
    before = _hash_ranges._merged

    def seen(*arguments):
        merged.append(before(*arguments))
        return merged[-1]

    monkeypatch.setattr(_hash_ranges, "_merged", seen)
    X = np.tile(np.arange(12.0).reshape(6, 2), (100, 1))
    y = np.tile(np.arange(6) % 2, 100)
    local = content(classifier().fit(X, y))
    assert content(classifier().fit(in_chunks(X, (300, 300)), y)) == local
    assert sum(of_range.n_rows for of_range in merged) == 12


def test_weights_that_are_all_zero_are_refused_for_chunks(threads, digits):
    X, y = in_chunks(digits[0], (300, 300)), digits[1]
    weights = np.zeros(600)
    with pytest.raises(ValueError, match="at least one non-zero"):
        classifier().fit(X, y, weights)
    with pytest.raises(ValueError, match="at least one non-zero"):
        classifier().fit(X, y, da.from_array(weights, chunks=300))


class Largest:
    """Tell sizes of what comes back to the process that calls `fit`."""

    def __init__(self):
        self.n_bytes = 0

    def __call__(self, work):
        def measured(*arguments, **options):
            result = work(*arguments, **options)
            self.n_bytes = max(self.n_bytes, dask.sizeof.sizeof(result))
            return result

        return measured


@pytest.mark.parametrize("hyperplanes", ["random", "adapted"])
def test_what_comes_back_does_not_grow_with_the_rows(threads, monkeypatch, hyperplanes):
    import dask.base

    largest = Largest()
    monkeypatch.setattr(dask, "compute", largest(dask.compute))
    monkeypatch.setattr(dask.base, "compute", largest(dask.base.compute))
    found = []
    for n_samples in (4000, 16_000):
        X = np.random.default_rng(0).uniform(-1, 1, (n_samples, 2))
        y = X[:, 0] * X[:, 1] > 0
        X += 0.2 * np.sign(X)
        largest.n_bytes = 0
        chunks = da.from_array(X, chunks=(n_samples // 4, 2))
        model = classifier(
            hyperplanes=hyperplanes, n_draws=2, min_hyperplanes=256, n_left_out=300
        )
        model.fit(chunks, da.from_array(y, chunks=n_samples // 4))
        assert model.interpolates_
        found.append(largest.n_bytes)
    assert found[1] < 1.2 * found[0]


@pytest.mark.filterwarnings(
    "ignore::sklearn_memorize.exceptions.ConflictingLabelsWarning"
)
def test_colliding_hashes_in_chunks(threads, monkeypatch):
    from sklearn_memorize._estimator import _training_set
    from sklearn_memorize.constructions.random_hyperplanes import (
        _dask_samples,
        _parts,
    )

    def few(X):
        return np.asarray(np.abs(X).sum(axis=1)).astype(np.uint64) % np.uint64(7)

    monkeypatch.setattr(_training_set, "row_hashes", few)
    monkeypatch.setattr(_dask_samples, "row_hashes", few)
    monkeypatch.setattr(_parts, "row_hashes", few)
    X, y = doubled()
    local = content(classifier().fit(X, y))
    assert content(classifier().fit(in_chunks(X, (250, 250, 100)), y)) == local


def test_conflicts_are_reported_for_chunks(threads):
    X, y = doubled()
    with pytest.warns(ConflictingLabelsWarning, match="distinct rows carry several"):
        classifier().fit(in_chunks(X, (300, 300)), y)
    with pytest.raises(ValueError, match="conflicts='majority'"):
        classifier(conflicts="raise").fit(in_chunks(X, (300, 300)), y)


def test_classes_that_are_missing_in_a_chunk(threads, digits):
    X, y = digits
    order = np.argsort(y, kind="stable")
    names = np.array([f"digit {number}" for number in range(10)])[y]
    local = content(classifier().fit(X[order], names[order]))
    chunks = in_chunks(X[order], (200, 200, 200))
    labels = da.from_array(names[order], chunks=200)
    assert content(classifier().fit(chunks, labels)) == local


def test_sparse_chunks(threads, digits):
    X, y = digits
    model = classifier(n_draws=1)
    local = content(model.fit(sparse.csr_array(X), y))
    chunks = in_chunks(X, (200, 400)).map_blocks(sparse.csr_array)
    assert content(model.fit(chunks, y)) == local


def test_single_precision_columns_in_chunks_and_unknown_sizes(threads, digits):
    X, y = digits[0].astype(np.float32), digits[1]
    local = content(classifier().fit(X, y))
    chunks = da.from_array(X, chunks=(200, 30))
    chunks = chunks[da.from_array(np.ones(600, dtype=bool), chunks=200)]
    assert np.isnan(chunks.shape[0])
    assert content(classifier().fit(chunks, y)) == local


def test_a_size_that_does_not_suffice_is_reported_for_chunks(threads, digits):
    X, y = digits
    with pytest.warns(InterpolationWarning, match="increase n_hyperplanes") as local:
        model = classifier(n_hyperplanes=3, n_draws=1).fit(X, y)
    with pytest.warns(InterpolationWarning, match="increase n_hyperplanes") as remote:
        chunked = classifier(n_hyperplanes=3, n_draws=1).fit(in_chunks(X, (600,)), y)
    assert str(remote[0].message) == str(local[0].message)
    assert content(chunked) == content(model)


def test_predictions_of_chunks_are_lazy_and_the_same(threads, digits):
    X, y = digits
    chunks = in_chunks(X, (200, 0, 400))
    for model, n_outputs in (
        (classifier(), 10),
        (NearbySetClassifier(), 10),
        (BitExtractionClassifier(random_state=0), 10),
    ):
        model.fit(X[:300], y[:300])
        predicted = model.predict(chunks)
        assert isinstance(predicted, da.Array)
        assert predicted.chunks == ((200, 0, 400),)
        np.testing.assert_array_equal(predicted.compute(), model.predict(X))
        scores = model.decision_function(chunks)
        assert scores.shape == (600, n_outputs)
        np.testing.assert_array_equal(scores.compute(), model.decision_function(X))
        for method in ("predict_proba", "predict_log_proba"):
            ask = getattr(model, method)
            assert ask(chunks).chunks == ((200, 0, 400), (n_outputs,))
            assert ask(chunks).compute().tobytes() == ask(X).tobytes()
    model = classifier().fit(X, y % 2)
    assert model.predict_proba(chunks).shape == (600, 2)
    scores = model.decision_function(chunks)
    assert scores.shape == (600,)
    np.testing.assert_array_equal(scores.compute(), model.decision_function(X))


@pytest.mark.parametrize(
    ("parameters", "change", "message"),
    [
        ({"covering": "greedy"}, None, "covering='greedy'.*covering='random'"),
        ({"prune": True}, None, "prune=True.*prune=False"),
        ({}, lambda X, y: (X, y[:-1]), r"inconsistent numbers.*\[600, 599\]"),
        ({}, lambda X, y: (X, da.from_array(y[:-1])), "inconsistent numbers"),
        ({}, lambda X, y: (X[:, 0], y), "Expected 2D array"),
        ({}, lambda X, y: (X, np.column_stack([y, y])), "2 labels.*MultiOutput"),
        ({}, lambda X, y: (X[:0], y[:0]), "0 samples"),
        ({}, lambda X, y: (da.where(X > 15, np.nan, X), y), "NaN"),
        ({}, lambda X, y: (X, da.from_array(y + 0.5)), "Unknown label type"),
    ],
)
def test_what_chunks_cannot_do_is_refused(threads, digits, parameters, change, message):
    X, y = in_chunks(digits[0], (200, 400)), digits[1]
    model = classifier().fit(*digits)
    before = content(model)
    model.set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(*(change(X, y) if change else (X, y)))
    assert content(model) == before


def test_rows_that_change_while_they_are_read_are_refused(threads, digits):
    generator = np.random.default_rng(0)

    def noisy(block):
        return block + generator.standard_normal(block.shape)

    chunks = in_chunks(digits[0], (600,)).map_blocks(noisy, dtype=float)
    with pytest.raises(InterpolationError, match=r"X\.persist\(\)"):
        classifier(n_hyperplanes=200).fit(chunks, digits[1])


def test_chunks_on_a_cluster(cluster, digits):
    X, y = digits
    local = content(classifier(n_draws=2).fit(X, y))
    model = classifier(n_draws=2).fit(in_chunks(X, (200, 300, 100)), y)
    assert content(model) == local
    predicted = model.predict(in_chunks(X, (200, 300, 100))).persist()
    np.testing.assert_array_equal(predicted.compute(), model.predict(X))


def test_chunks_stay_where_they_are(cluster):
    client = distributed.get_client()
    X = da.random.default_rng(0).uniform(-1, 1, size=(80_000, 2), chunks=(5_000, 2))
    X = (X + 0.5 * da.sign(X)).persist()  # no sample is near the border
    y = (X[:, 0] > 0).astype("int8").persist()
    distributed.wait([X, y])
    before = client.who_has(X)
    assert len(set(before.values())) == 2
    assert classifier(n_draws=3).fit(X, y).interpolates_
    assert client.who_has(X) == before


@pytest.mark.filterwarnings(
    "ignore::sklearn_memorize.exceptions.ConflictingLabelsWarning"
)
def test_hashes_are_shuffled_on_a_cluster(cluster, many_ranges):
    """In many ranges on two workers, with rows to be compared."""
    X, y = doubled()
    model = classifier(n_draws=1)
    local = content(model.fit(X, y))
    chunks = da.from_array(X, chunks=(50, 3)).persist()
    assert content(model.fit(chunks, da.from_array(y, chunks=50))) == local


def test_a_killed_worker_does_not_change_a_fit_of_chunks():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6000, 10))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    model = classifier(n_draws=2, min_hyperplanes=500)
    local = content(model.fit(X, y))
    chunks = in_chunks(X, (1000,) * 6)
    with cluster_of_two() as cluster:
        killing = kill_one(cluster, "_encoded", "memory")
        model.fit(chunks, y)
        killing.join()
    assert killing.killed
    assert content(model) == local


def test_dask_is_not_imported_without_a_dask_array():
    code = (
        "import sys, numpy as np\n"
        "from sklearn_memorize import MemorizingClassifier\n"
        "X = np.arange(8.0)[:, np.newaxis]\n"
        "MemorizingClassifier().fit(X, X[:, 0] > 3).predict(X)\n"
        "sys.exit('dask' in sys.modules or 'distributed' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_chunks_give_the_reasons_of_the_samples_in_memory(threads, digits):
    X, y = digits
    settings = {"min_hyperplanes": 300, "n_draws": 2, "random_state": 0}
    chunks = da.from_array(X[:400], chunks=(150, 64))
    reasons = MemorizingClassifier(**settings).fit(chunks, y[:400]).reasons(X[400:])
    expected = MemorizingClassifier(**settings).fit(X[:400], y[:400]).reasons(X[400:])
    for name in ("classes", "sample_indices", "neurons", "margins", "coverage"):
        found = getattr(reasons, name)
        np.testing.assert_array_equal(found, getattr(expected, name))


@pytest.mark.parametrize("empty", [0, 1, 3])
@pytest.mark.parametrize(
    "labels",
    [
        LABELS + 2**53,
        LABELS.astype(np.uint64) + np.uint64(2**63),
        np.array(["few", "more", "most"])[LABELS],
        np.array(["few", "more", "most"], dtype=object)[LABELS],
        LABELS > 0,
        LABELS.astype(np.uint8),
        LABELS.astype(np.float32),
    ],
    ids=lambda labels: labels.dtype.str,
)
def test_chunks_without_rows_leave_labels_what_they_are(labels, empty):
    da = dask.array
    model = MemorizingClassifier(n_draws=2, random_state=0).fit(SAMPLES, labels)
    sizes = [20, 20, 20]
    sizes.insert(empty, 0)
    parts = np.split(SAMPLES, np.cumsum(sizes)[:-1])
    rows = da.concatenate(
        [da.from_array(part, chunks=(max(len(part), 1), 5)) for part in parts],
        allow_unknown_chunksizes=True,
    )
    filtered = da.from_array(SAMPLES, chunks=(20, 5))
    filtered = filtered[filtered[:, 0] > np.inf]
    for chunked, expected in ((rows, model.predict(SAMPLES)), (filtered, labels[:0])):
        said = model.predict(chunked)
        assert said.dtype == model.classes_.dtype
        said = said.compute(scheduler="synchronous")
        assert said.dtype == model.classes_.dtype
        assert np.array_equal(said, expected)
    scores = model.predict_proba(filtered).compute(scheduler="synchronous")
    assert scores.shape == (0, len(model.classes_))


@pytest.mark.parametrize("activation", ["threshold", "relu"])
def test_chunks_without_a_row_of_their_own_may_leave_samples_unseparated(activation):
    # The first chunk is empty, all rows of the last one stand in another chunk too.
    rows = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    X = np.concatenate((rows, rows + 1e-12, rows))
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0])
    model = MemorizingClassifier(
        hyperplanes="random",
        activation=activation,
        n_draws=1,
        min_hyperplanes=2,
        random_state=0,
    ).fit(da.from_array(X, chunks=((0, 8, 4), 2)), y)
    assert model.n_separating_hyperplanes_ > 0
    assert model.interpolates_
    np.testing.assert_array_equal(model.predict(X), y)
