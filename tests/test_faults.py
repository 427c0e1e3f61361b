"""Interrupts, little memory, damaged files, processes and threads."""

import os
import pickle
import signal
import subprocess
import sys
import sysconfig
import textwrap
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from _estimators import CLASSIFIERS, PUBLIC, REGRESSORS
from coverage import Coverage
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

import sklearn_memorize
from sklearn_memorize import (
    DeepThresholdClassifier,
    MemorizingClassifier,
    NearbySetClassifier,
    RandomReLUClassifier,
    RandomThresholdTransformer,
    SlabClassifier,
)
from sklearn_memorize.constructions.random_hyperplanes._covers import cover_greedily
from sklearn_memorize.exceptions import InterpolationError
from sklearn_memorize.kernels import _memory

REPOSITORY = Path(__file__).resolve().parents[1]
rng = np.random.default_rng(0)
X, Y = rng.standard_normal((150, 5)), rng.integers(0, 3, 150)

posix = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")


def new(name, **options):
    kind = getattr(sklearn_memorize, name)
    if "random_state" in kind().get_params():
        options["random_state"] = 0
    return kind(**options)


def child(script, **options):
    """Start Python on a script, in a process group of its own."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        **options,
    )


def wait_until_gone(group, seconds=20):
    """Return whether no process of the group is left after a while."""
    for _ in range(round(10 * seconds)):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


ENDLESS = {
    "hyperplanes": "MemorizingClassifier(min_hyperplanes=64, max_hyperplanes=10**7)",
    "threads": "MemorizingClassifier(min_hyperplanes=64, max_hyperplanes=10**7, "
    "n_draws=1, n_jobs=2)",
    "draws": "MemorizingClassifier(n_hyperplanes=1000, n_draws=9000, n_jobs=2)",
    "deep": "DeepThresholdClassifier(max_hyperplanes=10**7)",
    "random ReLU": "RandomReLUClassifier(max_hyperplanes=10**6)",
}


@posix
@pytest.mark.parametrize(
    "name, backend", [*((name, "threading") for name in ENDLESS), ("draws", "loky")]
)
def test_an_interrupted_fit_leaves_no_trace(name, backend):
    process = child(
        f"""
        import sys
        import threading
        import time
        import joblib
        import numpy as np
        from sklearn_memorize import *

        rng = np.random.default_rng(0)
        X = rng.standard_normal((4000, 40))
        X[2000:] = X[:2000] + 1e-9
        estimator = {ENDLESS[name]}
        before = dict(vars(estimator))
        with joblib.parallel_config("{backend}"):
            print("fitting", flush=True)
            try:
                estimator.fit(X, np.arange(4000) // 2000)
            except KeyboardInterrupt:
                print(vars(estimator) == before, flush=True)
                # A draw that has begun is finished by its thread.
                for _ in range(600):
                    if "{backend}" == "loky" or threading.active_count() == 1:
                        print("no thread is left", flush=True)
                        break
                    time.sleep(0.1)
                sys.exit(3)
        """
    )
    try:
        assert process.stdout.readline() == "fitting\n"
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=120)
        assert out == "True\nno thread is left\n", errors
        assert process.returncode == 3
        assert wait_until_gone(process.pid)
    finally:
        if not wait_until_gone(process.pid, seconds=0.1):
            os.killpg(process.pid, signal.SIGKILL)


@posix
@pytest.mark.parametrize("name", PUBLIC)
def test_an_interrupt_at_any_time_leaves_an_estimator_as_it_was_or_whole(name):
    def interrupt(signum, frame):
        raise KeyboardInterrupt

    if sys.gettrace() or Coverage.current():
        pytest.skip("what measures coverage would be interrupted, and wait for itself")
    samples, targets = X[:60], np.sin(X[:60, 0]) if name in REGRESSORS else Y[:60]
    new(name).fit(samples, targets)
    start = time.perf_counter()
    expected = joblib.hash(new(name).fit(samples, targets).__getstate__())
    seconds = time.perf_counter() - start
    n_interrupted = 0
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for share in np.linspace(0.05, 0.9, 8):
            estimator = new(name)
            unfitted = dict(vars(estimator))
            try:
                signal.setitimer(signal.ITIMER_REAL, share * seconds)
                estimator.fit(samples, targets)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                n_interrupted += 1
            if vars(estimator) != unfitted:
                assert joblib.hash(estimator.__getstate__()) == expected
        estimator.fit(samples, targets)
        assert joblib.hash(estimator.__getstate__()) == expected
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert n_interrupted > 0


@linux
def test_too_little_memory_is_an_error_with_advice():
    process = child(
        """
        import resource
        import numpy as np
        from scipy import sparse
        from sklearn_memorize import *

        X, y = np.eye(3000, 20), np.arange(3000) % 2
        X += np.arange(3000)[:, np.newaxis]
        wide = sparse.csr_array(X[:200])
        wide.resize(200, 10**6)
        for kind in (MemorizingClassifier, DeepThresholdClassifier):
            kind(n_hyperplanes=64).fit(X[:50], np.arange(50) == 0)
        used = int(open("/proc/self/statm").read().split()[0])
        limit = used * resource.getpagesize() + 2**30
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for estimator in (
            MemorizingClassifier(n_hyperplanes=2**25),
            DeepThresholdClassifier(n_hyperplanes=2**25),
            MemorizingClassifier(n_hyperplanes=2**18, activation="relu"),
            RandomReLUClassifier(n_hyperplanes=2**18),
            RandomThresholdTransformer(n_hyperplanes=2**25),
            SlabClassifier(),
            NearbySetClassifier(),
            ResidualMemorizingClassifier(),
        ):
            before = dict(vars(estimator))
            dense = "n_hyperplanes" in before
            try:
                estimator.fit(*(X, y) if dense else (wide, y[:200]))
            except MemoryError as error:
                assert vars(estimator) == before
                print(error)
        """
    )
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    advice = out.splitlines()
    assert len(advice) == 8, errors
    assert all("GiB of memory" in line for line in advice)
    assert all("Lower n_hyperplanes=" in line for line in advice[:5])
    assert all("Fit fewer samples or features" in line for line in advice[5:])


def test_sizes_are_compared_with_the_memory_before_anything_is_allocated(monkeypatch):
    monkeypatch.setattr(_memory, "available_memory", lambda: 2.0**27)
    small = MemorizingClassifier(n_hyperplanes=64, random_state=0)
    assert small.fit(X, Y).classes_.size == 3
    message = r"take [\d,]+\.\d GiB of memory, and 0.1 GiB are available"
    for estimator in (
        MemorizingClassifier(n_hyperplanes=10**12),
        DeepThresholdClassifier(n_hyperplanes=10**12),
        RandomThresholdTransformer(n_hyperplanes=10**12),
        RandomReLUClassifier(n_hyperplanes=10**12),
    ):
        with pytest.raises(MemoryError, match=message):
            estimator.fit(X, Y)
        with pytest.raises(NotFittedError):
            check_is_fitted(estimator)


def test_a_greedy_covering_asks_for_room_for_all_pairs_of_a_class(monkeypatch):
    codes = SimpleNamespace()  # which cannot be asked for anything
    order = np.arange(2**15)
    monkeypatch.setattr(_memory, "available_memory", lambda: 9 * 2.0**24 - 1)
    with pytest.raises(MemoryError, match="32,768 samples .*covering='random' does"):
        cover_greedily(codes, slice(0, 2**9), order)
    monkeypatch.setattr(_memory, "available_memory", lambda: 9 * 2.0**24)
    with pytest.raises(AttributeError):
        cover_greedily(codes, slice(0, 2**9), order)


def test_a_greedy_fit_that_finds_no_room_is_refused_with_advice(monkeypatch):
    monkeypatch.setattr(_memory, "_SMALL", 1)
    monkeypatch.setattr(_memory, "available_memory", lambda: 2.0**20)
    samples, labels = np.arange(6000.0)[:, np.newaxis], np.arange(6000) > 2999
    samples[labels] += 10_000
    estimator = MemorizingClassifier(n_hyperplanes=64, n_draws=1, random_state=0)
    estimator.fit(samples, labels)
    greedy = clone(estimator).set_params(covering="greedy")
    with pytest.raises(MemoryError, match="covering='random'.*fit fewer samples"):
        greedy.fit(samples, labels)
    with pytest.raises(NotFittedError):
        check_is_fitted(greedy)


def test_a_bare_memory_error_gets_advice(monkeypatch):
    def fail(self, training):
        raise MemoryError

    for name in CLASSIFIERS:
        monkeypatch.setattr(getattr(sklearn_memorize, name), "_build", fail)
        with pytest.raises(MemoryError, match="fewer samples or features"):
            new(name).fit(X, Y)


def test_memory_is_read_from_the_tables_of_linux(tmp_path):
    table = tmp_path / "table"
    table.write_text("MemTotal: 9 kB\nMemAvailable:   7 kB\n")
    assert _memory._free(str(table)) == 7 * 1024
    table.write_text("1048576\n")
    assert _memory._left_of_container(str(table)) == 2**20
    for other in ("max\n", "MemAvailable: no number"):
        table.write_text(other)
        assert _memory._left_of_container(str(table)) == float("inf")
        assert _memory._free(str(table)) > 2**20
    assert _memory._free(str(tmp_path / "absent")) > 2**20


@linux
def test_available_memory_is_finite_and_positive():
    assert 0 < _memory.available_memory() < float("inf")


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_damaged_pickle_is_refused(name):
    written = pickle.dumps(new(name).fit(X, Y))
    for damaged in (written[: len(written) // 2], b"", b"\x80\x05not a pickle."):
        with pytest.raises((pickle.UnpicklingError, EOFError, ValueError, KeyError)):
            pickle.loads(damaged)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_pickle_of_a_fitted_estimator_predicts_the_same(name, tmp_path):
    estimator = new(name).fit(X, Y)
    joblib.dump(estimator, tmp_path / "estimator.joblib")
    for restored in (
        pickle.loads(pickle.dumps(estimator)),
        joblib.load(tmp_path / "estimator.joblib"),
        joblib.load(tmp_path / "estimator.joblib", mmap_mode="r"),
    ):
        assert (restored.predict(X) == Y).all()


def fit_name(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        targets = np.sin(X[:, 0]) if name in REGRESSORS else Y
        return pickle.dumps(new(name).fit(X, targets).__getstate__())


@posix
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_child_processes_fit_the_same_estimator(method):
    names = sorted(PUBLIC) if method == "fork" else ["MemorizingClassifier"]
    here = [pickle.loads(fit_name(name)) for name in names]
    with warnings.catch_warnings():
        # Newer Pythons warn of forks beside threads, which BLAS may have started.
        warnings.simplefilter("ignore", DeprecationWarning)
        with ProcessPoolExecutor(2, mp_context=get_context(method)) as pool:
            there = [pickle.loads(state) for state in pool.map(fit_name, names)]
    for one, other in zip(here, there, strict=True):
        assert joblib.hash(one) == joblib.hash(other)


def test_threads_fit_different_estimators_at_once():
    names = sorted(PUBLIC) * 3
    alone = [joblib.hash(pickle.loads(fit_name(name))) for name in names[: len(PUBLIC)]]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(fit_name, names))
    hashes = [joblib.hash(pickle.loads(state)) for state in together]
    assert hashes == alone * 3


@pytest.mark.skipif(
    sysconfig.get_config_var("Py_GIL_DISABLED") != 1,
    reason="this Python has a global interpreter lock",
)
def test_the_global_interpreter_lock_stays_off_and_threads_fit_the_same():
    process = child(
        """
        import sys
        from concurrent.futures import ThreadPoolExecutor
        import joblib
        import numpy as np
        from sklearn_memorize import MemorizingClassifier, SlabClassifier, kernels

        kernels.use_backend("numpy")
        X = np.random.default_rng(0).standard_normal((150, 5))
        y = np.arange(150) % 3

        def fit(kind):
            return joblib.hash(kind(random_state=0).fit(X, y).network_)

        kinds = [MemorizingClassifier, SlabClassifier] * 4
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(fit, kinds))
        print(together == [fit(kind) for kind in kinds], sys._is_gil_enabled())
        """
    )
    out, errors = process.communicate(timeout=300)
    assert out == "True False\n", errors


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_read_only_memory_maps_are_fitted(name, dtype, tmp_path):
    path = tmp_path / "samples.npy"
    np.save(path, X.astype(dtype))
    mapped = np.load(path, mmap_mode="r")
    assert not mapped.flags.writeable
    targets = np.sin(X[:, 0]) if name in REGRESSORS else Y
    for estimator in (new(name), clone(new(name))):
        estimator.fit(mapped, targets)
        answer = getattr(estimator, "predict", None) or estimator.transform
        assert (answer(mapped) == answer(np.array(mapped))).all()
    assert (mapped == X.astype(dtype)).all()


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_workers_that_get_memory_maps_fit_the_same(backend):
    here = MemorizingClassifier(n_draws=3, keep="all", random_state=0).fit(X, Y)
    there = clone(here)
    # Everything that workers get is mapped, and read-only.
    with joblib.parallel_config(backend, n_jobs=2, max_nbytes=0, mmap_mode="r"):
        there.fit(X, Y)
    assert joblib.hash(here.network_) == joblib.hash(there.network_)


def test_what_cannot_finish_stops_at_its_cap_with_advice():
    Z = np.array([[1.0, 0.0], [np.nextafter(1.0, 2.0), 0.0], [5.0, 1.0]])
    for estimator in (
        MemorizingClassifier(max_hyperplanes=2000, random_state=0),
        DeepThresholdClassifier(max_hyperplanes=2000, random_state=0),
        RandomReLUClassifier(max_hyperplanes=200, random_state=0),
    ):
        with pytest.raises(InterpolationError, match="[Ii]ncrease max_hyperplanes"):
            estimator.fit(Z, [0, 1, 0])
        with pytest.raises(NotFittedError):
            estimator.predict(Z)
    for estimator in (SlabClassifier(random_state=0), NearbySetClassifier()):
        assert (estimator.fit(Z, [0, 1, 0]).predict(Z) == [0, 1, 0]).all()
