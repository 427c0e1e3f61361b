"""Find flipped labels: memorization scores beside cleanlab's method and others.

Flips a share of the labels of digits, MNIST, breast cancer and wine, and lets several
methods rank all samples by how doubtful their label is. Run as

    pip install cleanlab
    python benchmarks/mislabelled.py [--data wine digits] [--samples 20000] [--jobs 2]

Every ranking is a line of `mislabelled.csv`, next to this file: its areas under the ROC
and the precision-recall curve (average precision). What is there is not computed again.
The means go to `mislabelled.md`, and to `mislabelled_precision.csv`, which the
documentation shows; `--tables-only` writes these alone. The folder with MNIST is
`$SKLEARN_MEMORIZE_DATA/data/mnist`.

cleanlab is the software of

C. G. Northcutt, L. Jiang, I. L. Chuang, "Confident learning: estimating uncertainty in
dataset labels", Journal of Artificial Intelligence Research 70, 2021,

and takes out-of-fold probabilities of any classifier. "self-confidence" (its default)
ranks by the probability of the given label; "confident learning" puts those that
`find_label_issues` names before all others, and ranks by self-confidence within.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.datasets import fetch_mnist
from sklearn_memorize.inspection import memorization_scores

HERE = Path(__file__).resolve().parent
SHARES = (0.05, 0.1, 0.2)
KEY = ("data", "share", "seed", "method")
FIGURES = ("roc_auc", "average_precision", "seconds")


def memorization(X, y, n_jobs):
    scores = memorization_scores(X, y, n_draws=10, n_jobs=n_jobs, random_state=0)
    return {"memorization scores, 10 draws": scores}


def neighbour_disagreement(X, y, n_jobs):
    search = NearestNeighbors(n_neighbors=10, n_jobs=n_jobs).fit(X)
    neighbours = search.kneighbors(return_distance=False)
    disagree = (y[neighbours] != y[:, np.newaxis]).mean(axis=1)
    return {"10-nearest-neighbour disagreement": disagree}


def by_cleanlab(name, classifier):
    """Rank as cleanlab does, by out-of-fold probabilities of a classifier."""
    # Here, so that the tables can be written without it.
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    def ranked(X, y, n_jobs):
        folds = StratifiedKFold(5, shuffle=True, random_state=0)
        given = cross_val_predict(
            classifier, X, y, cv=folds, method="predict_proba", n_jobs=n_jobs
        )
        doubt = 1.0 - get_label_quality_scores(y, given)
        is_issue = find_label_issues(y, given, n_jobs=1)
        return {
            f"{name}, self-confidence": doubt,
            f"{name}, confident learning": is_issue + doubt,
        }

    return ranked


def methods():
    """Return functions of (X, y, n_jobs), each of which ranks in one way or more."""
    adapted = MemorizingClassifier(hyperplanes="adapted", random_state=0)
    random = MemorizingClassifier(hyperplanes="random", random_state=0)
    logistic = make_pipeline(MinMaxScaler(), LogisticRegression(C=0.1, max_iter=200))
    return {
        "memorization scores": memorization,
        "neighbours": neighbour_disagreement,
        "adapted": by_cleanlab("adapted hyperplanes", adapted),
        "random": by_cleanlab("random hyperplanes", random),
        "forest": by_cleanlab("random forest", RandomForestClassifier(random_state=0)),
        "logistic": by_cleanlab("logistic regression", logistic),
    }


def load(name, n_samples):
    """Return the name of a data set in the tables, its samples and their labels."""
    if name == "mnist":
        data = os.environ.get("SKLEARN_MEMORIZE_DATA", HERE.parents[1] / "shared")
        X, y = fetch_mnist(Path(data) / "data" / "mnist", return_X_y=True)
        chosen = np.random.default_rng(0).permutation(len(X))[:n_samples]
        return f"MNIST-{n_samples // 1000}k", X[chosen], y[chosen].astype(int)
    if name == "digits":
        return name, *load_digits(return_X_y=True)
    loader = {"breast cancer": load_breast_cancer, "wine": load_wine}[name]
    X, y = loader(return_X_y=True)
    return name, StandardScaler().fit_transform(X), y


def flip(y, share, seed):
    """Replace a share of the labels by another one; return them, and which."""
    rng = np.random.default_rng(seed)
    flipped = np.zeros(len(y), dtype=bool)
    flipped[rng.choice(len(y), size=round(share * len(y)), replace=False)] = True
    n_classes = y.max() + 1
    shift = rng.integers(1, n_classes, size=len(y))
    return np.where(flipped, (y + shift) % n_classes, y), flipped


class Rankings:
    """The file of all rankings that are done: a line each, added one by one."""

    def __init__(self, path):
        self.path = path
        if not path.exists():
            path.write_text(",".join(KEY + FIGURES) + "\n")

    def table(self):
        return pd.read_csv(self.path)

    def add(self, key, figures):
        with open(self.path, "a", newline="") as file:
            numbers = [f"{figure:.6g}" for figure in figures]
            csv.writer(file, lineterminator="\n").writerow([*key, *numbers])

    def has(self, data, share, seed, prefix):
        table = self.table()
        here = (table["data"] == data) & (table["share"] == share)
        here &= table["seed"] == seed
        return table["method"][here].str.startswith(prefix).any()


def measure(rankings, name, X, y, seeds, n_jobs):
    """Rank by all methods that are not done yet; `seeds` say which labels are wrong."""
    # What the rankings of each method begin with.
    prefixes = {
        "memorization scores": "memorization scores",
        "neighbours": "10-nearest",
        "adapted": "adapted",
        "random": "random hyperplanes",
        "forest": "random forest",
        "logistic": "logistic",
    }
    for seed in seeds:
        for share in SHARES:
            given, flipped = flip(y, share, seed)
            for method, rank in methods().items():
                if rankings.has(name, share, seed, prefixes[method]):
                    continue
                start = time.perf_counter()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    ranked = rank(X, given, n_jobs)
                seconds = time.perf_counter() - start
                for title, scores in ranked.items():
                    precision = average_precision_score(flipped, scores)
                    figures = roc_auc_score(flipped, scores), precision, seconds
                    rankings.add((name, share, seed, title), figures)
                    print(name, share, seed, title, *figures, flush=True)


def write_tables(table):
    """Write the means over the seeds: the long table, and the one of the docs."""
    means = table.groupby(["data", "share", "method"])
    rows = means[list(FIGURES)].mean()
    rows["n"] = means.size()
    rows["deviation"] = means["average_precision"].std()
    rows["deviation"] = rows["deviation"].map("{:.3f}".format).replace("nan", "-")
    lines = [
        f"| {data} | {share:.0%} | {method} | {row.roc_auc:.4f} "
        f"| {row.average_precision:.3f} ({row.deviation}) "
        f"| {row.n:.0f} | {row.seconds:.1f} |"
        for (data, share, method), row in rows.iterrows()
    ]
    (HERE / "mislabelled.md").write_text(HEADER + "\n".join(lines) + "\n")
    precision = rows["average_precision"].unstack("share")
    # Data sets that are not done yet are left out.
    by_data = precision.groupby("data", group_keys=False)
    precision = by_data.filter(lambda part: part.notna().all(axis=None))
    cells = precision.map("{:.3f}".format).agg(" / ".join, axis=1).unstack("data")
    cells["mean"] = precision.mean(axis=1).unstack("data").mean(axis=1)
    cells = cells.sort_values("mean", ascending=False)
    cells["mean"] = cells["mean"].map("{:.3f}".format)
    cells.to_csv(HERE / "mislabelled_precision.csv", index_label="method")


def main():
    known = ["wine", "breast cancer", "digits", "mnist"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=known, default=known)
    parser.add_argument("--samples", type=int, default=20_000, help="of MNIST")
    parser.add_argument("--seeds", type=int, default=5, help="choices of wrong labels")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--tables-only", action="store_true")
    options = parser.parse_args()
    rankings = Rankings(HERE / "mislabelled.csv")
    if not options.tables_only:
        for name in options.data:
            loaded = load(name, options.samples)
            measure(rankings, *loaded, range(options.seeds), options.jobs)
    write_tables(rankings.table())


HEADER = """# Finding flipped labels

Written by `python benchmarks/mislabelled.py`. A share of the labels was replaced by
another class, drawn uniformly; every method ranks all samples by how doubtful their
label is. Means over the choices of the flipped labels (and the standard deviation of
the average precision over these); times are wall-clock seconds on two cores that other
work shared.

| data | flipped | method | ROC AUC | average precision | choices | seconds |
|---|---|---|---|---|---|---|
"""


if __name__ == "__main__":
    main()
