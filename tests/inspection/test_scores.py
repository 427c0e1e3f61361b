"""Memorization scores: wrong labels stand out, whatever memorizes and wherever."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from support.needs import needs

from sklearn_memorize import MemorizingClassifier, NearbySetClassifier
from sklearn_memorize.inspection import memorization_scores

QUICK = MemorizingClassifier(n_hyperplanes=300, max_bias=0.5)


def flipped_digits(n_class=10, share=0.05, seed=0):
    X, y = load_digits(n_class=n_class, return_X_y=True)
    rng = np.random.default_rng(seed)
    flipped = rng.choice(len(y), size=round(share * len(y)), replace=False)
    y = y.copy()
    y[flipped] = (y[flipped] + rng.integers(1, n_class, size=len(flipped))) % n_class
    return X, y, np.isin(np.arange(len(y)), flipped)


@pytest.mark.parametrize("n_class", [2, 10])
def test_flipped_digits_are_found(n_class):
    X, y, flipped = flipped_digits(n_class)
    scores = memorization_scores(X, y, n_draws=4, random_state=0)
    assert scores.shape == (len(y),)
    assert roc_auc_score(flipped, scores) > 0.99
    assert average_precision_score(flipped, scores) > 0.9
    # Nearly all of the others are better off with their own label.
    assert (scores[~flipped] < 0).mean() > 0.95


@pytest.mark.parametrize(
    "estimator",
    [
        QUICK,
        NearbySetClassifier(),
        RandomForestClassifier(20),
        LogisticRegression(C=0.01, max_iter=1000),
        KNeighborsClassifier(5),
        MemorizingClassifier(hyperplanes="random", one_sided=True),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_any_classifier_can_judge(estimator):
    X, y, flipped = flipped_digits(2)
    before = str(vars(estimator))
    scores = memorization_scores(X, y, estimator=estimator, n_draws=2, random_state=0)
    assert roc_auc_score(flipped, scores) > 0.98
    assert str(vars(estimator)) == before


def test_a_classifier_that_only_predicts_can_judge():
    class Plain(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.neighbors_ = KNeighborsClassifier(5).fit(X, y)
            self.classes_ = self.neighbors_.classes_
            return self

        def predict(self, X):
            return self.neighbors_.predict(X)

    X, y, flipped = flipped_digits(3)
    scores = memorization_scores(X, y, estimator=Plain(), n_draws=2, random_state=0)
    assert set(np.unique(scores)) <= {-2.0, 0.0, 2.0}
    assert roc_auc_score(flipped, scores) > 0.97


def test_scores_depend_on_the_seed_alone():
    X, y, _ = flipped_digits(3)
    scores = memorization_scores(X, y, estimator=QUICK, n_draws=2, random_state=1)
    options = {"estimator": QUICK, "n_draws": 2, "random_state": 1}
    same = [
        memorization_scores(X, y, n_jobs=2, **options),
        memorization_scores(sparse.csr_array(X), y, **options),
        memorization_scores(X, np.array(["a", "b", "c"])[y], **options),
        memorization_scores(X.astype(np.float32), y, **options),
    ]
    for other in same:
        np.testing.assert_array_equal(other, scores)
    options["random_state"] = 2
    assert (memorization_scores(X, y, **options) != scores).any()


def test_the_only_sample_of_a_class_is_suspect():
    X, y, _ = flipped_digits(2, share=0)
    y[7] = 5
    scores = memorization_scores(X, y, estimator=QUICK, n_draws=3, random_state=0)
    assert np.argmax(scores) == 7


def test_conflicting_duplicates_are_scored_in_silence():
    X, y, _ = flipped_digits(3, share=0)
    X, y = np.concatenate([X, X[:6]]), np.append(y, (y[:6] + 1) % 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = memorization_scores(X, y, estimator=QUICK, n_draws=3, random_state=0)
    assert np.isfinite(scores).all()
    # Of a sample and its copy with another label, the wrong one is the more suspect.
    assert (scores[-6:] > scores[:6]).mean() > 0.5


def test_halves_of_one_class_say_nothing():
    X = np.array([[0.0], [0.1], [0.2], [5.0]])
    scores = memorization_scores(X, [0, 0, 0, 1], n_draws=2, random_state=0)
    assert np.isfinite(scores).all()


def test_bad_input_is_an_error():
    X, y, _ = flipped_digits(2)
    with pytest.raises(ValueError, match="four samples and two classes"):
        memorization_scores(X, np.zeros(len(y), dtype=int))
    with pytest.raises(ValueError, match="four samples and two classes"):
        memorization_scores(X[:1], y[:1])
    with pytest.raises(ValueError, match="inconsistent numbers"):
        memorization_scores(X, y[:-1])
    with pytest.raises(ValueError, match="NaN"):
        memorization_scores(np.full_like(X, np.nan), y)
    with pytest.raises(ValueError, match="continuous"):
        memorization_scores(X, y + 0.5)
    with pytest.raises(ValueError, match="n_draws"):
        memorization_scores(X, y, n_draws=0)
    with pytest.raises(ValueError, match="estimator"):
        memorization_scores(X, y, estimator="forest")


def test_a_pipeline_may_take_text_and_missing_values():
    pandas = needs("pandas")
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    size = rng.standard_normal(120) + 6 * y
    colour = np.array(["red", "green"])[y].astype(object)
    colour[0] = None
    frame = pandas.DataFrame(
        {"colour": colour, "size": np.where(y == size, np.nan, size)}
    )
    labels = y.copy()
    labels[7] = 1 - labels[7]
    chain = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), ["colour"]),
            remainder=StandardScaler(),
        ),
        MemorizingClassifier(n_draws=2, random_state=0),
    )
    scores = memorization_scores(
        frame, labels, estimator=chain, n_draws=3, random_state=0
    )
    assert scores.argmax() == 7
