"""Draw the figures of the paper: `python packaging/paper/figures.py`.

One network is built for the first; the second shows what `experiments/` measured.
"""

import csv
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.datasets import make_two_moons
from sklearn_memorize.plotting import HyperplaneDisplay
from sklearn_memorize.plotting._style import look

HERE = Path(__file__).parent
MEASURED = HERE.parents[1] / "experiments" / "measured"
NOISY = ("MemorizingClassifier", "random forest", "SVC C=10", "5-NN", "1-NN")
GROWING = ("bit extraction", "small ReLU", "residual", "random hyperplanes, moons")


def main() -> None:
    """Write both figures into the folder of this script."""
    draw_theorem().savefig(HERE / "theorem.png", dpi=150)
    draw_measured().savefig(HERE / "measured.png", dpi=150)


def draw_theorem() -> Figure:
    """Draw hyperplanes, and the covers of their codes, of two moons."""
    X, y = make_two_moons(150, noise=0.1, random_state=0)
    model = MemorizingClassifier(
        hyperplanes="random", n_hyperplanes=100, n_draws=1, random_state=0
    ).fit(X, y)
    if not model.interpolates_:
        raise RuntimeError("the figure is to show a network that memorizes")
    figure = Figure(figsize=(8.4, 3.4), layout="constrained")
    HyperplaneDisplay.from_estimator(model, X, y, ax=figure.subplots())
    return figure


def draw_measured() -> Figure:
    """Draw accuracy against wrong labels, and parameters against samples."""
    figure = Figure(figsize=(8.4, 3.6), layout="constrained")
    noise, size = figure.subplots(1, 2)
    for number, row in enumerate(read("label_noise.csv", "classifier", NOISY)):
        levels = [name for name in row if name.endswith("%")]
        wrong = [float(name.removesuffix(" %")) for name in levels]
        accuracy = [float(row[name]) for name in levels]
        noise.plot(wrong, accuracy, label=row["classifier"], **look(number))
    noise.set(xlabel="wrong training labels, %", ylabel="accuracy on true labels, %")
    noise.legend(fontsize="small")
    for number, name in enumerate(GROWING):
        rows = read("parameters_against_n.csv", "construction", [name])
        rows = [row for row in rows if row["how"] == "built"]
        n_samples, n_parameters = np.array(
            [(int(row["N"]), int(row["parameters"])) for row in rows]
        ).T
        size.plot(n_samples, n_parameters, label=name, **look(number))
    size.set(xscale="log", yscale="log", xlabel="samples N", ylabel="parameters")
    size.legend(fontsize="small")
    return figure


def read(name: str, column: str, values) -> list[dict]:
    """Return the rows of a table whose column has one of the values, in their order."""
    with (MEASURED / name).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = [row for value in values for row in rows if row[column] == value]
    missing = set(values) - {row[column] for row in found}
    if missing:
        raise ValueError(f"{name} has no row for {sorted(missing)}")
    return found


if __name__ == "__main__":
    main()
