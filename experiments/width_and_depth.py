"""Parameters, width and depth of bit extraction along the trade-off, with its bounds.

Random labels of 10 classes, 20 features. Networks of at most so many layers are built
with the fewest parameters, and with the smallest width; all recall every label.

    python experiments/width_and_depth.py [--output FOLDER]

Writes a table and a figure, `measured/width_and_depth.csv` and `.png` by default, which
the documentation shows. It takes about half a minute.
"""

import argparse
import csv
import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sklearn_memorize import BitExtractionClassifier
from sklearn_memorize.constructions.bit_extraction._given_depth import bound_of_depth

HERE = Path(__file__).parent
NAME = "width_and_depth"
SIZES = (1000, 10_000)
N_FEATURES, N_CLASSES = 20, 10
DEPTHS = (3, 5, 10, 20, 30, 50, 70, 100, 150, 200, 300, 400, 500, 700, 1000, 2000)
COLUMNS = (
    "N",
    "fewest",
    "at most layers",
    "depth",
    "parameters",
    "bound",
    "width",
    "width^2 depth^2 / (N rho)",
    "rho",
    "bits per weight",
    "training accuracy",
)
COLORS = {1000: "#0072B2", 10_000: "#D55E00"}


def random_labels(n_samples, seed=0):
    """Return samples whose labels mean nothing."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, N_FEATURES))
    return X, rng.integers(N_CLASSES, size=n_samples)


def measure(n_samples, fewest, n_layers):
    """Return the row of a network that is built."""
    X, y = random_labels(n_samples)
    model = BitExtractionClassifier(n_layers=n_layers, fewest=fewest, random_state=0)
    network = model.fit(X, y).network_
    rho, width = network.shape.first_bits, max(network.widths)
    bound = bound_of_depth(n_samples, N_FEATURES, rho, N_CLASSES, n_layers, fewest)
    if fewest == "parameters":
        bounded = bound.n_parameters(N_FEATURES)
    else:
        widest = 17 * math.sqrt(rho * n_samples)
        bounded = round(widest / (n_layers - 5) + 7) if n_layers > 5 else ""
    product = (width * network.depth) ** 2 / (n_samples * rho)
    return dict(
        zip(
            COLUMNS,
            (
                n_samples,
                fewest,
                n_layers,
                network.depth,
                network.n_parameters,
                bounded,
                width,
                float(f"{product:.3g}"),
                rho,
                network.bits_per_weight,
                float(model.score(X, y)),
            ),
            strict=True,
        )
    )


def save(rows, folder):
    """Write the table and the figure."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{NAME}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    figure = plot(rows)
    figure.savefig(folder / f"{NAME}.png", dpi=110)
    plt.close(figure)


def plot(rows):
    """Draw what was built with marks, and bounds with lines."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for n_samples, color in COLORS.items():
        built = [row for row in rows if row["N"] == n_samples]
        few = [row for row in built if row["fewest"] == "parameters"]
        layers = [row["at most layers"] for row in few]
        left.plot(
            layers, [row["parameters"] for row in few], "o", color=color,
            label=f"N = {n_samples:,}",
        )  # fmt: skip
        left.plot(layers, [row["bound"] for row in few], color=color, label="bound")
        narrow = [row for row in built if row["fewest"] == "width"]
        layers = [row["at most layers"] for row in narrow]
        widths = [row["width"] for row in narrow]
        right.plot(layers, widths, "o", color=color, label=f"N = {n_samples:,}")
        bounds = [row["bound"] for row in narrow]
        right.plot(layers[2:], bounds[2:], color=color, label="bound")
    left.set(title="fewest parameters", ylabel="parameters")
    right.set(title="smallest width", ylabel="width")
    for ax in (left, right):
        ax.set(xscale="log", yscale="log", xlabel="layers, at most")
        ax.legend()
    return figure


def main(argv=None):
    """Build and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=HERE / "measured")
    options = parser.parse_args(argv)
    rows = []
    for n_samples in SIZES:
        for fewest in ("parameters", "width"):
            for n_layers in DEPTHS:
                rows.append(measure(n_samples, fewest, n_layers))
                print(*rows[-1].values(), flush=True)
    save(rows, options.output)
    print(f"saved {options.output / NAME}.csv and .png")


if __name__ == "__main__":
    main()
