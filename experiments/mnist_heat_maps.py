"""MNIST: interpolation probability and width over hyperplanes and biases.

All 70,000 digits, one class against the rest, n in 100..500, lambda in 0..2.5.

    python experiments/mnist_heat_maps.py [--full] [--repeats N] [--output FOLDER]

The digits are read from the folder data/mnist below $SKLEARN_MEMORIZE_DATA (by default
../shared), or else fetched from OpenML.
"""

import matplotlib.pyplot as plt
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
from sklearn_memorize.plotting import InterpolationDisplay

SETTING = ["n_hyperplanes", "max_bias"]


def main(argv=None):
    """Run the study, draw it, and compare it with the published one."""
    arguments = parse_arguments(__doc__, quick=3, full=25, argv=argv)
    theirs = published("mnist.csv")
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
    figure, axes = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
    for ax, value in zip(
        axes, ("interpolation_probability", "mean_second_layer_width"), strict=True
    ):
        InterpolationDisplay.from_study(study, value=value, ax=ax)
    figure.suptitle(f"MNIST, 70,000 samples, {arguments.repeats} runs a setting")
    figure.savefig(arguments.output / "mnist_heat_maps.png", dpi=150)
    ours = pd.DataFrame(study).rename(columns=lambda name: name.removeprefix("param_"))
    table = compare(ours, theirs, SETTING)
    table.to_csv(arguments.output / "mnist_heat_maps.csv", index=False)
    print_comparison(table, "MNIST", SETTING)
    return table


if __name__ == "__main__":
    main()
