"""Find flipped labels: memorization scores beside what is usually done.

Flips a share of the labels of digits and of MNIST, ranks the samples by how likely
they are mislabelled, and writes the areas under the ROC and the precision-recall curves
to `mislabelled.md`, next to this file. Run as

    python benchmarks/mislabelled.py [--samples 20000] [--jobs 2]

The folder with MNIST is `$SKLEARN_MEMORIZE_DATA/data/mnist`.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sklearn_memorize.datasets import fetch_mnist
from sklearn_memorize.inspection import memorization_scores

HERE = Path(__file__).resolve().parent
SHARES = (0.05, 0.1, 0.2)


def memorization(X, y, n_jobs):
    return memorization_scores(X, y, n_draws=10, n_jobs=n_jobs, random_state=0)


def neighbour_disagreement(X, y, n_jobs):
    search = NearestNeighbors(n_neighbors=10, n_jobs=n_jobs).fit(X)
    neighbours = search.kneighbors(return_distance=False)
    return (y[neighbours] != y[:, np.newaxis]).mean(axis=1)


def doubt(classifier):
    """Score by one minus the cross-validated probability of the given label."""

    def score(X, y, n_jobs):
        probabilities = cross_val_predict(
            classifier, X, y, cv=5, method="predict_proba", n_jobs=n_jobs
        )
        return 1 - probabilities[np.arange(len(y)), y]

    return score


METHODS = {
    "memorization scores, 10 draws": memorization,
    "10-nearest-neighbour disagreement": neighbour_disagreement,
    "random forest, 5-fold confidence": doubt(RandomForestClassifier(random_state=0)),
    "logistic regression, 5-fold confidence": doubt(
        make_pipeline(MinMaxScaler(), LogisticRegression(C=0.1, max_iter=200))
    ),
}


def flip(y, share, seed):
    """Replace a share of the labels by another one; return them, and which."""
    rng = np.random.default_rng(seed)
    flipped = np.zeros(len(y), dtype=bool)
    flipped[rng.choice(len(y), size=round(share * len(y)), replace=False)] = True
    n_classes = y.max() + 1
    shift = rng.integers(1, n_classes, size=len(y))
    return np.where(flipped, (y + shift) % n_classes, y), flipped


def measure(name, X, y, seeds, n_jobs):
    rows = []
    for share in SHARES:
        for method, score in METHODS.items():
            figures = []
            for seed in seeds:
                given, flipped = flip(y, share, seed)
                start = time.perf_counter()
                scores = score(X, given, n_jobs)
                seconds = time.perf_counter() - start
                precision = average_precision_score(flipped, scores)
                figures.append((roc_auc_score(flipped, scores), precision, seconds))
            auc, precision, seconds = np.mean(figures, axis=0)
            rows.append(
                f"| {name} | {share:.0%} | {method} "
                f"| {auc:.4f} | {precision:.3f} | {seconds:.1f} |"
            )
            print(rows[-1], flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=20_000, help="of MNIST")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    options = parser.parse_args()
    digits = load_digits()
    rows = measure("digits", digits.data, digits.target, range(5), options.jobs)
    data = os.environ.get("SKLEARN_MEMORIZE_DATA", HERE.parents[1] / "shared")
    X, y = fetch_mnist(Path(data) / "data" / "mnist", return_X_y=True)
    chosen = np.random.default_rng(0).permutation(len(X))[: options.samples]
    y = y[chosen].astype(int)
    rows += measure(f"MNIST, {len(y):,} samples", X[chosen], y, [0], options.jobs)
    (HERE / "mislabelled.md").write_text(HEADER + "\n".join(rows) + "\n")


HEADER = """# Finding flipped labels

Written by `python benchmarks/mislabelled.py`. A share of the labels was replaced by
another class, drawn uniformly; every method ranks all samples by how doubtful their
label is. Digits: mean of 5 choices of the flipped labels. Times are wall-clock seconds
on two cores.

| data | flipped | method | ROC AUC | average precision | seconds |
|---|---|---|---|---|---|
"""


if __name__ == "__main__":
    main()
