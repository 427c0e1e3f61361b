"""Tables and critical differences of classifiers on many data sets.

J. Demsar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7,
2006.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

SCORES = {
    "accuracy": "accuracy, %",
    "balanced_accuracy": "balanced, %",
    "roc_auc": "ROC AUC, %",
    "log_loss": "log loss",
    "train_accuracy": "training, %",
    "fit_time": "fit, s",
    "predict_time": "predict, s",
}
IN_PERCENT = ("accuracy", "balanced_accuracy", "roc_auc", "train_accuracy")


def mean_ranks(scores, largest_is_best=True):
    """Return the mean rank of each column over the rows; 1 is the best."""
    ranks = scores.rank(axis=1, ascending=not largest_is_best)
    return ranks.mean().sort_values()


def differing_pairs(scores, level=0.05):
    """Return the pairs of columns that differ: Wilcoxon's test, Holm's correction.

    Of m pairs in the order of their p-values p_1 <= p_2 <= ..., those before the first
    p_k > level / (m - k + 1) differ.
    """
    names = list(scores.columns)
    pairs = []
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            difference = (scores[first] - scores[second]).round(9)
            if (difference == 0).all():
                pairs.append((1.0, first, second))
            else:
                test = stats.wilcoxon(difference, zero_method="zsplit")
                pairs.append((float(test.pvalue), first, second))
    pairs.sort()
    differ = set()
    for k, (p, first, second) in enumerate(pairs):
        if p > level / (len(pairs) - k):
            break
        differ.add(frozenset((first, second)))
    return differ


def groups(ranks, differ):
    """Return the longest runs, in the order of ranks, of columns that do not differ."""
    names, found = list(ranks.index), []
    for start in range(len(names)):
        stop = start + 1
        while stop < len(names) and not any(
            frozenset((names[stop], other)) in differ for other in names[start:stop]
        ):
            stop += 1
        is_new = not found or stop > found[-1][1]
        if stop - start > 1 and is_new:
            found.append((start, stop))
    return found


def draw_critical_differences(scores):
    """Return a figure of the mean ranks; a bar joins methods that do not differ."""
    ranks = mean_ranks(scores)
    bars = groups(ranks, differing_pairs(scores))
    n, n_left = len(ranks), (len(ranks) + 1) // 2
    low, high = np.floor(ranks.min()), np.ceil(ranks.max())
    first_name = 1.0 + 0.35 * len(bars)
    figure = Figure(figsize=(9, 1.2 + 0.28 * (first_name + n_left)))
    axes = figure.add_axes((0.02, 0.02, 0.96, 0.9))
    margin = 0.75 * (high - low)
    axes.set_xlim(low - margin, high + margin)
    axes.set_ylim(first_name + 0.8 * n_left, -0.9)
    axes.axis("off")
    axes.plot([low, high], [0, 0], color="black", linewidth=1)
    for tick in np.arange(low, high + 1):
        axes.plot([tick, tick], [-0.15, 0], color="black", linewidth=1)
        axes.text(tick, -0.25, f"{tick:.0f}", ha="center", va="bottom")
    for number, (name, rank) in enumerate(ranks.items()):
        is_left = number < n_left
        height = first_name + 0.75 * (number if is_left else n - 1 - number)
        edge = low - 0.1 if is_left else high + 0.1
        axes.plot([rank, rank, edge], [0, height, height], color="0.4", linewidth=0.8)
        axes.text(
            edge,
            height,
            f" {name} ({rank:.2f}) ",
            ha="right" if is_left else "left",
            va="center",
        )
    for number, (start, stop) in enumerate(bars):
        ends = ranks.iloc[start] - 0.03, ranks.iloc[stop - 1] + 0.03
        axes.plot(ends, [0.4 + 0.35 * number] * 2, color="black", linewidth=3)
    return figure


def summary(means):
    """Return the mean scores and ranks of each method, the best accuracy first.

    Ranks are among the methods that ran on all of the data sets; accuracies that agree
    to four digits share theirs.
    """
    parts = means.groupby("method")
    table = parts[list(SCORES)].mean()
    table.insert(0, "sets", parts.size())
    table = table[table["sets"] == table["sets"].max()]
    for score in ("accuracy", "roc_auc", "log_loss"):
        pivot = means.pivot(index="dataset", columns="method", values=score)
        pivot = pivot[[name for name in table.index if pivot[name].notna().all()]]
        ranks = mean_ranks(pivot.round(4), largest_is_best=score != "log_loss")
        table[f"rank of {SCORES[score].split(',')[0]}"] = ranks
    table["median fit, s"] = parts["fit_time"].median()
    for score in IN_PERCENT:
        table[score] *= 100
    table = table.rename(columns=SCORES)
    return table.sort_values("accuracy, %", ascending=False)


def markdown(table, index_name):
    """Return a data frame as a Markdown table."""
    lines = [" | ".join([index_name, *map(str, table.columns)])]
    lines.append(" | ".join(["---"] * (table.shape[1] + 1)))
    for name, row in table.iterrows():
        lines.append(" | ".join([str(name), *(as_text(value) for value in row)]))
    return "".join(f"| {line} |\n" for line in lines)


def as_text(value):
    if pd.isna(value):
        return "-"
    if float(value).is_integer() and abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 20 else f"{value:.3f}"


def write_tables(means, path):
    """Write all tables to one Markdown file."""
    parts = ["# Measured by experiments/generalization.py\n"]
    for scaling, title in (
        ("standard", "StandardScaler in front"),
        ("none", "no scaler"),
    ):
        for half in ("dev", "test"):
            is_chosen = (means["scaling"] == scaling) & (means["half"] == half)
            chosen = means[is_chosen & (means["noise"] == 0)]
            if len(chosen):
                parts.append(f"## Half {half!r}, {title}\n")
                parts.append(markdown(summary(chosen), "method"))
    noisy = means[means["noise"] > 0]
    if len(noisy):
        sets = noisy["dataset"].unique()
        noisy = means[means["dataset"].isin(sets) & (means["scaling"] == "standard")]
        table = 100 * noisy.pivot_table("accuracy", "method", "noise")
        table.columns = [f"{100 * share:.0f} % wrong" for share in table.columns]
        parts.append(f"## Wrong labels: accuracy on true ones, {len(sets)} sets\n")
        parts.append(markdown(table, "method"))
    clean = means.query("scaling == 'standard' and noise == 0")
    if len(clean):
        table = 100 * clean.pivot(index="dataset", columns="method", values="accuracy")
        parts.append("## Accuracy, %, each data set\n")
        parts.append(markdown(table.round(1), "data set"))
    path.write_text("\n".join(parts), encoding="utf-8")
