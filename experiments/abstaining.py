"""Abstaining: the accuracy on the samples that a classifier is surest of.

    python experiments/abstaining.py [--data wine digits] [--tables-only]

For each share c of the test samples (the coverage), those c N samples are predicted of
which a classifier is surest, and the accuracy on these is told. How sure it is, is said

by MemorizingClassifier  by the probability of the predicted class, by its lead over
                         the runner-up in logarithms, or by the share of the draws
                         whose own vote is for it;
by a random forest       by the probability of the predicted class.

Of equally sure samples each is as likely to be predicted as the other. Means over folds
go to `measured/abstaining.csv` (accuracy in percent at some coverages; the area is the
mean accuracy over all coverages), the curves of some sets to `measured/abstaining.png`.
What is there is not computed again unless its data set is named.
"""

import argparse
import warnings
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from _tabular import listed, load
from matplotlib.figure import Figure
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.exceptions import ConflictingLabelsWarning
from sklearn_memorize.network import CoverNetwork

HERE = Path(__file__).parent
# Of the half of the data sets that is there to report on.
DATA = (
    "digits",
    "banana",
    "bupa",
    "german",
    "led7digit",
    "letter",
    "mammographic",
    "satimage",
    "spambase",
    "vehicle",
)
DRAWN = ("digits", "vehicle", "satimage", "german", "letter", "mammographic")
COVERAGES = np.linspace(0.05, 1.0, 39)
TOLD = (1.0, 0.9, 0.8, 0.5)
MOST_FOLDS = 5
CLASSIFIERS = {
    "adapted": MemorizingClassifier(hyperplanes="adapted", random_state=0),
    "random": MemorizingClassifier(hyperplanes="random", random_state=0),
    "forest": RandomForestClassifier(random_state=0),
}


def certainties(name, model, X):
    """Return by how much a model is sure of what it predicts, in several ways."""
    probabilities = np.sort(model.predict_proba(X), axis=1)
    sure = {f"{name}, probability": probabilities[:, -1]}
    if name != "forest":
        lead = np.log(probabilities[:, -1] / probabilities[:, -2])
        sure[f"{name}, lead"] = lead
        sure[f"{name}, draws that agree"] = agreement(model, X)
    return sure


def agreement(model, X):
    """Return the share of the draws whose own vote is for the predicted class."""
    predicted = np.searchsorted(model.classes_, model.predict(X))
    votes = [
        CoverNetwork([covering]).margins(X, model.n_votes_).argmax(axis=1)
        for covering in model.network_.coverings
    ]
    return np.mean(votes == predicted, axis=0)


def accuracies(certainty, is_right):
    """Return the accuracy on the surest samples, for each coverage.

    Of samples that are equally sure, the mean is taken in place of each one.
    """
    _, groups = np.unique(-certainty, return_inverse=True)
    order = np.argsort(groups, kind="stable")
    means = np.bincount(groups, is_right) / np.bincount(groups)
    right = np.cumsum(means[groups[order]])
    n = np.maximum(np.rint(COVERAGES * len(is_right)).astype(int), 1)
    return right[n - 1] / n


def measure(name):
    """Return the mean curve over the folds, by the way of being sure."""
    data = load(name)
    curves = {}
    for train, test in islice(data.folds(), MOST_FOLDS):
        scaler = StandardScaler().fit(data.X[train])
        X_train, X_test = (
            scaler.transform(data.X[train]),
            scaler.transform(data.X[test]),
        )
        for kind, model in CLASSIFIERS.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConflictingLabelsWarning)
                model.fit(X_train, data.y[train])
            is_right = model.predict(X_test) == data.y[test]
            for way, sure in certainties(kind, model, X_test).items():
                curves.setdefault(way, []).append(accuracies(sure, is_right))
    return {way: np.mean(parts, axis=0) for way, parts in curves.items()}


def told(curve):
    """Return what the table tells of a curve, in percent."""
    at = {f"{share:.0%}": np.interp(share, COVERAGES, curve) for share in TOLD}
    return {name: 100 * value for name, value in {**at, "area": curve.mean()}.items()}


def draw(curves):
    """Draw the curves of some data sets."""
    figure = Figure(figsize=(10, 6), layout="constrained")
    styles = {
        "adapted, probability": ("C0", "-"),
        "adapted, draws that agree": ("C0", ":"),
        "random, probability": ("C1", "-"),
        "forest, probability": ("C2", "--"),
    }
    for ax, name in zip(figure.subplots(2, 3).flat, DRAWN, strict=True):
        for way, (color, line) in styles.items():
            rows = curves[(curves["dataset"] == name) & (curves["way"] == way)]
            ax.plot(
                100 * rows["coverage"],
                100 * rows["accuracy"],
                color=color,
                linestyle=line,
                label=way,
            )
        ax.set(title=name, xlabel="coverage, %", ylabel="accuracy, %")
        ax.grid(alpha=0.3)
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def main():
    """Measure what is missing, then write table and figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = [row["dataset"] for row in listed()]
    parser.add_argument("--data", nargs="+", choices=known, default=[])
    parser.add_argument("--tables-only", action="store_true")
    parser.add_argument("--measured", type=Path, default=HERE / "measured")
    options = parser.parse_args()
    path = options.measured / "abstaining_curves.csv"
    columns = ("dataset", "way", "coverage", "accuracy")
    curves = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=columns)
    there = set(curves["dataset"]) - set(options.data)
    wanted = [name for name in (options.data or DATA) if name not in there]
    for name in [] if options.tables_only else wanted:
        with threadpool_limits(1):
            measured = measure(name)
        rows = [
            (name, way, round(coverage, 4), round(accuracy, 5))
            for way, curve in measured.items()
            for coverage, accuracy in zip(COVERAGES, curve, strict=True)
        ]
        curves = curves[curves["dataset"] != name]
        more = pd.DataFrame(rows, columns=columns)
        curves = more if curves.empty else pd.concat([curves, more])
        curves.to_csv(path, index=False)
        print(name, {way: told(curve)["area"] for way, curve in measured.items()})

    table = pd.DataFrame(
        [
            {"dataset": name, "way": way, **told(rows["accuracy"].to_numpy())}
            for (name, way), rows in curves.groupby(["dataset", "way"])
        ]
    )
    means = table.groupby("way").mean(numeric_only=True)
    areas = table.pivot(index="dataset", columns="way", values="area")
    means["mean rank"] = areas.rank(axis=1, ascending=False).mean()
    means = means.sort_values("area", ascending=False)
    print(means.round(2).to_string())
    means.round(2).to_csv(options.measured / "abstaining.csv", float_format="%.2f")
    draw(curves).savefig(options.measured / "abstaining.png", dpi=110)


if __name__ == "__main__":
    main()
