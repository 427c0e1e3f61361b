"""Two Moons: the width of the second layer as the samples grow to a million.

10^5 to 10^6 samples with noise 0.05, one class memorized, lambda = 1.

    python experiments/moons_sample_size.py [--full] [--repeats N] [--output FOLDER]
"""

import pandas as pd
from _comparison import (
    compare,
    parse_arguments,
    print_comparison,
    published,
    study_options,
)

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.datasets import make_two_moons
from sklearn_memorize.model_selection import interpolation_study
from sklearn_memorize.plotting import SampleSizeDisplay

SETTING = ["n_samples", "n_hyperplanes"]


def main(argv=None):
    """Run the study, draw it, and compare it with the published one."""
    arguments = parse_arguments(__doc__, quick=10, full=100, argv=argv)
    theirs = published("moons_size.csv")
    theirs["n_samples"] = [
        1000 * int(name.rpartition("_")[2].removesuffix("k"))
        for name in theirs["dataset"]
    ]
    widths = sorted(theirs["n_hyperplanes"].unique().tolist())
    ours = pd.concat(
        [run(n, widths, arguments) for n in sorted(theirs["n_samples"].unique())],
        ignore_index=True,
    )
    display = SampleSizeDisplay.from_study(ours)
    display.ax_.set_title(f"Two Moons, λ = 1, {arguments.repeats} runs a setting")
    display.figure_.savefig(arguments.output / "moons_sample_size.png", dpi=150)
    ours = ours.rename(columns=lambda name: name.removeprefix("param_"))
    table = compare(ours, theirs, SETTING)
    table.to_csv(arguments.output / "moons_sample_size.csv", index=False)
    print_comparison(table, "Two Moons, growing", SETTING)
    return table


def run(n_samples, widths, arguments):
    """Return the study of one sample size, as a data frame."""
    X, y = make_two_moons(int(n_samples), noise=0.05, random_state=0)
    study = interpolation_study(
        MemorizingClassifier(
            hyperplanes="random",
            separating_hyperplanes=False,
            max_bias=1.0,
            one_sided=True,
            center=False,
            n_draws=1,
            decision="network",
        ),
        X,
        y,
        param_grid={"n_hyperplanes": widths},
        # Hyperplanes of its own for each size, so that the sizes err independently.
        **study_options(arguments) | {"random_state": int(n_samples)},
    )
    return pd.DataFrame(study).assign(n_samples=n_samples)


if __name__ == "__main__":
    main()
