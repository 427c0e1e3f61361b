"""Two Moons: interpolation probability and width over hyperplanes and biases.

1,000 samples with noise 0.05, one class memorized, n in 50..500, lambda in 0..2.5.

    python experiments/moons_heat_maps.py [--full] [--repeats N] [--output FOLDER]
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

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.datasets import make_two_moons
from sklearn_memorize.model_selection import interpolation_study
from sklearn_memorize.plotting import InterpolationDisplay

SETTING = ["n_hyperplanes", "max_bias"]


def main(argv=None):
    """Run the study, draw it, and compare it with the published one."""
    arguments = parse_arguments(__doc__, quick=50, full=50, argv=argv)
    theirs = published("moons.csv")
    X, y = make_two_moons(1000, noise=0.05, random_state=0)
    study = interpolation_study(
        MemorizingClassifier(
            hyperplanes="random",
            separating_hyperplanes=False,
            one_sided=True,
            center=False,
            n_draws=1,
            decision="network",
        ),
        X,
        y,
        param_grid={name: sorted(theirs[name].unique().tolist()) for name in SETTING},
        **study_options(arguments),
    )
    figure, axes = plt.subplots(1, 2, figsize=(14, 5), layout="constrained")
    for ax, value in zip(
        axes, ("interpolation_probability", "mean_second_layer_width"), strict=True
    ):
        InterpolationDisplay.from_study(study, value=value, ax=ax)
    figure.suptitle(f"Two Moons, 1,000 samples, {arguments.repeats} runs a setting")
    figure.savefig(arguments.output / "moons_heat_maps.png", dpi=150)
    ours = pd.DataFrame(study).rename(columns=lambda name: name.removeprefix("param_"))
    table = compare(ours, theirs, SETTING)
    table.to_csv(arguments.output / "moons_heat_maps.csv", index=False)
    print_comparison(table, "Two Moons", SETTING)
    return table


if __name__ == "__main__":
    main()
