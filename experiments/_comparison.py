"""Ours beside the published numbers: standard errors, and a verdict a row.

The mean second-layer widths agree if they differ by at most two standard errors of the
difference,

    s * sqrt(1 / n + 1 / m),   s^2 = ((n - 1) s_n^2 + (m - 1) s_m^2) / (n + m - 2),

for n runs of ours and m published ones (pooled, since few runs of ours alone would
tell their own deviation badly). The shares p_n and p_m of runs that interpolate agree
if they differ by at most two standard errors of two shares under one probability,

    sqrt(p (1 - p) (1 / n + 1 / m)),   p = (n p_n + m p_m) / (n + m).

If no run differs from another a standard error is 0; then the figures have to be equal.
A row agrees if both figures do.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
WITHIN = 2.0


def parse_arguments(description, quick, full, argv=None):
    """Return the settings of an experiment: repetitions, jobs, output folder."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument(
        "--full",
        action="store_true",
        help=f"as many runs as were published ({full}; by default {quick})",
    )
    parser.add_argument("--repeats", type=int, help="number of runs for each setting")
    parser.add_argument("--jobs", type=int, default=-1, help="runs at a time")
    parser.add_argument("--output", type=Path, default=HERE / "output")
    arguments = parser.parse_args(argv)
    if arguments.repeats is None:
        arguments.repeats = full if arguments.full else quick
    arguments.output.mkdir(parents=True, exist_ok=True)
    return arguments


def study_options(arguments):
    """Return what all studies are given: resumable, parallel, with a progress bar."""
    return {
        "n_repeats": arguments.repeats,
        "n_jobs": arguments.jobs,
        "random_state": 0,
        "cache": arguments.output / "cache",
        "progress": True,
    }


def published(name):
    """Return a table of published figures."""
    return pd.read_csv(HERE / "published" / name)


def compare(ours, theirs, on):
    """Return the settings that both tables have, with standard errors and verdicts.

    `ours` is a study as a data frame, its parameters renamed to the columns `on`.
    """
    rows = ours.merge(theirs, on=on, suffixes=("", "_published"), validate="1:1")
    n, m = rows["n_repeats"], rows["n_runs"]
    table = rows[on].copy()
    table["probability"] = rows["interpolation_probability"]
    table["published_probability"] = rows["interpolation_probability_published"]
    table["probability_se"] = share_error(
        table["probability"], n, table["published_probability"], m
    )
    table["width"] = rows["mean_second_layer_width"]
    table["published_width"] = rows["second_layer_width_mean"]
    table["width_se"] = mean_error(
        rows["std_second_layer_width"], n, rows["second_layer_width_sd"], m
    )
    table["runs"], table["published_runs"] = n, m
    for name in ("probability", "width"):
        difference = table[name] - table[f"published_{name}"]
        # Shares such as 0.92 are not exact in binary: 1e-9 is rounding, no difference.
        table[f"{name}_agrees"] = abs(difference) <= (
            WITHIN * table[f"{name}_se"] + 1e-9
        )
    table["agrees"] = table["probability_agrees"] & table["width_agrees"]
    return table


def share_error(share, n, other_share, m):
    """Return the standard error of the difference of two shares."""
    pooled = (n * share + m * other_share) / (n + m)
    return np.sqrt((pooled * (1 - pooled)).clip(lower=0) * (1 / n + 1 / m))


def mean_error(deviation, n, other_deviation, m):
    """Return the standard error of the difference of two means."""
    squares = (n - 1) * deviation.fillna(0) ** 2 + (m - 1) * other_deviation**2
    return np.sqrt(squares / (n + m - 2) * (1 / n + 1 / m))


def print_comparison(table, title, on):
    """Print the table as a reader wants it: figure +- 2 s.e., published, verdict."""
    shown = table[on].copy()
    for name, digits in (("probability", 2), ("width", 1)):
        shown[name] = [
            f"{value:.{digits}f} ({other:.{digits}f} ± {WITHIN * error:.{digits}f})"
            for value, other, error in zip(
                table[name],
                table[f"published_{name}"],
                table[f"{name}_se"],
                strict=True,
            )
        ]
    shown["verdict"] = [verdict(row) for _, row in table.iterrows()]
    print(f"\n{title}: ours (published ± two standard errors of the difference)\n")
    print(shown.to_string(index=False))
    print(f"\n{title}: {summary(table)}\n", flush=True)


def verdict(row):
    """Say whether a setting agrees, or what of it does not."""
    missed = [name for name in ("probability", "width") if not row[f"{name}_agrees"]]
    return "differs: " + ", ".join(missed) if missed else "agrees"


def summary(table):
    """Say how many settings agree."""
    n = len(table)
    counts = [
        f"{table[column].sum()} of {n} {what} ({table[column].mean():.1%})"
        for what, column in (
            ("settings agree", "agrees"),
            ("widths", "width_agrees"),
            ("interpolation probabilities", "probability_agrees"),
        )
    ]
    return ", ".join(counts)
