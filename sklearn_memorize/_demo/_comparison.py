"""The accuracy on unseen samples, beside that of other classifiers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold, cross_validate, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from .. import MemorizingClassifier
from ._data import Data

__all__ = ["comparison"]

# Support vector machines take long on more.
_MOST_SAMPLES = 10_000
_MOST_FOLDS = 5


def comparison(
    data: Data, scaler: BaseEstimator | None, seed: int, n_jobs: int | None
) -> Iterator[str]:
    """Cross-validate the classifiers one by one.

    Parameters
    ----------
    data : Data
        The labelled samples.
    scaler : transformer or None
        What to do to the features before any of the classifiers.
    seed : int
        Seed of the folds and the classifiers.
    n_jobs : int or None
        Number of folds to run at once.

    Yields
    ------
    line : str
        The lines of a table, as they become known.
    """
    X, y = _at_most(_MOST_SAMPLES, data.X, data.y, seed)
    labels, counts = np.unique(y, return_counts=True)
    n_folds = min(_MOST_FOLDS, counts.min())
    if n_folds < 2:
        rare = labels[counts.argmin()]
        yield f"No cross-validation: class {rare} has a single sample."
        return
    yield (
        f"{n_folds}-fold cross-validation on {len(y):,} samples "
        "(mean, +- standard deviation over the folds):"
    )
    yield _row("", "train accuracy", "test accuracy", "fit [s]", "predict [s]")
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    for name, classifier in _classifiers(seed).items():
        steps = [classifier] if scaler is None else [clone(scaler), classifier]
        with warnings.catch_warnings():
            # What there is to say was said when all the samples were memorized.
            warnings.simplefilter("ignore", UserWarning)
            scores = cross_validate(
                make_pipeline(*steps),
                X,
                y,
                cv=folds,
                n_jobs=n_jobs,
                return_train_score=True,
            )
        yield _row(
            name,
            f"{scores['train_score'].mean():.4f}",
            f"{scores['test_score'].mean():.4f} +- {scores['test_score'].std():.4f}",
            f"{scores['fit_time'].mean():.3f}",
            f"{scores['score_time'].mean():.3f}",
        )


def _classifiers(seed: int) -> dict[str, BaseEstimator]:
    return {
        "MemorizingClassifier": MemorizingClassifier(random_state=seed),
        "1-nearest neighbour": KNeighborsClassifier(n_neighbors=1),
        "Random forest": RandomForestClassifier(random_state=seed),
        "RBF SVM": SVC(),
    }


def _at_most(n_samples: int, X, y, seed: int):
    if len(y) <= n_samples:
        return X, y
    stratify = y if np.unique(y, return_counts=True)[1].min() > 1 else None
    X, _, y, _ = train_test_split(
        X, y, train_size=n_samples, stratify=stratify, random_state=seed
    )
    return X, y


def _row(name: str, train: str, test: str, fit: str, predict: str) -> str:
    return f"  {name:<22}{train:>14}{test:>18}{fit:>10}{predict:>13}"
