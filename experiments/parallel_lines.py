"""Two parallel lines: hyperplanes, covers and decision regions as the lines approach.

    python experiments/parallel_lines.py [--full] [--repeats N] [--output FOLDER]

The paper shows a picture, no table; the CSV file holds the sizes behind ours.
"""

import matplotlib.pyplot as plt
import pandas as pd
from _comparison import parse_arguments, study_options

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.datasets import make_parallel_lines
from sklearn_memorize.model_selection import interpolation_study
from sklearn_memorize.plotting import HyperplaneDisplay

DISTANCES = (0.8, 0.4, 0.2)
WIDTHS = (50, 200, 800)


def main(argv=None):
    """Draw one network for each distance, and tell the sizes of many."""
    arguments = parse_arguments(__doc__, quick=20, full=100, argv=argv)
    classifier = MemorizingClassifier(
        hyperplanes="random",
        separating_hyperplanes=False,
        max_bias=1.0,
        one_sided=True,
        center=False,
        n_draws=1,
        decision="network",
    )
    figure, axes = plt.subplots(
        1, len(DISTANCES), figsize=(15, 3.7), layout="constrained"
    )
    tables = []
    for ax, distance in zip(axes, DISTANCES, strict=True):
        X, y = make_parallel_lines(400, distance=distance, random_state=0)
        network = classifier.set_params(n_hyperplanes=200, random_state=0).fit(X, y)
        HyperplaneDisplay.from_estimator(network, X, y, ax=ax, max_hyperplanes=100)
        ax.get_legend().remove()
        ax.set_title(
            f"distance {distance}: {network.second_layer_widths_.sum()} neurons"
        )
        study = interpolation_study(
            classifier,
            X,
            y,
            param_grid={"n_hyperplanes": WIDTHS},
            **study_options(arguments),
        )
        tables.append(pd.DataFrame(study).assign(distance=distance))
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5
    )
    figure.savefig(arguments.output / "parallel_lines.png", dpi=150)
    table = pd.concat(tables, ignore_index=True)
    table.to_csv(arguments.output / "parallel_lines.csv", index=False)
    columns = ["distance", "param_n_hyperplanes", "interpolation_probability"]
    columns += ["mean_second_layer_width", "std_second_layer_width"]
    print("\nParallel lines (no published figures)\n")
    print(table[columns].to_string(index=False))
    return table


if __name__ == "__main__":
    main()
