"""Fit every construction on the same data, and say how large, how fast, how good.

Writes a row for each data set and construction to `constructions.csv`, which the
documentation shows, and all of them to `constructions.md`, both next to this file:

    python benchmarks/constructions.py [--case NAME ...] [--missing]

A case is a data set (`digits`, `mnist-10k`, `mnist-60k`, `random-2k`, `random-10k`) or
one of its rows (`digits/SlabClassifier`); `--list` names them. Rows are written as soon
as they are measured and replace those of the same name; `--missing` leaves out the rows
that are there. MNIST is read from $SKLEARN_MEMORIZE_DATA/data/mnist (by default
../shared). All rows take about 15 minutes on one idle core.
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from functools import cache
from pathlib import Path

import numpy as np
from _measure import machine
from _samples import digits_of_mnist
from sklearn.base import clone, is_regressor
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits

from sklearn_memorize.constructions import all_estimators
from sklearn_memorize.exceptions import InterpolationError
from sklearn_memorize.inspection._capacity import bits_per_parameter

HERE = Path(__file__).resolve().parent
TABLE = HERE / "constructions.csv"
COLUMNS = (
    "data",
    "construction",
    "training",
    "test",
    "depth",
    "widths",
    "parameters",
    "bits per weight",
    "fit seconds",
    "predict seconds",
)
NONE = "–"
# Deeper networks are shown by their first two layers and their last one.
WIDTHS_SHOWN = 4
WARM_UP_SAMPLES = 200


@cache
def digits():
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=1 / 3, random_state=0)
    return X, y, X_test, y_test


@cache
def mnist_10k():
    X, y = digits_of_mnist()
    y = y.astype(int)
    return X[:10_000], y[:10_000], X[60_000:], y[60_000:]


@cache
def mnist_60k():
    X, y = digits_of_mnist()
    y = y.astype(int)
    return X[:60_000], y[:60_000], X[60_000:], y[60_000:]


def random_labels(n_samples, n_features=20, n_classes=10):
    """Make samples whose labels mean nothing, and as many new ones without labels."""
    rng = np.random.default_rng(0)
    X, X_test = rng.standard_normal((2, n_samples, n_features))
    return X, rng.integers(n_classes, size=n_samples), X_test, None


DATA = {
    "digits": digits,
    "mnist-10k": mnist_10k,
    "mnist-60k": mnist_60k,
    "random-2k": cache(lambda: random_labels(2_000)),
    "random-10k": cache(lambda: random_labels(10_000)),
}
# Beside each estimator as it comes: rows with other parameters, or other data.
VARIANTS = {
    "MemorizingClassifier": {
        "n_draws=1": {"n_draws": 1},
        "activation=relu": {"activation": "relu"},
    },
    "SmallReLURegressor": {"float32 samples": {}},
    "RandomReLUClassifier": {"maximum_margin=False": {"maximum_margin": False}},
}


def constructions():
    """Return what is measured, by the name of its row."""
    found = {}
    for kind in all_estimators():
        if not hasattr(kind, "predict"):
            continue
        seed = {"random_state": 0} if "random_state" in kind().get_params() else {}
        found[kind.__name__] = kind(**seed)
        for variant, parameters in VARIANTS.get(kind.__name__, {}).items():
            found[f"{kind.__name__}, {variant}"] = kind(**seed, **parameters)
    return found | {"1 nearest neighbour": KNeighborsClassifier(n_neighbors=1)}


CONSTRUCTIONS = constructions()
# What is not measured, and why.
LEFT_OUT = {
    "random-2k/RandomReLUClassifier": "a margin means nothing for random labels",
    "random-10k/RandomReLUClassifier": "a margin means nothing for random labels",
    "digits/SmallReLURegressor, float32 samples": "pixels are the same in float32",
    "mnist-10k/SmallReLURegressor, float32 samples": "pixels are the same in float32",
    "mnist-60k/SmallReLURegressor, float32 samples": "pixels are the same in float32",
}
CASES = [
    f"{data}/{construction}"
    for data in DATA
    for construction in CONSTRUCTIONS
    if f"{data}/{construction}" not in LEFT_OUT
]


def measure(case):
    """Return the row of the table."""
    data, construction = case.split("/")
    estimator = CONSTRUCTIONS[construction]
    X, y, X_test, y_test = DATA[data]()
    if construction.endswith("float32 samples"):
        X, X_test = X.astype(np.float32), X_test.astype(np.float32)
    if is_regressor(estimator) and y_test is None:
        y = np.random.default_rng(1).uniform(-1, 1, size=len(y))
    row = dict.fromkeys(COLUMNS, NONE) | {"data": data, "construction": construction}
    # Compile what is compiled on first use.
    clone(estimator).fit(X[:WARM_UP_SAMPLES], y[:WARM_UP_SAMPLES]).predict(X_test[:10])
    try:
        with threadpool_limits(1):
            fit_seconds, model = cpu_seconds(lambda: clone(estimator).fit(X, y))
            predict_seconds, answers = cpu_seconds(lambda: model.predict(X_test))
    except InterpolationError as error:
        return row | {"training": f"refused: {error}"}
    row |= {
        "training": recall(model, X, y),
        "test": quality(model, answers, y_test),
        "fit seconds": seconds(fit_seconds),
        "predict seconds": seconds(predict_seconds),
    }
    return row | sizes(getattr(model, "network_", None))


def cpu_seconds(run):
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def seconds(duration):
    return f"{duration:.3f}" if duration < 1 else f"{duration:.1f}"


def recall(model, X, y):
    """Return the accuracy on the training set, or a regressor's largest error."""
    answers = model.predict(X)
    if is_regressor(model):
        return f"error {np.abs(answers - y).max() / np.ptp(y):.2g}"
    return fraction((answers == y).mean())


def quality(model, answers, y_test):
    """Return the accuracy, or a regressor's share of numbers that round to `y_test`."""
    if y_test is None:
        return NONE
    return fraction((np.rint(answers) == y_test).mean())


def fraction(share):
    """Return four digits, but never round up to 1."""
    return "1" if share == 1 else f"{np.floor(1e4 * share) / 1e4:.4f}"


def sizes(network):
    if network is None:
        return {}
    widths = [f"{width:,}" for width in network.widths]
    if len(widths) > WIDTHS_SHOWN:
        widths = [*widths[:2], "...", f"{widths[-1]} ({network.n_neurons:,} in all)"]
    bits = bits_per_parameter(network)
    return {
        "depth": str(network.depth),
        "widths": " - ".join(widths),
        "parameters": f"{network.n_parameters:,}",
        "bits per weight": f"{bits:.1f}",
    }


def read_table():
    """Return the known rows by their case."""
    if not TABLE.exists():
        return {}
    with TABLE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {f"{row['data']}/{row['construction']}": row for row in rows}


def write_table(known):
    rows = [known[case] for case in CASES if case in known]
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    lines = [COLUMNS, ["---"] * len(COLUMNS), *(row.values() for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    facts = ", ".join(f"{name} {value}" for name, value in machine().items())
    missing = [f"- {case}: {reason}." for case, reason in LEFT_OUT.items()]
    missing += [f"- {case}: not run yet." for case in CASES if case not in known]
    text = "\n".join(
        [HEADER, table, "", f"Last run: {facts}.", "", "Not measured:", "", *missing]
    )
    (HERE / "constructions.md").write_text(text + "\n", encoding="utf-8")


HEADER = """# Every construction on the same data

Written by `python benchmarks/constructions.py`.

- digits: 2/3 of the samples to fit, 1/3 to test. mnist-10k: the first 10,000 training
  images, and the 10,000 test images. mnist-60k: all training images. random-2k,
  random-10k: 2,000 and 10,000 normally distributed samples in 20 dimensions with 10
  random classes; as many new samples are predicted, for which no answer is right.
- training: accuracy on the training set. For the regressor the largest error in units
  of the range of the targets; these are the digits as numbers, or random numbers.
- test: accuracy on the test set. For the regressor the share of answers that round to
  the digit.
- widths: neurons in each layer. parameters: nonzero weights and biases. bits per
  weight: the mean number of bits of these, where those of a layer share one integer or
  floating point format.
- seconds: of processor time on one thread, close to what the clock shows on an idle
  core. Fitting includes the certificate that every training sample is recalled.
"""


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--case", action="append", help="a data set or a row; may be repeated; else all"
    )
    parser.add_argument("--missing", action="store_true", help="only rows not measured")
    parser.add_argument("--list", action="store_true", help="name the rows, and stop")
    arguments = parser.parse_args()
    chosen = [
        case
        for case in CASES
        if arguments.case is None
        or case in arguments.case
        or case.split("/")[0] in arguments.case
    ]
    if not chosen:
        parser.error(f"no such case: {', '.join(arguments.case)}; see --list")
    return arguments, chosen


def main():
    arguments, chosen = parse_arguments()
    if arguments.list:
        print(*chosen, sep="\n")
        return
    warnings.simplefilter("error")
    for case in chosen:
        if arguments.missing and case in read_table():
            continue
        row = measure(case)
        print(" | ".join(row.values()), flush=True)
        write_table(read_table() | {case: row})
    write_table(read_table())


if __name__ == "__main__":
    main()
