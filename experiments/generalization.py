"""What memorizing costs in test accuracy: classifiers and data sets in one table.

All classifiers of the package with their defaults (and MemorizingClassifier with
several draws kept), 1-NN, 5-NN, random forest, RBF SVM and a multilayer perceptron, on
digits, 10,000 samples of MNIST, wine, breast cancer and iris, cross-validated.

    python experiments/generalization.py [--data digits wine] [--noise 0 0.1]
        [--skip NAME ...] [--folds 5] [--jobs -1] [--output FOLDER]

The digits of MNIST are read from the folder data/mnist below $SKLEARN_MEMORIZE_DATA
(by default ../shared), or else fetched from OpenML. Interrupted, it goes on where it
stopped.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from _mnist import load_digits as load_mnist
from sklearn import datasets
from sklearn.base import is_classifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.constructions import all_estimators
from sklearn_memorize.model_selection import compare_generalization
from sklearn_memorize.plotting import GeneralizationDisplay

COLUMNS = {
    "estimator": "estimator",
    "label_noise": "noise",
    "train_accuracy": "train",
    "test_accuracy": "test",
    "interval": "95 % interval",
    "true_test_accuracy": "test (true)",
    "n_neurons": "neurons",
    "n_parameters": "parameters",
    "fit_time": "fit (s)",
    "predict_time": "predict (s)",
}


def mnist_10k():
    """Return a stratified sample of 10,000 digits of MNIST."""
    X, y = load_mnist()
    X, _, y, _ = train_test_split(X, y, train_size=10_000, stratify=y, random_state=0)
    return X / 255, y


# Pictures keep their common scale; measurements in different units are standardized.
PICTURES = {
    "digits": lambda: datasets.load_digits(return_X_y=True),
    "mnist-10k": mnist_10k,
}
TABLES = {
    "wine": lambda: datasets.load_wine(return_X_y=True),
    "breast cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "iris": lambda: datasets.load_iris(return_X_y=True),
}


def classifiers():
    """Return all classifiers by name: the package's own first."""
    own = {kind.__name__: kind() for kind in all_estimators() if is_classifier(kind())}
    return {
        **own,
        "MemorizingClassifier, 1 draw": MemorizingClassifier(n_draws=1),
        "MemorizingClassifier, 8 draws": MemorizingClassifier(n_draws=8),
        "1-NN": KNeighborsClassifier(1),
        "5-NN": KNeighborsClassifier(5),
        "random forest": RandomForestClassifier(),
        "RBF SVM": SVC(),
        "MLP": MLPClassifier(max_iter=1000),
    }


def compare(name, arguments):
    """Return the comparison on one data set."""
    is_table = name in TABLES
    X, y = (TABLES if is_table else PICTURES)[name]()
    estimators = {
        label: make_pipeline(StandardScaler(), estimator) if is_table else estimator
        for label, estimator in classifiers().items()
        if label not in arguments.skip
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FitFailedWarning)
        comparison = compare_generalization(
            estimators,
            X,
            y,
            cv=arguments.folds,
            label_noise=arguments.noise,
            random_state=0,
            n_jobs=arguments.jobs,
            cache=arguments.output / "cache",
            progress=True,
        )
    for warning in caught:
        if issubclass(warning.category, FitFailedWarning):
            print(f"  {warning.message}")
    return comparison


def show(name, comparison):
    """Print the table of one data set."""
    table = pd.DataFrame(comparison)
    table["interval"] = [
        f"{low:.3f} - {high:.3f}"
        for low, high in zip(
            table["test_accuracy_low"], table["test_accuracy_high"], strict=True
        )
    ]
    if (table["label_noise"] == 0).all():
        table = table.drop(columns=["label_noise", "true_test_accuracy"])
    shown = table[[column for column in COLUMNS if column in table]]
    formats = {"n_neurons": "{:.0f}".format, "n_parameters": "{:.0f}".format}
    for column in ("train_accuracy", "test_accuracy", "true_test_accuracy"):
        formats[column] = "{:.4f}".format
    print(f"\n{name}\n")
    print(
        shown.to_string(
            index=False,
            header=[COLUMNS[column] for column in shown],
            formatters=formats,
            float_format="{:.3f}".format,
            na_rep="-",
        )
    )


def main(argv=None):
    """Compare on every data set; print, draw and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = [*PICTURES, *TABLES]
    parser.add_argument("--data", nargs="+", choices=known, default=known)
    parser.add_argument("--noise", nargs="+", type=float, default=[0.0])
    parser.add_argument("--skip", nargs="+", default=[], help="leave classifiers out")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    arguments = parser.parse_args(argv)
    arguments.output.mkdir(parents=True, exist_ok=True)
    tables = []
    for name in arguments.data:
        comparison = compare(name, arguments)
        show(name, comparison)
        display = GeneralizationDisplay.from_study(comparison)
        display.ax_.set_title(name)
        file_name = f"generalization_{name.replace(' ', '_')}.png"
        display.figure_.savefig(arguments.output / file_name, dpi=150)
        tables.append(pd.DataFrame(comparison).assign(data=name))
    table = pd.concat(tables, ignore_index=True)
    table.to_csv(arguments.output / "generalization.csv", index=False)
    clean = table[table["label_noise"] == 0]
    means = clean.groupby("estimator", sort=False)["true_test_accuracy"].agg(
        lambda values: np.nan if values.isna().any() else values.mean()
    )
    print("\nMean test accuracy over the data sets (- where one could not be fitted)\n")
    print(means.to_string(float_format="{:.4f}".format, na_rep="-"))
    return table


if __name__ == "__main__":
    main()
