"""MNIST: how the width of the second layer levels off as the first one grows.

All 70,000 digits, one class against the rest, n = 1000 and 4000 (with --full 8000).

    python experiments/mnist_wide.py [--full] [--repeats N] [--output FOLDER]

The digits are read from the folder data/mnist below $SKLEARN_MEMORIZE_DATA (by default
../shared), or else fetched from OpenML.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _comparison import (
    compare,
    parse_arguments,
    print_comparison,
    published,
    study_options,
)
from _mnist import load_digits

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.model_selection import interpolation_study

SETTING = ["n_hyperplanes", "max_bias"]


def main(argv=None):
    """Run the study, draw it, and compare it with the published one."""
    arguments = parse_arguments(__doc__, quick=3, full=25, argv=argv)
    theirs = published("mnist_wide.csv")
    if not arguments.full:
        theirs = theirs[theirs["n_hyperplanes"] <= 4000]
    X, y = load_digits()
    study = interpolation_study(
        MemorizingClassifier(
            hyperplanes="random",
            separating_hyperplanes=False,
            center=False,
            n_draws=1,
            decision="network",
        ),
        X,
        y,
        param_grid={name: sorted(theirs[name].unique().tolist()) for name in SETTING},
        **study_options(arguments),
    )
    ours = pd.DataFrame(study).rename(columns=lambda name: name.removeprefix("param_"))
    table = compare(ours, theirs, SETTING)
    draw(table).savefig(arguments.output / "mnist_wide.png", dpi=150)
    table.to_csv(arguments.output / "mnist_wide.csv", index=False)
    print_comparison(table, "MNIST, wide", SETTING)
    return table


def draw(table):
    """Draw our widths as points and the published ones as lines, with 2 s.e."""
    figure, ax = plt.subplots(layout="constrained")
    colors = ("#0072B2", "#D55E00", "#009E73")
    markers = ("o", "^", "s")
    for (max_bias, rows), color, marker in zip(
        table.groupby("max_bias"), colors, markers, strict=True
    ):
        positions = np.log2(rows["n_hyperplanes"])
        ax.plot(positions, rows["published_width"], color=color, alpha=0.5)
        ax.errorbar(
            positions,
            rows["width"],
            yerr=2 * rows["width_se"],
            fmt=marker,
            color=color,
            capsize=3,
            label=f"λ = {max_bias}",
        )
    ticks = sorted(table["n_hyperplanes"].unique())
    ax.set_xticks(np.log2(ticks), [str(tick) for tick in ticks])
    ax.set(xlabel="hyperplanes n", ylabel="second-layer width")
    ax.set_ylim(bottom=0)
    ax.legend(title="points: ours, lines: published")
    return figure


if __name__ == "__main__":
    main()
