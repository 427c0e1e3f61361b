"""What `predict_proba` promises, on many rows, and what it costs.

    python benchmarks/probabilities.py [--rows 1000000] [--parts promises costs fits]

Promises, for every classifier: the first of the largest probabilities of a row is that
of the class that `predict` returns; rows sum to one; and a row gets the same bytes
alone, in another batch, and in single precision. The rows are generated: training
samples, neighbours of theirs, points between two classes, points of a coarse grid (full
of ties), and points far away.

Costs: the time of `predict_proba` by that of `predict`; the smallest of several
repeats, of processor time, where the two take turns.

Leaving samples out: the time of a default fit by that of one with `n_votes=3`, which
leaves none out and calibrates nothing.

All tables go to `probabilities.md`, next to this file; lines of earlier runs stay
where they are not measured again.
"""

from __future__ import annotations

import argparse
import platform
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.base import is_classifier
from sklearn.datasets import load_breast_cancer, load_digits, make_blobs, make_moons
from sklearn.preprocessing import StandardScaler

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.constructions import all_estimators

HERE = Path(__file__).resolve().parent
CHUNK = 50_000
# Of each chunk so many rows are asked for alone; one of ten in other batches.
ALONE, AGAIN = 20, 10
SETTINGS = {
    "random": {"hyperplanes": "random"},
    "relu": {"activation": "relu"},
    "network": {"decision": "network"},
    "one_sided": {"one_sided": True},
    "one draw, greedy": {"n_draws": 1, "covering": "greedy"},
}


def classifiers():
    """Return every classifier by name; MemorizingClassifier in several settings."""
    kinds = [kind for kind in all_estimators() if is_classifier(kind())]
    found = {kind.__name__: kind() for kind in kinds}
    for name, settings in SETTINGS.items():
        found[f"MemorizingClassifier, {name}"] = MemorizingClassifier(**settings)
    for model in found.values():
        if "random_state" in model.get_params():
            model.set_params(random_state=0)
    return found


def generated(rng, X, n):
    """Return rows of each kind, in random order; single precision holds them."""
    one, other = X[rng.integers(0, len(X), (2, n))]
    spread = X.std(axis=0)
    kinds = [
        one,
        one + 1e-3 * spread * rng.standard_normal(X.shape)[rng.integers(0, len(X), n)],
        one + rng.random((n, 1)) * (other - one),
        np.rint(2 * one),
        one * 10.0 ** rng.integers(-6, 7, (n, 1)),
    ]
    rows = np.choose(rng.integers(0, len(kinds), n)[:, np.newaxis], kinds)
    return rows.astype(np.float32).astype(np.float64)


def broken_promises(model, rows, rng):
    """Count rows for which something is not as it should be, promise by promise."""
    probabilities = model.predict_proba(rows)
    numbers = np.searchsorted(model.classes_, model.predict(rows))
    led = probabilities.argmax(axis=1)
    alone = rng.integers(0, len(rows), ALONE)
    single = [model.predict_proba(rows[[row]])[0] for row in alone]
    # Other batches: some of the rows, in another order, cut in other places.
    some = rng.permutation(len(rows))[: len(rows) // AGAIN]
    parts = np.array_split(some, 5)
    batches = [model.predict_proba(rows[part]) for part in parts if len(part)]
    logarithms = model.predict_log_proba(rows[some])
    in_single_precision = model.predict_proba(rows[some].astype(np.float32))
    return {
        "led by another class": (led != numbers).sum(),
        "sum not one": (np.abs(probabilities.sum(axis=1) - 1) > 1e-12).sum(),
        "not positive": (probabilities <= 0).any(axis=1).sum(),
        "logarithm not finite": (~np.isfinite(logarithms)).any(axis=1).sum(),
        "other bytes alone": differing(single, probabilities[alone]),
        "other bytes in another batch": differing(
            np.concatenate(batches), probabilities[some]
        ),
        "other bytes in single precision": differing(
            in_single_precision, probabilities[some]
        ),
    }


def differing(one, other):
    """Return the number of rows that differ in some bit."""
    one, other = np.asarray(one).view(np.uint64), np.asarray(other).view(np.uint64)
    return (one != other).any(axis=1).sum()


def promises(n_rows, only=None):
    """Yield a line of the table for each classifier."""
    X, y = make_blobs(300, 6, centers=4, cluster_std=4.0, random_state=0)
    for name, model in classifiers().items():
        if only and name not in only:
            continue
        start = time.process_time()
        labels = y % 2 if model.get_params().get("one_sided") else y
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, labels)
        rng = np.random.default_rng(0)
        total, n_done = {}, 0
        while n_done < n_rows:
            rows = generated(rng, X, min(CHUNK, n_rows - n_done))
            broken = broken_promises(model, rows, rng)
            total = {what: total.get(what, 0) + int(n) for what, n in broken.items()}
            n_done += len(rows)
        print(name, n_done, total, time.process_time() - start, flush=True)
        wrong = "; ".join(f"{what}: {n}" for what, n in total.items() if n)
        yield f"| {name} | {n_done:,} | {wrong or 'none'} |"


def cases():
    """Yield name, training samples, labels and new rows, by what is timed."""
    X, y = load_digits(return_X_y=True)
    yield "digits, 500 rows", X[500:], y[500:], X[:500]
    yield "digits, 1 row", X[500:], y[500:], X[:1]
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    yield "breast cancer, 200 rows", X[200:], y[200:], X[:200]
    X, y = make_moons(30_000, noise=0.1, random_state=0)
    yield "moons, 20,000 rows", X[:10_000], y[:10_000], X[10_000:]


def costs(n_repeats=9):
    """Yield a line of the table for each way of hyperplanes and each data set."""
    for hyperplanes in ("random", "adapted"):
        for name, X, y, rows in cases():
            model = MemorizingClassifier(hyperplanes=hyperplanes, random_state=0)
            model.fit(X, y)
            calls = {"predict": model.predict, "predict_proba": model.predict_proba}
            best = dict.fromkeys(calls, np.inf)
            for _ in range(n_repeats):
                for what, call in calls.items():
                    n_calls = 20 if len(rows) == 1 else 1
                    start = time.process_time()
                    for _ in range(n_calls):
                        call(rows)
                    seconds = (time.process_time() - start) / n_calls
                    best[what] = min(best[what], seconds)
            label, probability = (1000 * best[what] for what in calls)
            line = (
                f"| {hyperplanes} | {name} | {label:.2f} | {probability:.2f} "
                f"| {probability / label:.2f} |"
            )
            print(line, flush=True)
            yield line


def fits(n_repeats=5):
    """Yield a line of the table for each data set: fits that leave samples out."""
    for name, X, y, _ in cases():
        if name.endswith("1 row"):
            continue
        ways = {
            "auto": MemorizingClassifier(random_state=0),
            "three votes": MemorizingClassifier(n_votes=3, random_state=0),
        }
        best = dict.fromkeys(ways, np.inf)
        for _ in range(n_repeats):
            for what, model in ways.items():
                start = time.process_time()
                model.fit(X, y)
                best[what] = min(best[what], time.process_time() - start)
        auto, given = (1000 * best[what] for what in ways)
        data = f"{name.partition(',')[0]}, {len(X):,} rows"
        line = f"| {data} | {auto:.0f} | {given:.0f} | {1 - given / auto:.0%} |"
        print(line, flush=True)
        yield line


HEADERS = {
    "promises": ("## Promises", "", "| classifier | rows | broken |", "|---|---|---|"),
    "costs": (
        "## Costs",
        "",
        "| hyperplanes | data | predict, ms | predict_proba, ms | ratio |",
        "|---|---|---|---|---|",
    ),
    "fits": (
        "## Leaving samples out",
        "",
        '| data | fit, ms | fit with n_votes=3, ms | share of n_votes="auto" |',
        "|---|---|---|---|",
    ),
}


def there(path, part):
    """Return the lines of a table that is there, by what they are about."""
    text = path.read_text() if path.exists() else ""
    _, _, rest = text.partition("\n".join(HEADERS[part]) + "\n")
    lines = [line for line in rest.partition("\n\n")[0].split("\n") if line]
    return {about(line, part): line for line in lines}


def about(line, part):
    """Return what stands in the first columns of a line."""
    return tuple(line.split(" | ")[: 2 if part == "costs" else 1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="a classifier")
    parser.add_argument("--only", nargs="+", help="classifiers, by their names here")
    known = list(HEADERS)
    parser.add_argument("--parts", nargs="+", choices=known, default=known)
    options = parser.parse_args()
    path = HERE / "probabilities.md"
    tables = {part: there(path, part) for part in known}
    for part in options.parts:
        if part == "promises":
            measured = promises(options.rows, options.only)
        else:
            measured = costs() if part == "costs" else fits()
        for line in measured:
            tables[part][about(line, part)] = line
            text = [
                "# Probabilities",
                "",
                "Written by `python benchmarks/probabilities.py`,",
            ]
            text[-1] += f" on {platform.machine()}, Python {platform.python_version()}."
            for name, lines in tables.items():
                text += ["", *HEADERS[name], *lines.values()]
            path.write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
