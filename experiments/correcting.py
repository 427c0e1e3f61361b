"""What correcting the known errors of a model does to its other answers.

    python experiments/correcting.py             # models, data sets: the table
    python experiments/correcting.py --only MNIST       # one data set anew
    python experiments/correcting.py --table     # the table, of what was measured
    python experiments/correcting.py --batches   # 100 batches of cases, on MNIST

Each model is fitted to one half of the samples. Known cases are this half ("fitted") or
also half of the others, as they would come in from use ("later"); it is tested on the
rest. Writes `measured/correcting.csv` or `measured/correcting_batches.csv`, and prints
the table of the user guide.
"""

import argparse
import csv
import time
import warnings
from pathlib import Path

import numpy as np
from _mnist import load_digits as load_mnist
from separating import mixed_table
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_memorize.applications import MemorizingCorrector

MEASURED = Path(__file__).parent / "measured"
NOISE = 0.1
N_MNIST = 20_000
FIELDS = (
    "data",
    "model",
    "known",
    "noise",
    "n_draws",
    "seed",
    "n_known",
    "n_errors",
    "known_before",
    "known_after",
    "test_before",
    "test_after",
    "changed",
    "seconds_model",
    "seconds_corrector",
    "neurons",
)


def data_sets():
    yield "digits", *load_digits(return_X_y=True)
    yield "breast cancer", *load_breast_cancer(return_X_y=True)
    yield "mixed columns", *mixed_table(2000)
    X, y = load_mnist()
    yield "MNIST", X[:N_MNIST].astype(np.float32), y[:N_MNIST]


def models():
    scaled = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
    return {
        "logistic regression": LogisticRegression(max_iter=30),
        "forest": RandomForestClassifier(max_depth=8, random_state=0),
        "gradient boosting": HistGradientBoostingClassifier(
            max_iter=20, max_leaf_nodes=8, random_state=0
        ),
        "MLP": make_pipeline(
            StandardScaler(),
            MLPClassifier((32,), early_stopping=True, max_iter=30, random_state=0),
        ),
        "pipeline": scaled,
    }


def with_wrong_labels(y, share, seed):
    rng = np.random.default_rng(seed)
    labels = np.unique(y)
    wrong = rng.random(len(y)) < share
    other = (np.searchsorted(labels, y) + rng.integers(1, len(labels), len(y))) % len(
        labels
    )
    return np.where(wrong, labels[other], y)


def measure(name, X, y, seed, draws):
    """Yield the rows of the table for one data set."""
    fit, rest = train_test_split(
        np.arange(len(y)), test_size=0.5, random_state=seed, stratify=y
    )
    later, last = train_test_split(rest, test_size=0.5, random_state=seed)
    for noise in (0.0, NOISE):
        labels = with_wrong_labels(y, noise, seed)
        for model_name, unfitted in models().items():
            start = time.perf_counter()
            model = clone(unfitted).fit(X[fit], labels[fit])
            seconds_model = time.perf_counter() - start
            for known, cases, test in (
                ("fitted", fit, rest),
                ("later", np.concatenate((fit, later)), last),
            ):
                before = model.predict(X[test])
                known_before = model.score(X[cases], labels[cases])
                for n_draws in draws:
                    patched = MemorizingCorrector(
                        FrozenEstimator(model), n_draws=n_draws, random_state=seed
                    )
                    start = time.perf_counter()
                    patched.fit(X[cases], labels[cases])
                    seconds = time.perf_counter() - start
                    after = patched.predict(X[test])
                    yield dict(
                        zip(
                            FIELDS,
                            (
                                *(name, model_name, known, noise, n_draws, seed),
                                *(len(cases), patched.n_errors_, known_before),
                                patched.score(X[cases], labels[cases]),
                                np.mean(before == y[test]),
                                np.mean(after == y[test]),
                                np.mean(after != before),
                                *(seconds_model, seconds),
                                patched.network_.widths[1],
                            ),
                            strict=True,
                        )
                    )


def write(path, fields, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, fields, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            short = {
                key: f"{value:.5g}" if isinstance(value, float) else value
                for key, value in row.items()
            }
            writer.writerow(short)


def report(rows):
    """Print a row for each setting: points gained, and answers changed, in percent.

    First of the data sets whose labels are clean, then of the one with mixed columns,
    in which the labels are a matter of chance for a third of the rows.
    """
    for is_mixed in (False, True):
        some = [row for row in rows if (row["data"] == "mixed columns") == is_mixed]
        print("\nmixed columns:\n" if is_mixed else "\nclean data:\n")
        table(some)
    print("all known cases right:", all(row["known_after"] == 1.0 for row in rows))


def table(rows):
    """Print a list-table."""
    print(".. list-table::\n   :header-rows: 1\n   :widths: auto\n")
    head = "known cases", "wrong labels", "draws", "mean change", "worst change"
    head = (*head, "answers changed", "of these gained", "time / fit of the model")
    line(*head)
    for known in ("fitted", "later"):
        for noise in (0.0, NOISE):
            for n_draws in sorted({int(row["n_draws"]) for row in rows}):
                some = [
                    row
                    for row in rows
                    if (row["known"], row["noise"], row["n_draws"])
                    == (known, noise, n_draws)
                ]
                gains = [row["test_after"] - row["test_before"] for row in some]
                changed = np.mean([row["changed"] for row in some])
                ratio = [
                    row["seconds_corrector"] / row["seconds_model"] for row in some
                ]
                line(
                    known,
                    f"{noise:.0%}",
                    n_draws,
                    f"{100 * np.mean(gains):+.2f}",
                    f"{100 * np.min(gains):+.2f}",
                    f"{100 * changed:.2f} %",
                    f"{np.mean(gains) / max(changed, 1e-12):+.0%}",
                    f"{np.median(ratio):.2g}",
                )


def line(*cells):
    for number, cell in enumerate(cells):
        print(f"   {'*' if number == 0 else ' '} - {cell}")


def batches(n_batches=100):
    """Yield the time of each of many calls of `correct`, and what it led to."""
    X, y = load_mnist()
    X, y = X[:N_MNIST].astype(np.float32), y[:N_MNIST]
    model = RandomForestClassifier(max_depth=8, random_state=0).fit(X[:2000], y[:2000])
    patched = MemorizingCorrector(FrozenEstimator(model), random_state=0)
    for number, batch in enumerate(np.array_split(np.arange(N_MNIST), n_batches)):
        start = time.process_time()
        patched.correct(X[batch], y[batch])
        seconds = time.process_time() - start
        known = batch[-1] + 1
        right = patched.score(X[:known], y[:known])
        row = {"batch": number + 1, "known": known, "n_errors": patched.n_errors_}
        yield {
            **row,
            "known_right": right,
            "neurons": patched.network_.widths[1],
            "seconds": seconds,
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--batches", action="store_true")
    parser.add_argument("--only", help="one data set")
    parser.add_argument("--draws", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    MEASURED.mkdir(exist_ok=True)
    if options.batches:
        rows = []
        for row in batches():
            rows.append(row)
            if row["batch"] % 10 == 0:
                print(row, flush=True)
        write(MEASURED / "correcting_batches.csv", rows[0], rows)
        return
    path = MEASURED / "correcting.csv"
    for name, X, y in () if options.table else data_sets():
        if options.only in (None, name):
            rows = [
                row
                for row in read(path)
                if row["data"] != name or row["n_draws"] not in options.draws
            ]
            for seed in range(1 if name == "MNIST" else 3):
                rows += measure(name, X, y, seed, options.draws)
            write(path, FIELDS, rows)
            print(name, "is done", flush=True)
    report(read(path))


def read(path):
    """Return the rows that were written, with numbers where there are some."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    texts = ("data", "model", "known")
    return [
        {key: text if key in texts else float(text) for key, text in row.items()}
        for row in rows
    ]


if __name__ == "__main__":
    main()
