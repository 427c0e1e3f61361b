"""MemorizingClassifier beside the usual classifiers, on 40 tabular data sets.

    python experiments/generalization.py [--half dev] [--data wine iris]
        [--methods NAME ...] [--scaling standard none] [--noise 0 0.1 0.2 0.3]
        [--again] [--tables-only] [--output FOLDER]

Every fold of every method is a line of `folds.csv` in the output folder; what is there
is not computed again, so that an interrupted run goes on where it stopped (`--again`
computes the chosen methods again). The means over the folds go to
`measured/generalization.csv`, tables and figures beside it; means of earlier runs stay
unless new ones replace them. All methods run in one thread; times are those of the
processor.

Half of the data sets, "dev", is there to choose parameters and defaults by. The other
half, "test", is there to report on: no choice may look at it. Labels are made wrong on
eight of the sets, and only with scaled features.
"""

import argparse
import csv
import json
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from _ranking import draw_critical_differences, mean_ranks, write_tables
from _reports import write_reports
from _tabular import NOISY, listed, load, with_wrong_labels
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.exceptions import ConflictingLabelsWarning

HERE = Path(__file__).parent

# Settings of MemorizingClassifier to compare, by the name that the tables give them.
OWN = {
    "MemorizingClassifier": {"hyperplanes": "adapted"},
    "random hyperplanes": {"hyperplanes": "random"},
}
OTHERS = {
    "1-NN": KNeighborsClassifier(1),
    "5-NN": KNeighborsClassifier(5),
    "15-NN": KNeighborsClassifier(15),
    "random forest": RandomForestClassifier(random_state=0),
    "extra trees": ExtraTreesClassifier(random_state=0),
    "histogram gradient boosting": HistGradientBoostingClassifier(random_state=0),
    "SVC C=10": SVC(C=10),
    "MLP": MLPClassifier(random_state=0),
    "logistic regression": LogisticRegression(),
}

KEY = ("dataset", "scaling", "noise", "method", "fold")
SCORES = (
    "accuracy",
    "balanced_accuracy",
    "roc_auc",
    "log_loss",
    "brier",
    "calibration_error",
    "loo_score",
    "train_accuracy",
    "fit_time",
    "predict_time",
)
# A row counts in the bin of the probability of the class that is predicted.
N_BINS = 10


def methods():
    """Return all classifiers by name, our own first."""
    own = {
        name: MemorizingClassifier(**{"random_state": 0, **settings})
        for name, settings in OWN.items()
    }
    return {**own, **OTHERS}


def evaluate(estimator, X_train, y_train, X_test, y_test):
    """Fit and return all scores; the training accuracy is on the labels of `fit`."""
    estimator = clone(estimator)
    with warnings.catch_warnings():
        # Some data sets have rows of several labels; MLP stops after 200 epochs.
        warnings.simplefilter("ignore", ConflictingLabelsWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        start = time.process_time()
        estimator.fit(X_train, y_train)
        fit_time = time.process_time() - start
    start = time.process_time()
    predicted = estimator.predict(X_test)
    predict_time = time.process_time() - start
    scores = class_scores(estimator, X_test)
    loss, brier, error = np.nan, np.nan, np.nan
    if hasattr(estimator, "predict_proba"):
        loss = log_loss(y_test, scores, labels=estimator.classes_)
        brier = brier_score(y_test, scores, estimator.classes_)
        error = calibration_error(predicted == y_test, scores.max(axis=1))
    return {
        "accuracy": (predicted == y_test).mean(),
        "balanced_accuracy": balanced_accuracy_score(y_test, predicted),
        "roc_auc": mean_roc_auc(y_test, scores, estimator.classes_),
        "log_loss": loss,
        "brier": brier,
        "calibration_error": error,
        "loo_score": getattr(estimator, "loo_score_", np.nan),
        "train_accuracy": (estimator.predict(X_train) == y_train).mean(),
        "fit_time": fit_time,
        "predict_time": predict_time,
    }


def class_scores(estimator, X):
    """Return a score for each row and class: the probability where there is one."""
    if hasattr(estimator, "predict_proba"):
        return estimator.predict_proba(X)
    scores = estimator.decision_function(X)
    return np.column_stack((-scores, scores)) if scores.ndim == 1 else scores


def mean_roc_auc(y, scores, classes):
    """Return the mean over the classes of the area, each against all others."""
    return np.mean(
        [
            roc_auc_score(y == label, scores[:, number])
            for number, label in enumerate(classes)
            if 0 < (y == label).sum() < len(y)
        ]
    )


def brier_score(y, probabilities, classes):
    """Return the mean squared distance of the probabilities from 0 and 1, summed."""
    is_right = np.asarray(y)[:, np.newaxis] == classes
    return ((probabilities - is_right) ** 2).sum(axis=1).mean()


def calibration_error(is_right, confidence):
    """Return the mean of |share of right answers - mean confidence| over equal bins."""
    bins = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    excess = np.bincount(bins, is_right - confidence, minlength=N_BINS)
    return np.abs(excess).sum() / len(confidence)


def evaluate_folds(data, estimator, scaling, noise, done):
    """Yield (number of the fold, its scores) for folds that are not done."""
    for number, (train, test) in enumerate(data.folds()):
        if number in done:
            continue
        X_train, X_test = data.X[train], data.X[test]
        if scaling == "standard":
            scaler = StandardScaler().fit(X_train)
            X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
        y_train = with_wrong_labels(data.y[train], noise, seed=number)
        yield number, evaluate(estimator, X_train, y_train, X_test, data.y[test])


class Folds:
    """The file of all folds that are done: a line each, added one by one."""

    def __init__(self, path):
        self.path = path
        self.done = set()
        if path.exists():
            table = self.table()
            if list(table.columns) != [*KEY, *SCORES]:  # from before there were as many
                table.reindex(columns=[*KEY, *SCORES]).to_csv(path, index=False)
            self.done.update(table[list(KEY)].itertuples(index=False, name=None))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._append(KEY + SCORES)

    def forget(self, names, methods, scalings, noises):
        """Drop lines, so that they are computed again."""
        table = self.table()
        wanted = zip((names, scalings, noises, methods), KEY, strict=False)
        is_dropped = np.all([table[key].isin(values) for values, key in wanted], axis=0)
        table[~is_dropped].to_csv(self.path, index=False)
        dropped = table.loc[is_dropped, list(KEY)]
        self.done.difference_update(dropped.itertuples(index=False, name=None))

    def _append(self, values):
        with open(self.path, "a", newline="") as file:
            csv.writer(file).writerow(values)

    def add(self, key, scores):
        self._append([*key, *(f"{scores[name]:.6g}" for name in SCORES)])
        self.done.add(key)

    def numbers_done(self, *key):
        return {one[-1] for one in self.done if one[:-1] == key}

    def table(self):
        return pd.read_csv(self.path)


def run(folds, names, chosen, scaling, noise):
    """Evaluate the methods on the data sets, and record each fold."""
    for name in names:
        data = load(name)
        for method, estimator in chosen.items():
            key = (name, scaling, noise, method)
            done = folds.numbers_done(*key)
            scored = evaluate_folds(data, estimator, scaling, noise, done)
            accuracies = []
            for number, scores in scored:
                folds.add((*key, number), scores)
                accuracies.append(scores["accuracy"])
            if accuracies:
                print(f"{name}, {method}: {np.mean(accuracies):.4f}", flush=True)


def means_of_folds(table):
    """Return the mean over the folds of each method on each data set."""
    halves = {row["dataset"]: row["half"] for row in listed()}
    keys = [name for name in KEY if name != "fold"]
    grouped = table.groupby(keys, sort=True)
    means = grouped[list(SCORES)].mean().reset_index()
    means.insert(1, "half", means["dataset"].map(halves))
    means.insert(5, "folds", grouped.size().to_numpy())
    return means


def with_earlier(means, path):
    """Return the means together with those of the file that they do not replace."""
    if not path.exists():
        return means
    keys = [name for name in KEY if name != "fold"]
    table = pd.concat((means, pd.read_csv(path)), ignore_index=True)
    return table.drop_duplicates(keys).sort_values(keys, ignore_index=True)


def main(argv=None):
    """Evaluate what is missing, then write tables and diagrams."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = [row["dataset"] for row in listed()]
    parser.add_argument("--half", choices=["dev", "test"])
    parser.add_argument("--data", nargs="+", choices=known)
    parser.add_argument("--methods", nargs="+", choices=list(methods()))
    parser.add_argument("--own", type=json.loads, default={}, help="more settings")
    parser.add_argument(
        "--scaling", nargs="+", default=["standard"], choices=["standard", "none"]
    )
    parser.add_argument("--noise", nargs="+", type=float, default=[0.0])
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--tables-only", action="store_true")
    parser.add_argument("--output", type=Path, default=HERE / "output/generalization")
    parser.add_argument("--measured", type=Path, default=HERE / "measured")
    arguments = parser.parse_args(argv)

    OWN.update(arguments.own)
    chosen = methods()
    if arguments.methods:
        wanted = {*arguments.methods, *arguments.own}
        chosen = {name: chosen[name] for name in chosen if name in wanted}
    names = arguments.data or [row["dataset"] for row in listed(arguments.half)]
    folds = Folds(arguments.output / "folds.csv")
    if arguments.again:
        folds.forget(names, list(chosen), arguments.scaling, arguments.noise)
    if not arguments.tables_only:
        with threadpool_limits(1):
            for scaling in arguments.scaling:
                for noise in arguments.noise:
                    here = [name for name in names if name in NOISY or noise == 0]
                    if noise == 0 or scaling == "standard":
                        run(folds, here, chosen, scaling, noise)

    arguments.measured.mkdir(parents=True, exist_ok=True)
    path = arguments.measured / "generalization.csv"
    means = with_earlier(means_of_folds(folds.table()), path)
    means.to_csv(path, index=False, float_format="%.5g")
    write_tables(means, arguments.measured / "generalization.md")
    write_reports(means, arguments.measured)
    for half in ("dev", "test"):
        table = means.query("scaling == 'standard' and noise == 0 and half == @half")
        accuracies = table.pivot(index="dataset", columns="method", values="accuracy")
        accuracies = accuracies.dropna(axis=1).round(4)
        if len(accuracies) > 1 and accuracies.shape[1] > 2:
            figure = draw_critical_differences(accuracies)
            figure.savefig(arguments.measured / f"generalization_{half}.png", dpi=150)
            print(f"\nMean ranks of accuracy, half {half!r}\n")
            print(mean_ranks(accuracies).to_string(float_format="{:.2f}".format))


if __name__ == "__main__":
    main()
