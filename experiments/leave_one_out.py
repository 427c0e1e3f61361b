"""`loo_score_` beside five-fold cross-validation, on the 40 tabular data sets.

    python experiments/leave_one_out.py [--data wine iris] [--measured FOLDER]

For each data set, with features standardized: `loo_score_` of one fit to all rows, and
the accuracy over five stratified folds, each of which is predicted by a network that
was fitted to the other four. Writes a table and a figure to `measured/`.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from _tabular import listed, load
from matplotlib.figure import Figure
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.exceptions import ConflictingLabelsWarning

HERE = Path(__file__).parent


def row_of(name):
    """Return both accuracies of a data set, and what each of them took."""
    data = load(name)
    model = make_pipeline(
        StandardScaler(), MemorizingClassifier(hyperplanes="adapted", random_state=0)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConflictingLabelsWarning)
        start = time.process_time()
        loo_score = model.fit(data.X, data.y)[-1].loo_score_
        fitted = time.process_time()
        folds = StratifiedKFold(5, shuffle=True, random_state=0)
        scores = cross_val_score(model, data.X, data.y, cv=folds)
        stopped = time.process_time()
    sizes = [len(test) for _, test in folds.split(data.X, data.y)]
    accuracy = np.average(scores, weights=sizes)
    return {
        "data set": name,
        "half": data.half,
        "loo_score_, %": round(100 * loo_score, 2),
        "five folds, %": round(100 * accuracy, 2),
        "difference": round(100 * (loo_score - accuracy), 2),
        "one fit, s": float(f"{fitted - start:.3g}"),
        "five folds, s": float(f"{stopped - fitted:.3g}"),
    }


def summary(table):
    """Return means over the halves and over all sets."""
    parts = {
        "dev": table[table["half"] == "dev"],
        "test": table[table["half"] == "test"],
    }
    rows = {}
    for name, part in {**parts, "all": table}.items():
        difference = part["difference"]
        rows[name] = {
            "sets": len(part),
            "mean absolute difference, points": round(difference.abs().mean(), 2),
            "mean difference, points": round(difference.mean(), 2),
            "largest, points": round(difference.abs().max(), 2),
            "correlation": round(
                np.corrcoef(part["loo_score_, %"], part["five folds, %"])[0, 1], 4
            ),
        }
    return pd.DataFrame(rows).T.astype({"sets": int})


def draw(table):
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.add_subplot()
    low = min(table["loo_score_, %"].min(), table["five folds, %"].min()) - 2
    axes.plot([low, 100], [low, 100], color="0.6", linewidth=1)
    for half, color in (("dev", "C0"), ("test", "C1")):
        part = table[table["half"] == half]
        axes.plot(
            part["five folds, %"], part["loo_score_, %"], "o", color=color, label=half
        )
    farthest = table["difference"].abs().sort_values().index[-4:]
    for _, row in table.loc[farthest].iterrows():
        axes.annotate(
            row["data set"],
            (row["five folds, %"], row["loo_score_, %"]),
            xytext=(6, -3),
            textcoords="offset points",
            fontsize="small",
        )
    axes.set(
        xlabel="accuracy of five-fold cross-validation, %",
        ylabel="loo_score_ of one fit, %",
        aspect="equal",
    )
    axes.legend(title="half", loc="upper left")
    axes.grid(alpha=0.3)
    return figure


def main(argv=None):
    """Measure each data set, then write the tables and the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = [row["dataset"] for row in listed()]
    parser.add_argument("--data", nargs="+", choices=known, default=known)
    parser.add_argument("--measured", type=Path, default=HERE / "measured")
    arguments = parser.parse_args(argv)
    rows = []
    with threadpool_limits(1):
        for name in arguments.data:
            rows.append(row_of(name))
            print(*rows[-1].values(), sep=" | ", flush=True)
    table = pd.DataFrame(rows)
    arguments.measured.mkdir(parents=True, exist_ok=True)
    table.to_csv(arguments.measured / "leave_one_out.csv", index=False)
    found = summary(table)
    print(found.to_string())
    found.to_csv(
        arguments.measured / "leave_one_out_summary.csv", index_label="data sets"
    )
    draw(table).savefig(arguments.measured / "leave_one_out.png", dpi=150)


if __name__ == "__main__":
    main()
