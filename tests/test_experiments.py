"""The verdicts of the experiments, on figures whose verdict is known."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

HERE = Path(__file__).resolve().parents[1] / "experiments"


@pytest.fixture(scope="module")
def comparison():
    specification = importlib.util.spec_from_file_location(
        "comparison", HERE / "_comparison.py"
    )
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


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
