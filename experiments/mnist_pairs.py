"""MNIST, digit 1 memorized against 9: the width as the samples grow.

Nested stratified subsets of 10 % to 100 %, lambda = 0.5, n = 500, 5000 and 10000.

    python experiments/mnist_pairs.py [--full] [--repeats N] [--output FOLDER]

Each run of ours has a subset of its own. The published runs of one size seem to share
theirs: their deviations leave out the luck of the subset, so that more than one in
twenty settings differ, and those of one size together.

The digits are read from the folder data/mnist below $SKLEARN_MEMORIZE_DATA (by default
../shared), or else fetched from OpenML.
"""

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
from sklearn_memorize.model_selection import sample_size_study
from sklearn_memorize.plotting import SampleSizeDisplay

SETTING = ["percent", "n_hyperplanes"]


def main(argv=None):
    """Run the study, draw it, and compare it with the published one."""
    arguments = parse_arguments(__doc__, quick=5, full=25, argv=argv)
    theirs = published("mnist_1_vs_9_size.csv")
    theirs["percent"] = [int(name.rpartition("_")[2]) for name in theirs["dataset"]]
    percents = sorted(theirs["percent"].unique().tolist())
    widths = sorted(theirs["n_hyperplanes"].unique().tolist())
    X, digit = load_digits()
    chosen = (digit == 1) | (digit == 9)
    study = sample_size_study(
        MemorizingClassifier(
            hyperplanes="random",
            separating_hyperplanes=False,
            max_bias=0.5,
            one_sided=True,
            center=False,
            n_draws=1,
            decision="network",
        ),
        X[chosen],
        digit[chosen] == 1,
        sizes=[percent / 100 for percent in percents],
        param_grid={"n_hyperplanes": widths},
        **study_options(arguments),
    )
    display = SampleSizeDisplay.from_study(study)
    display.ax_.set_title(f"MNIST, 1 against 9, {arguments.repeats} runs a setting")
    display.figure_.savefig(arguments.output / "mnist_pairs.png", dpi=150)
    ours = pd.DataFrame(study).rename(columns=lambda name: name.removeprefix("param_"))
    ours["percent"] = (100 * ours["n_samples"] / chosen.sum()).round().astype(int)
    table = compare(ours, theirs, SETTING)
    table.to_csv(arguments.output / "mnist_pairs.csv", index=False)
    print_comparison(table, "MNIST, 1 against 9", SETTING)
    return table


if __name__ == "__main__":
    main()
