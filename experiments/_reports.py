"""The tables and figures of the user guide that come from the 40 tabular data sets."""

from pathlib import Path

import numpy as np
import pandas as pd
from _ranking import mean_ranks
from _tabular import load
from matplotlib.figure import Figure
from scipy import stats

OURS = "MemorizingClassifier"
FOREST = "random forest"
RANDOM = "random hyperplanes"
MEASURED = Path(__file__).parent / "measured"
README = MEASURED.parents[1] / "README.md"
BEGIN, END = "<!-- accuracy: begin -->\n", "<!-- accuracy: end -->"
IN_README = ("accuracy, %", "balanced, %", "ROC AUC, %", "log loss", "mean rank")
# What noise is shown for, and how.
LINES = {
    OURS: {"color": "C0", "linewidth": 2.5, "marker": "o"},
    RANDOM: {"color": "C0", "linestyle": ":", "marker": "o"},
    FOREST: {"color": "C1", "marker": "s"},
    "extra trees": {"color": "C1", "linestyle": "--", "marker": "s"},
    "SVC C=10": {"color": "C2", "marker": "^"},
    "15-NN": {"color": "C3", "marker": "v"},
    "1-NN": {"color": "C3", "linestyle": "--", "marker": "v"},
}


def by_method(means, score):
    """Return a score, data sets by methods, of the methods that have it everywhere."""
    table = means.pivot(index="dataset", columns="method", values=score)
    return table.dropna(axis=1)


def ranks_of(table, largest_is_best):
    """Return mean ranks; figures that agree to four digits share theirs."""
    return mean_ranks(table.round(4), largest_is_best)


def written(table, digits, path, index_label):
    """Write a table whose columns are rounded to so many digits, and "n/a" for none."""
    shown = pd.DataFrame(index=table.index)
    for name, column in table.items():
        shown[name] = [
            "n/a" if pd.isna(value) else f"{value:.{digits.get(name, 1)}f}"
            for value in column
        ]
    shown.to_csv(path, index_label=index_label)


def results(means):
    """Return the mean scores, ranks and times of the methods that ran on all sets."""
    accuracy, area = by_method(means, "accuracy"), by_method(means, "roc_auc")
    parts = means[means["method"].isin(accuracy.columns)].groupby("method")
    table = pd.DataFrame(
        {
            "accuracy, %": 100 * parts["accuracy"].mean(),
            "balanced, %": 100 * parts["balanced_accuracy"].mean(),
            "ROC AUC, %": 100 * parts["roc_auc"].mean(),
            "log loss": parts["log_loss"].mean(),
            "mean rank": ranks_of(accuracy, True),
            "mean rank, AUC": ranks_of(area, True),
            "fit, s": parts["fit_time"].mean(),
            "predict, s": parts["predict_time"].mean(),
        }
    )
    return table.sort_values("accuracy, %", ascending=False)


def against_others(means):
    """Return how often ours is better, even and worse, and p by Wilcoxon's test."""
    table = by_method(means, "accuracy").round(4)
    rows = {}
    for name in results(means).index.drop(OURS):
        difference = (table[OURS] - table[name]).round(9)
        test = stats.wilcoxon(difference, zero_method="zsplit")
        rows[name] = {
            "won": (difference > 0).sum(),
            "even": (difference == 0).sum(),
            "lost": (difference < 0).sum(),
            "mean difference, points": 100 * difference.mean(),
            "p": test.pvalue,
        }
    return pd.DataFrame(rows).T


def probabilities(means):
    """Return what the probabilities of each method are worth: means and mean ranks."""
    titles = {
        "log_loss": "log loss",
        "brier": "Brier score",
        "calibration_error": "calibration error",
    }
    tables = {score: by_method(means, score) for score in titles}
    have_all = set.intersection(*(set(table.columns) for table in tables.values()))
    columns = {}
    for score, title in titles.items():
        table = tables[score][sorted(have_all)]
        columns[title] = table.mean()
        columns[f"rank, {title}"] = ranks_of(table, False)
    return pd.DataFrame(columns).sort_values("rank, log loss")


def times(means):
    """Return how the times of ours compare with those of a forest, in ratios."""
    rows = {}
    for score, title in (("fit_time", "fit"), ("predict_time", "predict")):
        table = by_method(means, score)
        for other in (FOREST, RANDOM):
            if other in table:
                ratio = table[OURS] / table[other]
                rows[f"{title} / {title} of {other}"] = {
                    "median": ratio.median(),
                    "largest": ratio.max(),
                    "of": ratio.idxmax(),
                    "sets above 2": (ratio > 2).sum(),
                }
    return pd.DataFrame(rows).T


def each_set(clean):
    """Return the accuracy of each method on each data set, with what the set is."""
    table = 100 * by_method(clean, "accuracy")
    table = table[[name for name in results(clean).index if name in table]]
    facts = {}
    for name in table.index:
        data = load(name)
        rows, of_row = np.unique(data.X, axis=0, return_inverse=True)
        pairs = np.unique(np.column_stack((of_row.ravel(), data.y)), axis=0)
        facts[name] = {
            "half": data.half,
            "rows": str(len(data.y)),
            "features": str(data.X.shape[1]),
            "classes": str(data.y.max() + 1),
            "contradictory": str((np.bincount(pairs[:, 0]) > 1).sum()),
        }
    return pd.DataFrame(facts).T, table


def without_scaler(means):
    """Return mean accuracies with and without StandardScaler, of those that have both.

    The last columns are differences of single data sets.
    """
    clean = means[means["noise"] == 0]
    table = clean.pivot(
        index=["method", "dataset"], columns="scaling", values="accuracy"
    ).dropna()
    gap = (table["none"] - table["standard"]).groupby("method")
    parts = 100 * table.groupby("method").mean()
    return pd.DataFrame(
        {
            "data sets": gap.size(),
            "scaled, %": parts["standard"],
            "as they are, %": parts["none"],
            "difference, points": 100 * gap.mean(),
            "worst set, points": 100 * gap.min(),
        }
    )


def label_noise(means):
    """Return the mean accuracy on true labels, methods by shares of wrong labels."""
    means = means[means["scaling"] == "standard"]
    sets = means.loc[means["noise"] > 0, "dataset"].unique()
    means = means[means["dataset"].isin(sets)]
    n_sets = means.pivot_table("dataset", "method", "noise", aggfunc="count")
    table = 100 * means.pivot_table("accuracy", "method", "noise")
    table = table.where(n_sets == len(sets)).dropna()
    table.columns = [f"{100 * share:.0f} %" for share in table.columns]
    return table.sort_values(table.columns[-1], ascending=False)


def draw_label_noise(table):
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    shares = [float(name.split()[0]) for name in table.columns]
    for name, style in LINES.items():
        if name in table.index:
            axes.plot(shares, table.loc[name], label=name, **style)
    axes.set(
        xlabel="training labels that are wrong, %",
        ylabel="accuracy on true labels, %",
        xticks=shares,
    )
    axes.legend(fontsize="small", handlelength=3.5)
    axes.grid(alpha=0.3)
    return figure


def write_reports(means, folder):
    """Write all of it to the folder."""
    clean = means.query("scaling == 'standard' and noise == 0")
    methods = clean["method"].unique()
    if clean["dataset"].nunique() < 40 or OURS not in methods:
        return  # a trial of some sets
    two, three = dict.fromkeys(("mean rank", "mean rank, AUC"), 2), 3
    for half in ("dev", "test"):
        of_half = clean[clean["half"] == half]
        digits = {**two, "log loss": 2, "fit, s": three, "predict, s": three}
        table = results(of_half)
        written(table, digits, folder / f"generalization_{half}.csv", "classifier")
        digits = {"won": 0, "even": 0, "lost": 0, "mean difference, points": 2, "p": 3}
        pairs = against_others(of_half)
        path = folder / f"generalization_{half}_pairs.csv"
        written(pairs, digits, path, "against")
    table = probabilities(clean)
    digits = {name: 2 if "rank" in name else 3 for name in table.columns}
    written(table, digits, folder / "probabilities.csv", "classifier")
    table = times(clean)
    table[["median", "largest"]] = table[["median", "largest"]].astype(float).round(2)
    table.to_csv(folder / "generalization_times.csv", index_label="ratio of times")
    facts, table = each_set(clean)
    pd.concat((facts, table.round(1)), axis=1).to_csv(
        folder / "generalization_sets.csv", index_label="data set"
    )
    table = without_scaler(means)
    digits = {"data sets": 0, "difference, points": 2, "worst set, points": 1}
    written(table, digits, folder / "without_scaler.csv", "classifier")
    table = label_noise(means)
    if table.shape[1] > 1:
        written(table, {}, folder / "label_noise.csv", "classifier")
        figure = draw_label_noise(table)
        figure.savefig(folder / "label_noise.png", dpi=150)
    if folder.resolve() == MEASURED.resolve():
        write_readme()


def readme_table(folder=MEASURED):
    """Return the table of the README, in Markdown: the half to report on."""
    table = pd.read_csv(
        folder / "generalization_test.csv", dtype=str, keep_default_na=False
    )
    table = table[["classifier", *IN_README]]
    lines = [table.columns, ["---"] * table.shape[1], *table.to_numpy()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_readme(path=README):
    """Write the table into the README, between its two marks."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(before + BEGIN + readme_table() + END + after, encoding="utf-8")
