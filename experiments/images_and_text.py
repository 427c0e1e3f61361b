"""Images and text: accuracy and time beside nearest neighbours and a forest.

    python experiments/images_and_text.py [--data NAME ...] [--methods NAME ...]

MNIST and Fashion-MNIST with their own 60,000 training and 10,000 test images, pixels as
they are; made-up documents of 4 and of 10 topics, 1,000 to train and 1,000 to test; and
the docstrings of NumPy, SciPy, scikit-learn, pandas and Matplotlib, whose module is to
be told (three fifths to train). Texts are TF-IDF vectors, in sparse matrices.

Each result is a line of `measured/images_and_text.csv`, which replaces an earlier one
of the same data and method. All methods run in one thread; times are those of the
processor. Fashion-MNIST is read from `data/fashion-mnist` below
`$SKLEARN_MEMORIZE_DATA`, or from where the Debian package dataset-fashion-mnist puts
it.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _mnist import load_digits
from _text import docstrings, made_up_documents, vectorized, weighted
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from threadpoolctl import threadpool_limits

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.datasets import fetch_mnist

HERE = Path(__file__).parent
N_TRAINING_IMAGES = 60_000
# Settings for images, which take long.
LARGE = MemorizingClassifier(n_draws=32, min_hyperplanes=1024, random_state=0)
SETTINGS = {
    "min_hyperplanes=2048": MemorizingClassifier(min_hyperplanes=2048, random_state=0),
    "n_draws=32, min_hyperplanes=1024": LARGE,
    "the same after PCA(50, whiten=True)": make_pipeline(
        PCA(50, whiten=True, random_state=0), LARGE
    ),
    'hyperplanes="random", n_draws=16': MemorizingClassifier(
        hyperplanes="random", n_draws=16, random_state=0
    ),
}
METHODS = {
    "MemorizingClassifier": MemorizingClassifier(random_state=0),
    'hyperplanes="random"': MemorizingClassifier(hyperplanes="random", random_state=0),
    **SETTINGS,
    "1-NN": KNeighborsClassifier(1),
    "random forest": RandomForestClassifier(random_state=0),
    "logistic regression": LogisticRegression(C=10.0),
}


def images(X, y):
    n = N_TRAINING_IMAGES
    return X[:n], y[:n], X[n:], y[n:]


def mnist():
    return images(*load_digits())


def fashion():
    """Return Fashion-MNIST, whose files are named and made as those of MNIST."""
    shared = os.environ.get("SKLEARN_MEMORIZE_DATA", HERE.parent.parent / "shared")
    folders = (
        Path(shared, "data", "fashion-mnist"),
        Path("/usr/share/datasets/fashion-mnist"),
    )
    for folder in folders:
        if folder.is_dir():
            return images(*fetch_mnist(folder, return_X_y=True))
    raise FileNotFoundError(
        "Fashion-MNIST is not in " + " or ".join(map(str, folders)) + "."
    )


def made_up(n_topics, n_words, n=1000):
    counts, y = made_up_documents(2 * n, n_topics, n_words, seed=n_topics)
    X = weighted(counts, n)
    return X[:n], y[:n], X[n:], y[n:]


def modules():
    texts, y = docstrings()
    train, test = train_test_split(
        np.arange(len(y)), test_size=0.4, stratify=y, random_state=0
    )
    X_train, X_test = vectorized(texts, train, test)
    return X_train, y[train], X_test, y[test]


DATA = {
    "MNIST": mnist,
    "Fashion-MNIST": fashion,
    "documents, 4 topics": lambda: made_up(4, 3000),
    "documents, 10 topics": lambda: made_up(10, 8000),
    "docstrings, 16 modules": modules,
}


def measure(estimator, X_train, y_train, X_test, y_test):
    """Fit, predict, and return a line of the table."""
    start = time.process_time()
    estimator = clone(estimator).fit(X_train, y_train)
    fitted = time.process_time()
    accuracy = estimator.score(X_test, y_test)
    stopped = time.process_time()
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    recalls = getattr(last, "interpolates_", None)
    return {
        "accuracy, %": round(100 * accuracy, 2),
        "leave one out, %": round(100 * getattr(last, "loo_score_", np.nan), 2),
        "recalls all": {True: "yes", False: "no", None: ""}[recalls],
        "fit, s": float(f"{fitted - start:.3g}"),
        "predict, s": float(f"{stopped - fitted:.3g}"),
    }


def with_rows(table, rows):
    """Return the table with rows added, or replaced, in the order of the lists.

    Rows of data and methods that are not in the lists any more are left out.
    """
    table = pd.concat((table, pd.DataFrame(rows)), ignore_index=True)
    table = table[table["data"].isin(DATA) & table["classifier"].isin(METHODS)]
    table = table.drop_duplicates(["data", "classifier"], keep="last")
    order = {name: i for i, name in enumerate([*DATA, *METHODS])}
    return table.sort_values(
        ["data", "classifier"], key=lambda names: names.map(order), ignore_index=True
    )


def main(argv=None):
    """Measure, and write the table after each line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--measured", type=Path, default=HERE / "measured")
    arguments = parser.parse_args(argv)
    path = arguments.measured / "images_and_text.csv"
    for name in arguments.data:
        samples = DATA[name]()
        for method in arguments.methods:
            is_image = "MNIST" in name
            # On images logistic regression takes minutes, and is far behind.
            if (method == "logistic regression") if is_image else (method in SETTINGS):
                continue
            with threadpool_limits(1):
                line = measure(METHODS[method], *samples)
            line = {"data": name, "classifier": method, **line}
            print(*line.values(), sep=" | ", flush=True)
            earlier = pd.read_csv(path) if path.exists() else None
            with_rows(earlier, [line]).to_csv(path, index=False)


if __name__ == "__main__":
    main()
