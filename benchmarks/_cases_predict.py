"""Cases that predict: ours beside the textbook, and beside other classifiers."""

from __future__ import annotations

from copy import copy
from functools import partial

import numpy as np
from _cases_fit import estimator, first_layer_of
from _measure import alternate
from _report import Table
from _samples import digits_of_mnist, some
from _textbook import TextbookNetwork
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from sklearn_memorize import MemorizingClassifier

__all__ = ["classifiers", "default_predict", "mnist_70k_predict", "one_row"]


def as_textbook(model):
    """Return the network of a fitted estimator as dense float32 arrays."""
    covering = model.network_.coverings[0]
    return TextbookNetwork(
        *first_layer_of(model),
        covering.mask_matrix().astype(np.float32),
        covering.bounds.astype(np.float32),
        covering.starts,
    )


def mnist_70k_predict(settings):
    """Predict 10,000 digits with the network of all 70,000."""
    n_samples, n, n_rows = settings.size((70_000, 1000, 10_000), (3000, 256, 500))
    X, y = some(*digits_of_mnist(), n_samples)
    model = estimator(n_hyperplanes=n).fit(X, y)
    rows = X[-n_rows:]
    textbook = as_textbook(model)
    neighbours = KNeighborsClassifier(1, algorithm="brute", n_jobs=-1).fit(X, y)
    contenders, once = {"1-NN, brute force": lambda: neighbours.predict(rows)}, {}
    for rule in ("network", "vote"):
        ours = copy(model).set_params(decision=rule)
        ours.predict(rows[:100])
        contenders[f"ours, {rule}"] = partial(ours.predict, rows)
        contenders[f"textbook, {rule}"] = partial(
            textbook.predict, rows, rule, model.n_votes
        )
        once[f"textbook, {rule}, neuron by neuron"] = partial(
            textbook.predict, rows, rule, model.n_votes, one_by_one=True
        )
    timings = alternate(contenders, settings.repeats) | alternate(once, 1)
    title = f"predict {n_rows:,} digits, network of {n_samples:,} (n = {n})"
    columns = ["who", "seconds", "this / ours, network", "this / ours, vote", "agrees"]
    table = Table(title, columns)
    network, vote = timings["ours, network"].wall, timings["ours, vote"].wall
    for name in sorted(timings):
        timing = timings[name]
        rule = "vote" if "vote" in name else "network"
        agreement = float((timing.result == timings[f"ours, {rule}"].result).mean())
        share = None if "1-NN" in name else f"{agreement:.2%}"
        table.add(name, timing.wall, timing.wall / network, timing.wall / vote, share)
    table.notes.append(
        f"The network has {textbook.n_neurons:,} second-layer neurons. *Neuron by "
        "neuron* (run once) takes a matrix-vector product for each of them, as the fit "
        "does; the other *textbook* is the forward pass of the dense network, a single "
        "matrix product for 1,000 rows at a time. *Agrees* is the share of labels "
        "equal to ours; the textbook's float32 signs are not all exact."
    )
    for rule, seconds, goal in (("network", network, 20), ("vote", vote, 5)):
        for suffix in (", neuron by neuron", ""):
            name = f"textbook, {rule}{suffix}"
            ratio = timings[name].wall / seconds
            table.at_least(f"predict, against {name}", ratio, goal)
        ratio = timings["1-NN, brute force"].wall / seconds
        table.at_least(f"predict ({rule}), against 1-NN", ratio, 20)
    return table


def default_predict(settings):
    """Predict 10,000 digits, each network with default parameters, beside a forest."""
    X, y = digits_of_mnist()
    train, test = slice(0, settings.size(60_000, 2000)), slice(60_000, 70_000)
    models = {
        "random forest": RandomForestClassifier(n_jobs=2, random_state=0),
        "ours, random hyperplanes": MemorizingClassifier(
            hyperplanes="random", n_jobs=2, random_state=0
        ),
        "ours, adapted hyperplanes": MemorizingClassifier(
            hyperplanes="adapted", n_jobs=2, random_state=0
        ),
    }
    for model in models.values():
        model.fit(X[train], y[train])
    timings = alternate(
        {name: partial(model.predict, X[test]) for name, model in models.items()},
        max(settings.repeats, 5),
    )
    columns = ["who", "seconds", "CPU seconds", "this / forest", "test accuracy"]
    table = Table("predict 10,000 digits, default parameters, two jobs", columns)
    forest = timings["random forest"].wall
    for name, timing in timings.items():
        accuracy = f"{_accuracy(timing.result, y[test]):.2%}"
        table.add(name, timing.wall, timing.cpu, timing.wall / forest, accuracy)
    ratio = timings["ours, random hyperplanes"].wall / forest
    table.at_most("random hyperplanes, against the forest", ratio, 1)
    return table


def one_row(settings):
    """Predict single rows of 64 features."""
    X, y = load_digits(return_X_y=True)
    models = {
        "1-NN": KNeighborsClassifier(1),
        "ours, random hyperplanes": MemorizingClassifier(
            hyperplanes="random", random_state=0
        ),
        "ours, adapted hyperplanes": MemorizingClassifier(
            hyperplanes="adapted", random_state=0
        ),
    }
    n_rows = settings.size(500, 20)

    def predict_rows(model):
        for row in X[:n_rows]:
            model.predict(row[np.newaxis])

    contenders = {
        name: partial(predict_rows, model.fit(X, y)) for name, model in models.items()
    }
    timings = alternate(contenders, max(settings.repeats, 5))
    table = Table("predict one row of digits", ["who", "ms a row"])
    for name, timing in timings.items():
        milliseconds = 1000 * timing.wall / n_rows
        table.add(name, milliseconds)
        if name != "1-NN":
            table.at_most(f"{name}, ms", milliseconds, 0.35)
    return table


def _accuracy(predicted, y):
    return float((predicted == y).mean())


def _contestants(settings):
    """Name the classifiers, each with the number of samples that it is given."""
    all_, trees, units = settings.size((60_000, 100, 256), (2000, 10, 16))
    few = min(all_, settings.slow_samples)
    forest = RandomForestClassifier(trees, n_jobs=-1, random_state=0)
    network = MLPClassifier((units,), random_state=0)
    default = MemorizingClassifier(hyperplanes="random", n_jobs=-1, random_state=0)
    return {
        "ours, default": (default, all_),
        "ours, one draw": (estimator(), all_),
        "ours, one draw, network rule": (estimator(decision="network"), all_),
        "1-NN, brute force": (
            KNeighborsClassifier(1, algorithm="brute", n_jobs=-1),
            all_,
        ),
        f"random forest, {trees} trees": (forest, all_),
        "SVC, RBF kernel, C = 10": (SVC(C=10), few),
        f"MLP, {units} hidden units": (network, few),
    }


def classifiers(settings):
    """Time and accuracy of several classifiers on MNIST, 60,000 against 10,000."""
    X, y = digits_of_mnist()
    X = X / np.float32(255)
    train, test = slice(0, 60_000), slice(60_000, settings.size(70_000, 60_500))
    columns = ["who", "samples", "fit, s", "predict, s", "test accuracy"]
    table = Table("classifiers on MNIST", [*columns, "training accuracy"])
    contestants = _contestants(settings)
    sets = {
        name: some(X[train], y[train], n_samples)
        for name, (_, n_samples) in contestants.items()
    }
    models = {name: model for name, (model, _) in contestants.items()}
    models["ours, default"].fit(*some(X[train], y[train], 1000)).predict(X[:100])
    fits = alternate(
        {name: partial(models[name].fit, *sets[name]) for name in models},
        settings.repeats,
    )
    predictions = alternate(
        {name: partial(models[name].predict, X[test]) for name in models},
        settings.repeats,
    )
    for name, model in models.items():
        table.add(
            name,
            len(sets[name][1]),
            fits[name].wall,
            predictions[name].wall,
            f"{_accuracy(predictions[name].result, y[test]):.2%}",
            f"{_accuracy(model.predict(sets[name][0]), sets[name][1]):.3%}",
        )
    table.notes.append(
        f"Pixels are scaled to 0 .. 1. Predicting {test.stop - test.start:,} rows. "
        f"SVC and MLP learn from {len(sets['SVC, RBF kernel, C = 10'][1]):,} samples "
        "(`--slow-samples`); their training accuracy is that on these."
    )
    return table
