"""Interrupts, processes and threads."""

import os
import pickle
import signal
import sys
import sysconfig
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import joblib
import numpy as np
import pytest
from coverage import Coverage
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from support.estimators import PUBLIC, REGRESSORS, new
from support.processes import LABELS, SAMPLES, child, fit_name, wait_until_gone

from sklearn_memorize import (
    DeepThresholdClassifier,
    MemorizingClassifier,
    NearbySetClassifier,
    RandomReLUClassifier,
    SlabClassifier,
)
from sklearn_memorize.exceptions import InterpolationError

posix = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")


ENDLESS = {
    "hyperplanes": "MemorizingClassifier(hyperplanes='random', min_hyperplanes=64, "
    "max_hyperplanes=10**7, separating_hyperplanes=False)",
    "threads": "MemorizingClassifier(hyperplanes='random', min_hyperplanes=64, "
    "max_hyperplanes=10**7, separating_hyperplanes=False, n_draws=1, n_jobs=2)",
    "draws": "MemorizingClassifier(hyperplanes='random', n_hyperplanes=1000, "
    "n_draws=9000, n_jobs=2)",
    "deep": "DeepThresholdClassifier(max_hyperplanes=10**7)",
    "random ReLU": "RandomReLUClassifier(max_hyperplanes=10**6)",
}


@posix
@pytest.mark.parametrize(
    "name, backend",
    [
        ("draws", "threading"),
        *(
            pytest.param(name, backend, marks=pytest.mark.slow)
            for name, backend in [
                *((name, "threading") for name in ENDLESS if name != "draws"),
                ("draws", "loky"),
            ]
        ),
    ],
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
    rang = []

    def interrupt(signum, frame):
        rang.append(signum)
        raise KeyboardInterrupt

    if sys.gettrace() or Coverage.current():
        pytest.skip("what measures coverage would be interrupted, and wait for itself")
    samples, targets = (
        SAMPLES[:60],
        np.sin(SAMPLES[:60, 0]) if name in REGRESSORS else LABELS[:60],
    )
    new(name).fit(samples, targets)
    start = time.perf_counter()
    expected = joblib.hash(new(name).fit(samples, targets).__getstate__())
    seconds = time.perf_counter() - start
    n_interrupted = 0
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        shares = np.linspace(0.05, 0.9, 8).tolist()
        # More often where fits are so short that they end before they are interrupted.
        for number, share in enumerate(shares + np.geomspace(0.5, 0.01, 40).tolist()):
            if number >= len(shares) and n_interrupted:
                break
            estimator = new(name)
            unfitted = dict(vars(estimator))
            rang.clear()
            try:
                signal.setitimer(signal.ITIMER_REAL, share * seconds)
                estimator.fit(samples, targets)
                signal.setitimer(signal.ITIMER_REAL, 0)
                time.sleep(0)  # an alarm that is on its way arrives here
            except (KeyboardInterrupt, AttributeError, TypeError):
                # scikit-learn, interrupted while it puts its callbacks away, and NumPy,
                # while it compares, raise errors of their own instead.
                assert rang
                n_interrupted += 1
            for attribute in set(vars(estimator)) - set(unfitted):
                if attribute.startswith(("_callback", "_skl_callbacks")):
                    delattr(estimator, attribute)
            if vars(estimator) != unfitted:
                assert joblib.hash(estimator.__getstate__()) == expected
        estimator.fit(samples, targets)
        assert joblib.hash(estimator.__getstate__()) == expected
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert n_interrupted > 0


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


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_workers_that_get_memory_maps_fit_the_same(backend):
    here = MemorizingClassifier(n_draws=3, keep="all", random_state=0).fit(
        SAMPLES, LABELS
    )
    there = clone(here)
    # Everything that workers get is mapped, and read-only.
    with joblib.parallel_config(backend, n_jobs=2, max_nbytes=0, mmap_mode="r"):
        there.fit(SAMPLES, LABELS)
    assert joblib.hash(here.network_) == joblib.hash(there.network_)


def test_what_cannot_finish_stops_at_its_cap_with_advice():
    Z = np.array([[1.0, 0.0], [np.nextafter(1.0, 2.0), 0.0], [5.0, 1.0]])
    for estimator in (
        MemorizingClassifier(
            hyperplanes="random",
            max_hyperplanes=2000,
            separating_hyperplanes=False,
            random_state=0,
        ),
        DeepThresholdClassifier(max_hyperplanes=2000, random_state=0),
        RandomReLUClassifier(max_hyperplanes=200, random_state=0),
    ):
        with pytest.raises(InterpolationError, match="[Ii]ncrease max_hyperplanes"):
            estimator.fit(Z, [0, 1, 0])
        with pytest.raises(NotFittedError):
            estimator.predict(Z)
    for estimator in (SlabClassifier(random_state=0), NearbySetClassifier()):
        assert (estimator.fit(Z, [0, 1, 0]).predict(Z) == [0, 1, 0]).all()
