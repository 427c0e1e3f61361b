"""Does it help to weigh the classes in the vote? On the imbalanced sets of the 40.

    python experiments/class_weights.py [--data yeast4] [--folds 5]

MemorizingClassifier and a random forest, each with `class_weight=None` and "balanced".
Accuracy, balanced accuracy (the mean over the classes) and recall of the training set,
in percent, are means over folds. They go to `measured/class_weights.csv`, which the
documentation shows.
"""

import argparse
import warnings
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from _tabular import listed, load
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.exceptions import ConflictingLabelsWarning

HERE = Path(__file__).parent
CLASSIFIERS = {
    "adapted": MemorizingClassifier(hyperplanes="adapted", random_state=0),
    "random": MemorizingClassifier(hyperplanes="random", random_state=0),
    "forest": RandomForestClassifier(random_state=0),
}


def measure(data, model, n_folds):
    """Return accuracy, balanced accuracy and recall of the training set."""
    figures = []
    for train, test in islice(data.folds(), n_folds):
        scaler = StandardScaler().fit(data.X[train])
        X, y = scaler.transform(data.X[train]), data.y[train]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConflictingLabelsWarning)
            model.fit(X, y)
        predicted = model.predict(scaler.transform(data.X[test]))
        accuracy = (predicted == data.y[test]).mean()
        balanced = balanced_accuracy_score(data.y[test], predicted)
        figures.append((accuracy, balanced, model.score(X, y)))
    return 100 * np.mean(figures, axis=0)


def main():
    """Measure all, and write the table."""
    imbalanced = [r["dataset"] for r in listed() if r["source"] == "keel-imbalanced"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=imbalanced)
    parser.add_argument("--folds", type=int, default=5, help="at most")
    options = parser.parse_args()
    rows = []
    for name in options.data:
        data = load(name)
        share = np.bincount(data.y).min() / len(data.y)
        for kind, model in CLASSIFIERS.items():
            for weights in (None, "balanced"):
                model.set_params(class_weight=weights)
                with threadpool_limits(1):
                    figures = measure(data, model, options.folds)
                rows.append((name, share, kind, weights or "none", *figures))
                print(*rows[-1], flush=True)
    columns = ("dataset", "share", "classifier", "weights", "accuracy", "balanced")
    table = pd.DataFrame(rows, columns=[*columns, "training"])
    wide = table.pivot_table(
        index=["classifier", "weights"],
        columns="dataset",
        values=["accuracy", "balanced"],
        sort=False,
    )
    shown = {"classifier": [f"{kind}, {weights}" for kind, weights in wide.index]}
    for name in options.data:
        share = table["share"][table["dataset"] == name].iloc[0]
        of_set = wide["balanced"][name].round(1), wide["accuracy"][name].round(1)
        pairs = zip(*of_set, strict=True)
        shown[f"{name} ({share:.0%})"] = [
            f"{bal:.1f} ({acc:.1f})" for bal, acc in pairs
        ]
    means = wide["balanced"].mean(axis=1), wide["accuracy"].mean(axis=1)
    shown["mean"] = [f"{bal:.1f} ({acc:.1f})" for bal, acc in zip(*means, strict=True)]
    recall = table.groupby(["classifier", "weights"], sort=False)["training"].mean()
    shown["training"] = recall.round(1).to_numpy()
    pd.DataFrame(shown).to_csv(HERE / "measured" / "class_weights.csv", index=False)


if __name__ == "__main__":
    main()
