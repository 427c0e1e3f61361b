"""Cases that look at one thing: growth, threads, new processes, mapped input."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from _cases_fit import PARAMETERS, added, estimator
from _measure import Timing, alternate, in_child, saved
from _report import Table
from _samples import digits_of_mnist, images, moons, some
from threadpoolctl import threadpool_limits

from sklearn_memorize._estimator._callbacks import SILENT
from sklearn_memorize.constructions.random_hyperplanes._construction import (
    cover_in_random_order,
)

__all__ = [
    "fresh_process",
    "growth_in_classes",
    "growth_in_features",
    "growth_in_hyperplanes",
    "growth_in_samples",
    "mapped_input",
    "two_cores",
]

_MEGA = 1e6
# Stacks, arenas and buffers of the libraries' threads, besides our own blocks.
_LEAST_ALLOWANCE = 400 << 20


def growth_in_samples(settings):
    """Two Moons from 100,000 to ten million samples, n = 400."""
    sizes = settings.size((10**5, 10**6, 10**7), (2000, 20_000, 200_000))
    columns = ["samples", "fit, s", "ns a sample", "peak added, MB"]
    columns += ["peak in total, MB", "neurons", "recalls all"]
    table = Table("Two Moons, n = 400, λ = 1", columns)
    rates = []
    for n_samples in sizes:
        X, y = moons(n_samples)
        with saved(X=X, y=y) as folder:
            report = in_child(
                contender="ours",
                folder=folder,
                parameters={"n_hyperplanes": 400, **PARAMETERS},
                repeats=settings.repeats,
            )
        seconds = Timing(report["seconds"]).wall
        rates.append(seconds / n_samples)
        sizes_in_mega = added(report) / _MEGA, report["peak"] / _MEGA
        facts = report["neurons"], report["interpolates"]
        table.add(n_samples, seconds, 1e9 * rates[-1], *sizes_in_mega, *facts)
    table.at_most(
        f"{sizes[-1]:,} samples, peak in total", report["peak"] / 1e9, 1.5, "GB"
    )
    table.holds(
        f"{sizes[-1]:,} samples, time linear: ≤ 1.5 × that of a sample among "
        f"{sizes[-2]:,}",
        f"{rates[-1] / rates[-2]:.3g} ×",
        rates[-1] <= 1.5 * rates[-2],
    )
    table.notes.append("Each size in a process of its own.")
    return table


def _growth(settings, title, first_column, settings_of_fits):
    """Fit once for each (label, X, y, n), and compare with the bare product."""
    columns = [first_column, "fit, s", "floor, s", "× the floor", "neurons"]
    table = Table(title, columns)
    for label, X, y, n in settings_of_fits:
        model = estimator(n_hyperplanes=n).fit(X, y)
        weights = model.network_.coverings[0].hyperplanes.directions
        contenders = {
            "ours": partial(model.fit, X, y),
            "floor": lambda X=X, weights=weights: (X @ weights.T).shape,
        }
        timings = alternate(contenders, settings.repeats)
        ours, floor = timings["ours"].wall, timings["floor"].wall
        n_neurons = int(model.second_layer_widths_.sum())
        table.add(label, ours, floor, ours / floor, n_neurons)
    return table


def growth_in_hyperplanes(settings):
    """Ten thousand digits, n from 500 to 16,000."""
    n_samples, widths = settings.size(
        (10_000, (500, 1000, 2000, 4000, 8000, 16_000)), (1000, (64, 128, 256))
    )
    X, y = some(*digits_of_mnist(), n_samples)
    title = f"growth in n: MNIST, {n_samples:,} samples, λ = 1"
    return _growth(settings, title, "n", ((n, X, y, n) for n in widths))


def growth_in_classes(settings):
    """The same number of digits, from two classes up to ten."""
    n_samples, n = settings.size((10_000, 1000), (1000, 128))
    X, y = digits_of_mnist()

    def fits():
        for k in (2, 4, 6, 8, 10):
            chosen = y < k
            yield k, *some(X[chosen], y[chosen], n_samples), n

    title = f"growth in classes: MNIST, {n_samples:,} samples, n = {n}, λ = 1"
    return _growth(settings, title, "classes", fits())


def growth_in_features(settings):
    """Digits projected at random to fewer and to more dimensions."""
    n_samples, n, dimensions = settings.size(
        (10_000, 1000, (49, 196, 784, 3136, 12_544)), (1000, 128, (49, 196))
    )
    X, y = some(*digits_of_mnist(), n_samples)

    def fits():
        for d in dimensions:
            rng = np.random.default_rng(0)
            projection = rng.standard_normal((X.shape[1], d), dtype=np.float32)
            yield d, X @ (projection / np.float32(d**0.5)), y, n

    title = f"growth in d: MNIST, {n_samples:,} samples, projected, n = {n}, λ = 1"
    return _growth(settings, title, "d", fits())


def two_cores(settings):
    """The covering stage, and the whole fit, with one thread and with two."""
    n_samples, n = settings.size((70_000, 1000), (3000, 256))
    X, y = some(*digits_of_mnist(), n_samples)
    model = estimator(n_hyperplanes=n).fit(X, y)
    samples = model._read(X, y, None)
    rules = model._rules(len(samples.sizes))
    layer = model.network_.coverings[0].hyperplanes
    codes = samples.encode(layer, rules.activation, rules.n_threads)

    def cover(n_threads):
        rules_for = replace(rules, n_threads=n_threads)
        return cover_in_random_order(samples, codes, rules_for, 0, SILENT)

    def fit(n_threads):
        with threadpool_limits(n_threads):
            return estimator(n_hyperplanes=n, n_jobs=n_threads).fit(X, y)

    contenders = {}
    for k in (1, 2):
        contenders["cover", k], contenders["fit", k] = (
            partial(cover, k),
            partial(fit, k),
        )
    timings = alternate(contenders, settings.repeats)
    columns = ["stage", "one core, s", "two cores, s", "ratio"]
    title = f"two cores against one: MNIST, {n_samples:,} samples, n = {n}, λ = 1"
    table = Table(title, columns)
    stages = (("cover", "covering"), ("fit", "the whole fit"))
    for stage, label in stages:
        one, two = timings[stage, 1].wall, timings[stage, 2].wall
        table.add(label, one, two, one / two)
    ratio = timings["cover", 1].wall / timings["cover", 2].wall
    table.at_least("covering, two cores against one", ratio, 1.6)
    return table


def fresh_process(settings):
    """What a new process waits for: importing, the first fit, the first prediction."""
    reports = [in_fresh_process() for _ in range(max(settings.repeats, 5))]
    columns = ["import beyond scikit-learn", "first fit", "second fit"]
    table = Table("fresh process: digits", [*columns, "first predict", "in all, s"])
    values = {key: Timing([r[key] for r in reports]).wall for key in reports[0]}
    first = values["import"] + values["first fit"] + values["first predict"]
    table.add(
        f"{values['import']:.3f} s",
        *(values[key] for key in ("first fit", "second fit", "first predict")),
        first,
    )
    table.at_most("import, fit and predict, s", first, 0.2)
    ratio = Timing([r["first fit"] / r["second fit"] for r in reports]).wall
    table.at_most("first fit, against the second", ratio, 1.3)
    table.notes.append(
        "All 1,797 digits, default parameters with hyperplanes='random'. Importing "
        "scikit-learn, and the data, come before."
    )
    return table


_FRESH = """
import json, time
import sklearn, sklearn.ensemble, sklearn.neighbors
from sklearn.datasets import load_digits
X, y = load_digits(return_X_y=True)
times = {}
def timed(name, run):
    start = time.perf_counter()
    result = run()
    times[name] = time.perf_counter() - start
    return result
def load():
    global MemorizingClassifier
    from sklearn_memorize import MemorizingClassifier
timed("import", load)
def new():
    return MemorizingClassifier(hyperplanes="random", random_state=0)
model = timed("first fit", lambda: new().fit(X, y))
timed("first predict", lambda: model.predict(X))
timed("second fit", lambda: new().fit(X, y))
print(json.dumps(times))
"""


def in_fresh_process():
    """Return the seconds of the steps of `_FRESH`, run by a new interpreter."""
    command = [sys.executable, "-c", _FRESH]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def mapped_input(settings):
    """A file larger than the memory that the process may take."""
    n_samples, n = settings.size((600_000, 1000), (5000, 256))
    with tempfile.TemporaryDirectory(prefix="side-by-side-") as folder:
        X = np.lib.format.open_memmap(
            Path(folder, "X.npy"), mode="w+", dtype=np.float32, shape=(n_samples, 784)
        )
        _, y = images(n_samples, channels=1, side=28, strength=2.0, out=X)
        np.save(Path(folder, "y.npy"), y)
        size = X.nbytes
        del X
        allowance = max(size // 4, _LEAST_ALLOWANCE)
        report = in_child(
            watch_anonymous=True,
            contender="ours",
            folder=folder,
            mapped=True,
            allowance=allowance,
            parameters={"n_hyperplanes": n, **PARAMETERS},
        )
    title = f"numpy.memmap: synthetic images, {n_samples:,} × 784, n = {n}, λ = 1"
    columns = ["input file, MB", "allowed beyond the interpreter, MB"]
    columns += ["peak of own memory, MB", "codes, MB", "fit, s", "neurons"]
    table = Table(title, [*columns, "recalls all"])
    codes = n_samples * -(-n // 64) * 8
    amounts = [size, allowance, report["anonymous"], codes]
    facts = report["neurons"], report["interpolates"]
    in_mega = [amount / _MEGA for amount in amounts]
    table.add(*in_mega, report["seconds"][0], *facts)
    table.holds(
        "fits in less memory than the input takes",
        f"{allowance / _MEGA:,.0f} of {size / _MEGA:,.0f} MB",
        report["interpolates"] and allowance < size,
    )
    table.notes.append(
        "The limit (RLIMIT_DATA) is set when all libraries are loaded; pages of the "
        "mapped file do not count. The peak of own memory is the interpreter's and the "
        "libraries' included. Run once."
    )
    return table
