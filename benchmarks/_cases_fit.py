"""Cases that fit: ours beside the textbook and the bare matrix product."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import partial

import numpy as np
from _measure import Timing, alternate, in_child, saved
from _report import Table
from _samples import digits_of_mnist, images, moons, some
from _textbook import first_layer, fit_textbook

from sklearn_memorize import MemorizingClassifier, kernels

__all__ = [
    "PARAMETERS",
    "added",
    "drawing_orders",
    "estimator",
    "first_layer_of",
    "mnist_10k",
    "mnist_1_vs_9",
    "mnist_70k",
    "moons_1m",
    "wide",
    "earlier_version",
    "instruction_sets",
    "numpy_kernels",
]

COLUMNS = [
    "who",
    "seconds",
    "CPU seconds",
    "× the floor",
    "textbook / this",
    "peak added, MB",
    "peak in total, MB",
    "neurons",
    "recalls all",
]
# The textbook's peak is reached with the first neurons: its child stops after these.
_NEURONS_FOR_PEAK = 20
_MEGA = 1e6
# What all fits here have in common: one first layer, as the textbook has.
PARAMETERS = {"hyperplanes": "random", "n_draws": 1, "n_jobs": -1, "random_state": 0}


def estimator(**parameters):
    return MemorizingClassifier(**{**PARAMETERS, **parameters})


def first_layer_of(model):
    """Return weights and biases in float32, as the textbook holds them."""
    hyperplanes = model.network_.coverings[0].hyperplanes
    return hyperplanes.directions, hyperplanes.biases.astype(np.float32)


def drawing_orders(model, y):
    """Return the classes that are memorized, and the order of drawing in each.

    The samples that our fit drew come first, in its order; it skipped the others.
    """
    ends = np.cumsum(model.second_layer_widths_)
    drawn = np.split(model.sample_indices_, ends[:-1])
    orders = []
    for number, centers in enumerate(drawn):
        if model.one_sided and number == 0:
            continue
        rest = np.setdiff1d(np.flatnonzero(y == number), centers)
        rest = np.random.default_rng(number).permutation(rest)
        orders.append((number, np.concatenate((centers, rest))))
    return orders


def compare_fits(settings, title, X, y, limit=None, **parameters):
    """Time floor, textbook and ours; return the table, the timings and the peaks.

    With a `limit` the textbook stops after as many neurons of each class, and its time
    for all of them is extrapolated.
    """
    model = estimator(**parameters).fit(X, y)
    weights, biases = first_layer_of(model)
    orders = drawing_orders(model, y)
    contenders = {
        "floor": lambda: (X @ weights.T).shape,
        "ours": partial(estimator(**parameters).fit, X, y),
        "textbook": partial(fit_textbook, X, y, weights, biases, orders, limit),
    }
    if limit is not None:
        contenders["first layer"] = partial(_only_shape, X, weights, biases)
    timings = alternate(contenders, settings.repeats)
    model = timings["ours"].result
    n_neurons = timings["textbook"].result.n_neurons
    if limit is not None:
        share = int(model.second_layer_widths_.sum()) / n_neurons
        timings["textbook"] = _extrapolate(timings, share)
    peaks = measure_peaks(X, y, weights, biases, orders, parameters)
    table = Table(title, COLUMNS)
    floor, textbook = timings["floor"].wall, timings["textbook"].wall
    counts = {"textbook": n_neurons, "ours": int(model.second_layer_widths_.sum())}
    for name in ("floor", "textbook", "ours"):
        timing, peak = timings[name], peaks.get(name)
        table.add(
            name,
            timing.wall,
            timing.cpu,
            timing.wall / floor,
            textbook / timing.wall,
            added(peak) / _MEGA if peak else None,
            peak["peak"] / _MEGA if peak else None,
            counts.get(name),
            bool(model.interpolates_) if name == "ours" else None,
        )
    if limit is not None:
        table.notes.append(
            f"The time of the textbook is extrapolated from {n_neurons:,} neurons to "
            f"the {counts['ours']:,} of ours, which has the same first layer."
        )
    return table, timings, peaks


def _only_shape(X, weights, biases):
    return first_layer(X, weights, biases).shape


def _extrapolate(timings, share):
    def whole(part, fixed):
        return [fixed + share * max(seconds - fixed, 0) for seconds in part]

    part, fixed = timings["textbook"], timings["first layer"]
    return Timing(whole(part.walls, fixed.wall), whole(part.cpus, fixed.cpu))


@contextmanager
def shared_with_children(X, y, weights, biases, orders):
    """Save what the textbook and ours need to fit in a process of their own."""
    names = {f"order{number}": order for number, order in orders}
    with saved(X=X, y=y, weights=weights, biases=biases, **names) as folder:
        yield folder


def measure_peaks(X, y, weights, biases, orders, parameters):
    parameters = {**PARAMETERS, **parameters}
    with shared_with_children(X, y, weights, biases, orders) as folder:
        job = {"folder": folder, "parameters": parameters}
        return {
            "textbook": in_child(contender="textbook", limit=_NEURONS_FOR_PEAK, **job),
            "ours": in_child(contender="ours", **job),
        }


def added(peak):
    return peak["peak"] - peak["before"]


def _ratio(timings, slow, fast="ours"):
    return timings[slow].wall / timings[fast].wall


def mnist_70k(settings):
    """MNIST, all digits, n = 1000: the size of the paper's largest runs."""
    n_samples, n = settings.size((70_000, 1000), (3000, 256))
    X, y = some(*digits_of_mnist(), n_samples)
    title = f"MNIST, {n_samples:,} samples, ten classes, n = {n}, λ = 1"
    table, timings, _ = compare_fits(settings, title, X, y, n_hyperplanes=n)
    table.at_least("fit, against the textbook", _ratio(timings, "textbook"), 100)
    table.at_most("fit, against the floor", _ratio(timings, "ours", "floor"), 2)
    return table


def mnist_10k(settings):
    """Ten thousand digits, n = 2000."""
    n_samples, n = settings.size((10_000, 2000), (2000, 256))
    X, y = some(*digits_of_mnist(), n_samples)
    title = f"MNIST, {n_samples:,} samples, ten classes, n = {n}, λ = 1"
    table, timings, _ = compare_fits(settings, title, X, y, n_hyperplanes=n)
    table.at_least("fit, against the textbook", _ratio(timings, "textbook"), 22)
    return table


def mnist_1_vs_9(settings):
    """One digit memorized against another, n = 5000."""
    n_samples, n = settings.size((70_000, 5000), (2000, 512))
    X, y = digits_of_mnist()
    chosen = (y == 1) | (y == 9)
    X, y = some(X[chosen], (y[chosen] == 1).astype(np.intp), n_samples)
    title = f"MNIST, 1 against 9, {len(y):,} samples, one-sided, n = {n}, λ = 0.5"
    table, timings, _ = compare_fits(
        settings, title, X, y, n_hyperplanes=n, max_bias=0.5, one_sided=True
    )
    table.at_most("fit, against the floor", _ratio(timings, "ours", "floor"), 1.5)
    return table


def moons_1m(settings):
    """A million points in the plane, n = 1000."""
    n_samples, n = settings.size((1_000_000, 1000), (20_000, 256))
    X, y = moons(n_samples)
    title = f"Two Moons, {n_samples:,} samples, two classes, n = {n}, λ = 1"
    table, timings, peaks = compare_fits(settings, title, X, y, n_hyperplanes=n)
    table.at_least("fit, against the textbook", _ratio(timings, "textbook"), 10)
    share = added(peaks["ours"]) / added(peaks["textbook"])
    table.at_most("peak memory added, against the textbook", share, 1 / 8)
    share = peaks["ours"]["peak"] / peaks["textbook"]["peak"]
    table.at_most("peak memory in total, against the textbook", share, 1 / 8)
    return table


def wide(settings):
    """Wide data, of the size and difficulty of the paper's CIFAR-10 runs."""
    n_samples, side, n = settings.size((60_000, 32, 2500), (1000, 16, 256))
    X, y = images(n_samples, channels=3, side=side, strength=0.15)
    d = X.shape[1]
    title = f"Synthetic images, {n_samples:,} × {d:,}, ten classes, n = {n}, λ = 1"
    table, *_ = compare_fits(settings, title, X, y, limit=20, n_hyperplanes=n)
    table.notes.append(
        "Made about as hard as CIFAR-10, for which the paper's authors published "
        "52,641 neurons and 5,649 CPU seconds on their machine (60,000 × 3,072, "
        "n = 2500, λ = 1)."
    )
    return table


def numpy_kernels(settings):
    """The specification of the kernels, which runs where no compiler was at hand."""
    n_samples, n = settings.size((10_000, 2000), (1000, 256))
    X, y = some(*digits_of_mnist(), n_samples)
    model = estimator(n_hyperplanes=n).fit(X, y)
    weights, biases = first_layer_of(model)
    orders = drawing_orders(model, y)
    run = partial(fit_textbook, X, y, weights, biases, orders)
    textbook = alternate({"textbook": run}, settings.repeats)["textbook"]
    with saved(X=X, y=y) as folder:
        report = in_child(
            environment={"SKLEARN_MEMORIZE_KERNELS": "numpy"},
            contender="ours",
            folder=folder,
            parameters={"n_hyperplanes": n, **PARAMETERS},
            repeats=settings.repeats,
        )
    ours = Timing(report["seconds"])
    title = f"kernels in NumPy: MNIST, {n_samples:,} samples, n = {n}, λ = 1"
    table = Table(title, ["who", "seconds", "textbook / this", "neurons"])
    table.add("textbook", textbook.wall, 1.0, textbook.result.n_neurons)
    table.add("ours", ours.wall, textbook.wall / ours.wall, report["neurons"])
    table.at_least("fit, against the textbook", textbook.wall / ours.wall, 3)
    return table


def instruction_sets(settings):
    """The kernels in C for each instruction set of the processor."""
    n_samples, n = settings.size((10_000, 2000), (1000, 256))
    X, y = some(*digits_of_mnist(), n_samples)
    names = kernels.backends()[1:]

    def fit(name):
        with kernels.use_backend(name):
            model = estimator(n_hyperplanes=n).set_params(n_jobs=None).fit(X, y)
            return model.decision_function(X).tobytes()

    fits = {name: partial(fit, name) for name in names}
    timings = alternate(fits, settings.repeats)
    title = f"instruction sets: MNIST, {n_samples:,} samples, n = {n}, one thread"
    table = Table(title, ["who", "CPU seconds", "× the fastest"])
    fastest = timings[names[-1]].cpu
    for name in names:
        table.add(name, timings[name].cpu, timings[name].cpu / fastest)
    table.holds(
        "the scores have the same bytes",
        f"{len(names)} instruction sets",
        len({timings[name].result for name in names}) == 1,
    )
    for name, most in (("avx2", 2), ("baseline", 5)):
        if name in names and names[-1].startswith("avx512"):
            ratio = timings[name].cpu / fastest
            table.at_most(f"{name}, against {names[-1]}", ratio, most)
    table.notes.append("A fit, and the scores of the training set.")
    return table


def earlier_version(settings):
    """The same fits by another version of this library, in another environment."""
    if settings.earlier is None:
        raise ValueError("name the interpreter of the other version: --earlier PYTHON")
    X, y = digits_of_mnist()
    is_1_or_9 = (y == 1) | (y == 9)
    cases = {
        "MNIST, 70,000, n = 1000": (X, y, {"n_hyperplanes": 1000}),
        "MNIST, 10,000, n = 2000": (*some(X, y, 10_000), {"n_hyperplanes": 2000}),
        "MNIST, 1 against 9, one-sided, n = 5000": (
            X[is_1_or_9],
            (y[is_1_or_9] == 1).astype(np.intp),
            {"n_hyperplanes": 5000, "max_bias": 0.5, "one_sided": True},
        ),
        "Two Moons, 1,000,000, n = 1000": (*moons(1_000_000), {"n_hyperplanes": 1000}),
    }
    columns = [
        "fit",
        "earlier, s",
        "now, s",
        "earlier / now",
        "neurons, earlier and now",
    ]
    table = Table("this version beside an earlier one", columns)
    for what, (rows, labels, parameters) in cases.items():
        rows, labels = some(rows, labels, settings.size(len(labels), 1000))
        common = {"n_draws": 1, "n_jobs": -1, "random_state": 0, **parameters}
        jobs = {
            settings.earlier: {"parameters": common},
            sys.executable: {"parameters": {"hyperplanes": "random", **common}},
        }
        seconds = {python: [] for python in jobs}
        with saved(X=rows, y=labels) as folder:
            for _ in range(settings.repeats):
                for python, job in jobs.items():
                    report = in_child(
                        python=python, contender="ours", folder=folder, repeats=2, **job
                    )
                    seconds[python].append(min(report["seconds"]))
                    job["neurons"] = report["neurons"]
        earlier, now = (Timing(seconds[python]).wall for python in jobs)
        neurons = " and ".join(f"{job['neurons']:,}" for job in jobs.values())
        table.add(what, earlier, now, earlier / now, neurons)
        table.at_least(f"{what}: earlier / now", earlier / now, 1)
    table.notes.append(
        "Each fit in a fresh process that has fitted some samples before, the better "
        "of two; medians of these. The earlier version is the one whose kernels were "
        "compiled by numba."
    )
    return table
