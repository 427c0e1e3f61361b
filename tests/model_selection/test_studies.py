"""Studies: right, repeatable, parallel, resumable."""

import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris, load_wine
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, PredefinedSplit, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.datasets import make_two_moons
from sklearn_memorize.exceptions import InterpolationError
from sklearn_memorize.model_selection import (
    compare_generalization,
    interpolation_study,
    sample_size_study,
)
from sklearn_memorize.model_selection._generalization import noisy_labels
from sklearn_memorize.model_selection._measure import fitted_sizes
from sklearn_memorize.model_selection._studies import stratified_order

X, y = make_two_moons(60, noise=0.2, random_state=0)


class Recorded(ClassifierMixin, BaseEstimator):
    """Guesses at random; notes each fit in a file; stops when a file says so."""

    def __init__(self, log=None, depth=1, random_state=None):
        self.log = log
        self.depth = depth
        self.random_state = random_state

    def fit(self, X, y):
        stop = Path(f"{self.log}.stop")
        if stop.exists() and n_fits(self.log) >= int(stop.read_text()):
            raise KeyboardInterrupt
        with open(self.log, "a") as log:
            log.write("fit\n")
        self.tree_ = ExtraTreeClassifier(
            max_depth=self.depth, random_state=self.random_state
        ).fit(X, y)
        self.classes_ = self.tree_.classes_
        return self

    def predict(self, X):
        return self.tree_.predict(X)


class Unwilling(ClassifierMixin, BaseEstimator):
    """Cannot memorize anything."""

    def fit(self, X, y):
        raise InterpolationError("no data suits me")

    def predict(self, X):
        raise AssertionError("not fitted")


def n_fits(log):
    return len(Path(log).read_text().splitlines()) if Path(log).exists() else 0


def run_interpolation(estimator, **options):
    return interpolation_study(
        estimator, X, y, param_grid={"depth": [1, 3]}, n_repeats=3, **options
    )


def run_sample_size(estimator, **options):
    return sample_size_study(
        estimator,
        X,
        y,
        sizes=[10, 30, 60],
        param_grid={"depth": [2]},
        n_repeats=2,
        **options,
    )


def run_generalization(estimator, **options):
    return compare_generalization(
        {"random": estimator}, X, y, cv=3, label_noise=[0, 0.2], **options
    )


STUDIES = [run_interpolation, run_sample_size, run_generalization]


def assert_same(first, second):
    """Compare everything but the times."""
    assert list(first) == list(second)
    for name in first:
        if "time" not in name:
            np.testing.assert_array_equal(first[name], second[name], err_msg=name)


@pytest.mark.parametrize("run", STUDIES)
def test_columns_make_a_data_frame(run, tmp_path):
    study = run(Recorded(tmp_path / "log"), random_state=0)
    frame = pd.DataFrame(study)
    assert list(frame.columns) == list(study)
    assert all(values.shape == (len(frame),) for values in study.values())


@pytest.mark.parametrize("run", STUDIES)
def test_results_do_not_depend_on_n_jobs(run, tmp_path):
    estimator = Recorded(tmp_path / "log")
    alone = run(estimator, random_state=7)
    assert_same(alone, run(estimator, random_state=7, n_jobs=2))
    assert estimator.random_state is None


def test_misfits_are_counted_without_a_warning(recwarn):
    options = {"param_grid": {"n_hyperplanes": [2]}, "random_state": 0, "n_repeats": 4}
    network = MemorizingClassifier()
    alone = interpolation_study(network, X, y, **options)
    assert alone.interpolation_probability[0] == 0
    with joblib.parallel_config("threading", n_jobs=2):
        threads = interpolation_study(network, X, y, **options)
    assert_same(alone, threads)
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize("run", STUDIES)
def test_another_seed_gives_other_results(run, tmp_path):
    estimator = Recorded(tmp_path / "log")
    first, second = (run(estimator, random_state=seed) for seed in (0, 1))
    names = ("mean_train_accuracy", "train_accuracy")
    name = next(name for name in names if name in first)
    assert not np.array_equal(first[name], second[name])


@pytest.mark.parametrize("run", STUDIES)
@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_interrupted_study_resumes_without_redoing_finished_work(run, n_jobs, tmp_path):
    log = tmp_path / "log"
    stop = tmp_path / "log.stop"
    options = {"random_state": 0, "n_jobs": n_jobs}
    whole = run(Recorded(log), **options)
    n_tasks = n_fits(log)
    log.unlink()

    stop.write_text(str(n_tasks // 2))
    with pytest.raises(KeyboardInterrupt):
        run(Recorded(log), cache=tmp_path / "cache", **options)
    assert n_tasks // 2 <= n_fits(log) < n_tasks
    stop.unlink()

    resumed = run(Recorded(log), cache=tmp_path / "cache", **options)
    assert n_fits(log) == n_tasks
    assert_same(resumed, whole)
    again = run(Recorded(log), cache=str(tmp_path / "cache"), **options)
    assert n_fits(log) == n_tasks
    for name in again:
        np.testing.assert_array_equal(again[name], resumed[name])


def test_cache_is_not_used_for_other_data(tmp_path):
    log = tmp_path / "log"
    options = {"param_grid": {"depth": [1]}, "n_repeats": 1, "random_state": 0}
    for samples in (X, X + 1.0, X):
        interpolation_study(
            Recorded(log), samples, y, cache=tmp_path / "cache", **options
        )
    assert n_fits(log) == 2


def test_added_classifiers_and_noise_leave_finished_work_finished(tmp_path):
    log = tmp_path / "log"
    options = {"cv": 3, "random_state": 0, "cache": tmp_path / "cache"}
    compare_generalization({"one": Recorded(log)}, X, y, **options)
    compare_generalization(
        {"zero": KNeighborsClassifier(), "one": Recorded(log)},
        X,
        y,
        label_noise=[0.0, 0.1],
        **options,
    )
    assert n_fits(log) == 3 + 3


def test_progress_bar_changes_nothing(tmp_path):
    estimator = Recorded(tmp_path / "log")
    plain = run_interpolation(estimator, random_state=0)
    assert_same(plain, run_interpolation(estimator, random_state=0, progress=True))


def test_progress_without_rich_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "rich", None)
    with pytest.raises(ImportError, match="pip install rich"):
        run_interpolation(Recorded(tmp_path / "log"), progress=True)
    assert n_fits(tmp_path / "log") == 0


def test_interpolation_probability_is_the_share_of_perfect_fits():
    study = interpolation_study(
        ExtraTreeClassifier(),
        X,
        y,
        param_grid=[{"max_depth": [1, 9]}, {"max_depth": [None], "splitter": ["best"]}],
        n_repeats=20,
        random_state=0,
    )
    assert study.param_max_depth.tolist() == [1, 9, None]
    assert study.param_splitter.tolist() == [None, None, "best"]
    assert study.interpolation_probability[[0, 2]].tolist() == [0.0, 1.0]
    assert 0 < study.interpolation_probability[1] < 1
    assert study.mean_train_accuracy[2] == 1.0
    assert np.isnan(study.mean_n_parameters).all()
    assert (study.n_repeats == 20).all()


def test_means_and_deviations_are_those_of_the_repetitions():
    grid = {"hidden_layer_sizes": [(2,), (5,)], "max_iter": [2]}
    network = MLPClassifier()
    with pytest.warns(UserWarning, match="Maximum iterations"):
        study = interpolation_study(
            network, X, y, param_grid=grid, n_repeats=4, random_state=0
        )
    assert study.mean_n_neurons.tolist() == [3.0, 6.0]
    assert study.mean_n_parameters.tolist() == [2 * 2 + 2 + 2 + 1, 2 * 5 + 5 + 5 + 1]
    assert study.std_n_neurons.tolist() == [0.0, 0.0]
    assert (study.std_train_accuracy > 0).all()
    assert study.param_hidden_layer_sizes[1] == (5,)


def test_one_repetition_has_no_deviation(tmp_path):
    study = interpolation_study(
        Recorded(tmp_path / "log"), X, y, param_grid={"depth": [2]}, n_repeats=1
    )
    assert np.isnan(study.std_train_accuracy[0])
    assert study.mean_train_accuracy[0] > 0.5


def test_failure_to_interpolate_is_counted():
    study = interpolation_study(Unwilling(), X, y, param_grid={}, n_repeats=2)
    assert study.interpolation_probability.tolist() == [0.0]
    assert np.isnan(study.mean_train_accuracy[0])


def test_sparse_data_lists_and_data_frames_are_taken():
    options = {"param_grid": {"n_neighbors": [1]}, "n_repeats": 1, "random_state": 0}
    frame = pd.DataFrame(X, columns=["a", "b"])
    for samples in (sparse.coo_array(X), X.tolist(), frame):
        study = interpolation_study(KNeighborsClassifier(), samples, y, **options)
        assert study.interpolation_probability[0] == 1.0
        sizes = sample_size_study(
            KNeighborsClassifier(1), samples, list(y), sizes=[10], n_repeats=1
        )
        assert sizes.mean_train_accuracy[0] == 1.0


def test_pipelines_and_searches_are_looked_into():
    network = MLPClassifier([4], max_iter=2, random_state=0)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), network), {"mlpclassifier__alpha": [0.1, 1.0]}
    )
    with pytest.warns(UserWarning, match="Maximum iterations"):
        assert fitted_sizes(search.fit(X, y))["n_neurons"] == 5


@pytest.mark.parametrize("seed", range(5))
def test_every_beginning_of_the_order_is_stratified(seed):
    labels = np.repeat(["a", "b", "c"], [100, 37, 3])
    order = stratified_order(labels, seed)
    assert sorted(order) == list(range(140))
    for n in range(3, 141):
        names, counts = np.unique(labels[order[:n]], return_counts=True)
        assert names.tolist() == ["a", "b", "c"]
        np.testing.assert_array_less(abs(counts - n * np.array([100, 37, 3]) / 140), 2)


def test_stratified_orders_differ_between_seeds():
    assert stratified_order(y, 0).tolist() != stratified_order(y, 1).tolist()


def test_shares_and_numbers_of_samples_mean_the_same():
    shares, numbers = (
        sample_size_study(
            DecisionTreeClassifier(max_depth=2), X, y, sizes=sizes, random_state=0
        )
        for sizes in ([0.25, 1.0], [15, 60])
    )
    assert_same(shares, numbers)
    assert numbers.n_samples.tolist() == [15, 60]


@pytest.mark.parametrize("sizes", [[0], [61], [0.0], [1.5], [[10]], ["ten"]])
def test_bad_sizes_are_named(sizes):
    with pytest.raises(ValueError, match="sizes"):
        sample_size_study(KNeighborsClassifier(), X, y, sizes=sizes)


@pytest.mark.parametrize("noise", [1.0, -0.1, [0.0, 1.2], [[0.1]], [np.nan]])
def test_bad_label_noise_is_named(noise):
    with pytest.raises(ValueError, match="label_noise"):
        run_generalization_with(label_noise=noise)


@pytest.mark.parametrize(
    "options", [{"confidence_level": 1.0}, {"n_jobs": 1.5}, {"progress": "yes"}]
)
def test_bad_options_are_named(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        run_generalization_with(**options)


def run_generalization_with(**options):
    return compare_generalization({"1-NN": KNeighborsClassifier(1)}, X, y, **options)


def test_noise_replaces_the_share_asked_for_and_is_nested():
    labels = np.array(list("abcd") * 50)
    changed = [noisy_labels(labels, level, 0) != labels for level in (0.0, 0.1, 0.25)]
    assert [int(change.sum()) for change in changed] == [0, 20, 50]
    assert not (changed[1] & ~changed[2]).any()
    wrong = noisy_labels(labels, 0.9, 0)
    assert set(wrong) == set("abcd")


def test_label_noise_of_one_class_alone_is_an_error():
    with pytest.raises(ValueError, match="two classes"):
        noisy_labels(np.zeros(10), 0.5, 0)


def test_comparison_equals_scikit_learns_cross_validation():
    wine, cultivar = load_wine(return_X_y=True)
    folds = PredefinedSplit(np.arange(len(cultivar)) % 4)
    estimators = {
        "tree": make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=2)),
        "1-NN": KNeighborsClassifier(1),
    }
    comparison = compare_generalization(
        estimators, wine, cultivar, cv=folds, random_state=0
    )
    expected = cross_val_score(estimators["1-NN"], wine, cultivar, cv=folds)
    assert comparison.estimator.tolist() == ["tree", "1-NN"]
    assert comparison.test_accuracy[1] == expected.mean()
    assert comparison.interpolation_probability.tolist() == [0.0, 1.0]
    assert comparison.n_folds.tolist() == [4, 4]
    half = stats.t.ppf(0.975, 3) * expected.std(ddof=1) * np.sqrt(1 / 4 + 1 / 3)
    assert comparison.test_accuracy_low[1] == pytest.approx(
        expected.mean() - half, rel=1e-3
    )


def test_an_interpolator_recalls_wrong_labels_and_is_judged_on_true_ones():
    flowers, species = load_iris(return_X_y=True)
    flowers = flowers + np.random.default_rng(0).normal(0, 1e-6, flowers.shape)
    comparison = compare_generalization(
        {"1-NN": KNeighborsClassifier(1)},
        flowers,
        species,
        cv=5,
        label_noise=[0.0, 0.2],
        random_state=0,
    )
    clean, noisy = (
        {name: values[row] for name, values in comparison.items()} for row in (0, 1)
    )
    assert clean["train_accuracy"] == noisy["train_accuracy"] == 1.0
    assert noisy["true_train_accuracy"] == pytest.approx(0.8)
    assert clean["test_accuracy"] == clean["true_test_accuracy"]
    assert noisy["true_test_accuracy"] > noisy["test_accuracy"]
    assert noisy["true_test_accuracy"] < clean["true_test_accuracy"]


def test_one_fold_has_no_interval():
    comparison = run_generalization_with(cv=[(np.arange(40), np.arange(40, 60))])
    assert comparison.test_accuracy[0] > 0.5
    assert np.isnan(comparison.test_accuracy_low[0])


def always_seven(estimator, X, y):
    return 7


@pytest.mark.parametrize(
    ("scoring", "names"),
    [
        ("roc_auc", ["roc_auc"]),
        (["f1", "accuracy"], ["f1"]),
        ({"f1", "roc_auc"}, ["f1", "roc_auc"]),
        (always_seven, ["score"]),
        ({"seven": always_seven, "loss": "neg_log_loss"}, ["seven", "loss"]),
    ],
)
def test_other_scores_are_those_of_scikit_learn(scoring, names):
    folds = PredefinedSplit(np.arange(len(y)) % 3)
    tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    comparison = run_generalization_with(cv=folds)
    scored = compare_generalization(
        {"1-NN": KNeighborsClassifier(1), "tree": tree},
        X,
        y,
        cv=folds,
        scoring=scoring,
        random_state=0,
    )
    assert comparison.test_accuracy[0] == scored.test_accuracy[0]
    kinds = ("test_{}", "test_{}_low", "test_{}_high", "true_test_{}", "train_{}")
    kinds += ("true_test_{}_low", "true_test_{}_high")
    new = {kind.format(name) for kind in kinds for name in names}
    assert set(scored) - set(comparison) == new
    for name in names:
        scorer = {"loss": "neg_log_loss"}.get(name, name)
        scorer = scorer if name in ("f1", "roc_auc", "loss") else always_seven
        expected = cross_val_score(
            KNeighborsClassifier(1), X, y, cv=folds, scoring=scorer
        )
        assert scored[f"test_{name}"][0] == expected.mean()
        half = stats.t.ppf(0.975, 2) * expected.std(ddof=1) * np.sqrt(1 / 3 + 1 / 2)
        low = scored[f"test_{name}_low"][0]
        assert low == pytest.approx(expected.mean() - half, rel=1e-3)


def test_scores_are_told_by_the_labels_given_and_by_the_true_ones():
    comparison = compare_generalization(
        {"1-NN": KNeighborsClassifier(1)},
        X,
        y,
        label_noise=[0.0, 0.2],
        scoring="balanced_accuracy",
        random_state=0,
        n_jobs=2,
    )
    score = comparison.true_test_balanced_accuracy
    assert score[0] == comparison.test_balanced_accuracy[0]
    assert score[1] > comparison.test_balanced_accuracy[1]
    assert (comparison.train_balanced_accuracy == 1.0).all()


@pytest.mark.parametrize(
    ("scoring", "message"),
    [
        ("nope", "nope"),
        (["f1", always_seven], "names of scorers"),
        ({"accuracy": always_seven}, "another name"),
        (7, "scoring"),
    ],
)
def test_bad_scorers_are_named_before_any_fit(scoring, message):
    with pytest.raises(ValueError, match=message):
        compare_generalization({"none": Unwilling()}, X, y, scoring=scoring)


def test_scores_do_not_disturb_what_was_finished_without(tmp_path):
    log = tmp_path / "log"
    options = {"cv": 3, "random_state": 0, "cache": tmp_path / "cache"}
    for _ in range(2):
        compare_generalization({"one": Recorded(log)}, X, y, **options)
    assert n_fits(log) == 3
    scored = dict(options, scoring="f1")
    for _ in range(2):
        compare_generalization({"one": Recorded(log)}, X, y, **scored)
    assert n_fits(log) == 6


def test_data_a_classifier_does_not_suit_are_reported():
    estimators = {"unwilling": Unwilling(), "1-NN": KNeighborsClassifier(1)}
    with pytest.warns(FitFailedWarning, match="'unwilling'.*no data suits me"):
        comparison = compare_generalization(estimators, X, y, cv=2)
    assert np.isnan(comparison.test_accuracy[0])
    assert comparison.interpolation_probability.tolist() == [0.0, 1.0]
