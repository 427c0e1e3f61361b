"""The verdicts of the experiments, on figures whose verdict is known."""

import importlib.util
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss
from support.data import ROOT

HERE = ROOT / "experiments"


def script(name):
    specification = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def comparison():
    return script("_comparison")


@pytest.fixture(scope="module")
def sizes():
    pytest.importorskip("matplotlib")
    return script("parameters_against_n")


@pytest.fixture(scope="module")
def measured_sizes(sizes):
    return pd.DataFrame(sizes.rows_there(HERE / "measured"))


def row(probability, width, deviation, n):
    ours = {
        "n_hyperplanes": [5],
        "interpolation_probability": [probability],
        "mean_second_layer_width": [width],
        "std_second_layer_width": [deviation],
        "n_repeats": [n],
    }
    return pd.DataFrame(ours)


def published_row(probability, width, deviation, n):
    theirs = {
        "n_hyperplanes": [5],
        "interpolation_probability": [probability],
        "second_layer_width_mean": [width],
        "second_layer_width_sd": [deviation],
        "n_runs": [n],
    }
    return pd.DataFrame(theirs)


@pytest.mark.parametrize(
    ("ours", "theirs", "verdicts"),
    [
        # The standard error of the difference of the widths is 2 * sqrt(2 / 8) = 1.
        ((1.0, 12.0, 2.0, 8), (1.0, 10.0, 2.0, 8), (True, True)),
        ((1.0, 12.1, 2.0, 8), (1.0, 10.0, 2.0, 8), (True, False)),
        # Without any variation the figures have to be equal.
        ((0.0, 10.0, 0.0, 8), (0.0, 10.0, 0.0, 8), (True, True)),
        ((0.0, 11.0, 0.0, 8), (0.0, 10.0, 0.0, 8), (True, False)),
        # Pooled share 0.9, standard error 0.3 * sqrt(2 / 50) = 0.06.
        ((0.96, 10.0, 1.0, 50), (0.84, 10.0, 1.0, 50), (True, True)),
        ((0.98, 10.0, 1.0, 50), (0.82, 10.0, 1.0, 50), (False, True)),
        # All of few runs, and nearly all of many.
        ((1.0, 10.0, 1.0, 3), (0.92, 10.0, 1.0, 25), (True, True)),
        ((0.0, 10.0, 1.0, 3), (1.0, 10.0, 1.0, 25), (False, True)),
        # A single run has no deviation of its own.
        ((1.0, 11.0, np.nan, 1), (1.0, 10.0, 1.0, 25), (True, True)),
    ],
)
def test_figures_agree_within_two_standard_errors(comparison, ours, theirs, verdicts):
    table = comparison.compare(row(*ours), published_row(*theirs), ["n_hyperplanes"])
    found = (table["probability_agrees"][0], table["width_agrees"][0])
    assert found == verdicts
    assert table["agrees"][0] == all(verdicts)
    assert comparison.summary(table).startswith(f"{int(all(verdicts))} of 1 settings")


def test_published_figures_are_complete(comparison):
    rows = {"moons": 110, "mnist": 30, "mnist_wide": 9, "moons_size": 40}
    for name, n_rows in rows.items():
        table = comparison.published(f"{name}.csv")
        assert len(table) == n_rows
        assert table["interpolation_probability"].between(0, 1).all()
        assert (table["second_layer_width_mean"] > 0).all()


def rows_of(table, name):
    return table[table["construction"] == name]


@pytest.mark.parametrize("n_samples", [100, 1000])
def test_the_table_of_sizes_is_what_is_built(sizes, measured_sizes, n_samples):
    for name in sizes.CONSTRUCTIONS:
        if name == "nearby set" and n_samples > 100:
            continue
        there = rows_of(measured_sizes, name)
        there = there[there["N"] == n_samples]
        built = sizes.build(name, n_samples)
        for key in ("parameters", "neurons", "depth", "training accuracy"):
            assert there[key].item() == built[key], (name, key)


def test_the_table_of_sizes_shows_every_construction_recalling_all(
    sizes, measured_sizes
):
    built = measured_sizes[measured_sizes["how"] == sizes.BUILT]
    pairs = {(name, n) for name in sizes.CONSTRUCTIONS for n in sizes.BUILT_SIZES}
    assert set(zip(built["construction"], built["N"], strict=True)) == pairs
    assert (built["training accuracy"] == 1).all()


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("bit extraction", 0.45, 0.65),
        ("nearby set, moons", 0, 0.15),
        ("random hyperplanes, moons", -0.05, 0.1),
        ("nearby set", 1.95, 2.05),
        ("small ReLU", 0.85, 1.05),
        ("slabs", 0.85, 1.05),
        ("residual", 0.85, 1.05),
        ("random ReLU", 0.85, 1.15),
    ],
)
def test_parameters_grow_with_the_power_of_n_that_is_claimed(
    sizes, measured_sizes, name, least, most
):
    built = rows_of(measured_sizes, name)
    built = built[built["how"] == sizes.BUILT]
    logarithms = np.log(built[["N", "parameters"]].to_numpy().astype(float))
    power = np.polyfit(*logarithms.T, 1)[0]
    assert least <= power <= most


def test_predictions_go_on_where_building_ends(sizes, measured_sizes):
    for name in sizes.CONSTRUCTIONS:
        rows = rows_of(measured_sizes, name)
        assert rows["N"].tolist() == [*sizes.BUILT_SIZES, *sizes.PREDICTED_SIZES]
        grows = rows["parameters"].to_numpy(dtype=float)
        # A decade takes at most the pairs of ten times the samples.
        assert (grows[1:] / grows[:-1] <= 130).all()
        assert (np.diff(grows[-4:]) >= -0.05 * grows[-4:-1]).all()


@pytest.fixture(scope="module")
def ranking():
    pytest.importorskip("matplotlib")
    return script("_ranking")


def table_of_scores(n_sets=20):
    """Three methods: the second is the first and a little noise, the third is worse."""
    generator = np.random.default_rng(0)
    first = generator.uniform(0.7, 0.9, n_sets)
    second = first + generator.normal(0, 0.01, n_sets)
    return pd.DataFrame({"third": first - 0.05, "first": first, "second": second})


def test_mean_ranks_share_equal_scores(ranking):
    scores = pd.DataFrame({"a": [0.9, 0.5], "b": [0.9, 0.6], "c": [0.1, 0.7]})
    assert ranking.mean_ranks(scores).to_dict() == {"b": 1.75, "a": 2.25, "c": 2.0}
    assert ranking.mean_ranks(scores, largest_is_best=False)["c"] == 2.0


def test_only_methods_that_differ_are_told_apart(ranking):
    scores = table_of_scores()
    differ = ranking.differing_pairs(scores)
    assert differ == {frozenset(("third", "first")), frozenset(("third", "second"))}
    ranks = ranking.mean_ranks(scores)
    assert ranking.groups(ranks, differ) == [(0, 2)]
    assert ranking.draw_critical_differences(scores).axes


def test_every_method_joins_the_group_it_does_not_differ_from(ranking):
    ranks = pd.Series({"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0})
    differ = {frozenset("ac"), frozenset("ad")}
    assert ranking.groups(ranks, differ) == [(0, 2), (1, 4)]
    assert ranking.groups(ranks, set()) == [(0, 4)]


def test_data_sets_are_halved_and_folds_hold_every_class():
    tabular = script("_tabular")
    assert len(tabular.listed()) == 40
    assert len(tabular.listed("dev")) == len(tabular.listed("test")) == 20
    wine = tabular.load("wine")
    folds = list(wine.folds())
    assert len(folds) == 10
    for train, test in folds:
        assert set(wine.y[test]) == {0, 1, 2}
        assert sorted([*train, *test]) == list(range(len(wine.y)))


def test_wrong_labels_are_the_share_asked_for():
    tabular = script("_tabular")
    y = np.arange(200) % 3
    wrong = tabular.with_wrong_labels(y, 0.3, seed=0)
    assert (wrong != y).sum() == 60
    assert set(wrong) == {0, 1, 2}


@pytest.fixture(scope="module")
def experiments_on_path():
    pytest.importorskip("matplotlib")
    sys.path.insert(0, str(HERE))
    yield
    sys.path.remove(str(HERE))


def test_the_table_of_accuracies_in_the_readme_is_what_was_measured(
    experiments_on_path,
):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    reports = script("_reports")
    assert reports.BEGIN + reports.readme_table() + reports.END in readme, (
        "run: python experiments/generalization.py --tables-only"
    )


def test_scores_of_probabilities_are_those_of_scikit_learn(experiments_on_path):
    generalization = script("generalization")
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 50), rng.random(50)
    probabilities = np.column_stack((1 - p, p))
    brier = generalization.brier_score(y, probabilities, np.array([0, 1]))
    # Of two classes both entries are off by the same.
    assert np.isclose(brier, 2 * brier_score_loss(y, p))


def test_calibration_error_is_the_distance_from_the_diagonal(experiments_on_path):
    error = script("generalization").calibration_error
    sure, unsure = np.full(4, 1.0), np.full(4, 0.55)
    right = np.array([1.0, 1.0, 1.0, 0.0])
    assert np.isclose(error(right, sure), 0.25)
    assert np.isclose(error(right, unsure), 0.2)
    both = error(np.tile(right, 2), np.concatenate((sure, unsure)))
    assert np.isclose(both, (0.25 + 0.2) / 2)
