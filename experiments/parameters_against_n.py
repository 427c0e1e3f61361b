"""Parameters, depth and bits per weight of every construction against N.

N normally distributed samples in 10 dimensions with 10 random classes, and for the two
constructions whose size is a matter of geometry also N samples of two moons with a gap
between them. Networks of up to 10,000 samples are built; beyond that, sizes are those
of the theorem's formula, or carried on from the last decade where the theorem leaves
its constants open.

    python experiments/parameters_against_n.py [--only NAME ...] [--output FOLDER]

Writes a table and a figure, `measured/parameters_against_n.csv` and `.png` by default,
which the documentation shows; with `--only`, the other rows stay as they are. All of it
takes about seven minutes on one idle core, five of them for random ReLU.
"""

import argparse
import csv
import math
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter

from sklearn_memorize import MemorizingClassifier, NearbySetClassifier
from sklearn_memorize.constructions import all_constructions
from sklearn_memorize.datasets import make_two_moons
from sklearn_memorize.inspection._capacity import bits_per_parameter

HERE = Path(__file__).parent
NAME = "parameters_against_n"
N_FEATURES, N_CLASSES = 10, 10
BUILT_SIZES = (100, 300, 1000, 3000, 10_000)
PREDICTED_SIZES = (10**5, 10**6, 10**7, 10**8)
JITTER = 0.02
COLUMNS = (
    "construction",
    "N",
    "how",
    "parameters",
    "neurons",
    "depth",
    "bits per weight",
    "training accuracy",
    "fit seconds",
)
BUILT, FORMULA, CARRIED_ON = "built", "formula", "carried on"


def random_labels(n_samples, seed=0):
    """Return samples whose labels mean nothing."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, N_FEATURES))
    return X, rng.integers(N_CLASSES, size=n_samples)


def moons_with_a_gap(n_samples, seed=0):
    """Return samples of two moons of a certain breadth, at a distance."""
    X, y = make_two_moons(n_samples, noise=0, random_state=seed)
    rng = np.random.default_rng(seed)
    return X + rng.uniform(-JITTER, JITTER, X.shape), y


@dataclass(frozen=True)
class Data:
    """What formulas want to know of random labels, for any number of samples."""

    n_samples: int
    n_features = N_FEATURES
    n_classes = N_CLASSES
    rank = N_FEATURES
    distance = delta = omega = math.nan
    n_own_balls = n_rest_balls = np.ones(N_CLASSES)

    @property
    def n_given(self):
        return self.n_samples

    @cached_property
    def class_sizes(self):
        return np.full(N_CLASSES, self.n_samples // N_CLASSES)


@dataclass(frozen=True)
class Case:
    """An estimator, its data, and what its theorem predicts for random labels."""

    estimator: object
    data: object = random_labels
    predict_size: object = None


# Each network as its theorem has it, and without what only costs time here.
PARAMETERS = {
    "hyperplanes": "random",
    "random_state": 0,
    "n_draws": 1,
    "maximum_margin": False,
}


def as_in_its_theorem(construction):
    """Return the construction's first estimator."""
    estimator = construction.estimators[0]()
    known = PARAMETERS.keys() & estimator.get_params().keys()
    return estimator.set_params(**{name: PARAMETERS[name] for name in known})


CONSTRUCTIONS = {
    construction.name: Case(
        as_in_its_theorem(construction), predict_size=construction.predict_size
    )
    for construction in all_constructions()
    if construction.builds_network
} | {
    "random hyperplanes, moons": Case(
        MemorizingClassifier(
            hyperplanes="random",
            separating_hyperplanes=False,
            n_draws=1,
            random_state=0,
        ),
        moons_with_a_gap,
    ),
    "nearby set, moons": Case(NearbySetClassifier(), moons_with_a_gap),
}


def formula(name, n_samples):
    """Return the sizes that the theorem names, None where it leaves constants open."""
    predict_size = CONSTRUCTIONS[name].predict_size
    prediction = predict_size and predict_size(Data(n_samples), None)
    if not prediction or prediction.depth is None:
        return None
    parameters, neurons = round(prediction.n_parameters), round(prediction.n_neurons)
    return parameters, neurons, prediction.depth, prediction.bits_per_weight


def build(name, n_samples):
    """Return the row of a network that is built."""
    case = CONSTRUCTIONS[name]
    X, y = case.data(n_samples)
    start = time.process_time()
    model = case.estimator.fit(X, y)
    seconds = time.process_time() - start
    network = model.network_
    # The longest weight where weights are integers of unlike length, else the mean.
    bits = getattr(network, "bits_per_weight", None) or bits_per_parameter(network)
    return {
        "construction": name,
        "N": n_samples,
        "how": BUILT,
        "parameters": network.n_parameters,
        "neurons": network.n_neurons,
        "depth": network.depth,
        "bits per weight": round(bits, 1),
        "training accuracy": float(model.score(X, y)),
        "fit seconds": float(f"{seconds:.2g}"),
    }


def predict(name, built):
    """Return the rows of networks that are too large to build."""
    rows = []
    sizes_left = [n for n in BUILT_SIZES if n > built[-1]["N"]]
    for n_samples in (*sizes_left, *PREDICTED_SIZES):
        row = dict.fromkeys(COLUMNS, "") | {"construction": name, "N": n_samples}
        sizes, row["how"] = formula(name, n_samples), FORMULA
        if sizes is None:
            sizes, row["how"] = carried_on(built, n_samples), CARRIED_ON
        keys = ("parameters", "neurons", "depth", "bits per weight")
        rows.append(row | dict(zip(keys, sizes, strict=True)))
    return rows


def carried_on(built, n_samples):
    """Carry the power laws of the last decade on."""
    last = built[-1]
    before = next(row for row in built if row["N"] == last["N"] // 10)
    decades = math.log10(n_samples / last["N"])
    sizes = []
    for key in ("parameters", "neurons"):
        sizes.append(float(f"{last[key] * (last[key] / before[key]) ** decades:.2g}"))
    # Depth, if it grows, grows with the logarithm.
    depth = last["depth"] + round(decades * (last["depth"] - before["depth"]))
    return int(sizes[0]), int(sizes[1]), depth, last["bits per weight"]


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


STYLES = {
    "bit extraction": ("#0072B2", "o"),
    "width 2": ("#882255", "h"),
    "small ReLU": ("#D55E00", "^"),
    "slabs": ("#009E73", "s"),
    "residual": ("#CC79A7", "D"),
    "deep threshold": ("#E69F00", "v"),
    "random ReLU": ("#56B4E9", "P"),
    "random hyperplanes": ("#000000", "X"),
    "nearby set": ("#8C8C8C", "*"),
    "robust": ("#8B4513", "h"),
    "random hyperplanes, moons": ("#000000", "x"),
    "nearby set, moons": ("#8C8C8C", "+"),
}


def plot(rows):
    """Draw what was built with marks, and what was not with dashes."""
    figure, axes = plt.subplots(1, 3, figsize=(14, 6), layout="constrained")
    panels = ("parameters", "depth", "bits per weight")
    for ax, key in zip(axes, panels, strict=True):
        for name in CONSTRUCTIONS:
            color, marker = STYLES.get(name, ("#F0E442", "."))
            of_name = [row for row in rows if row["construction"] == name]
            if not of_name:
                continue
            curve = [(row["N"], row[key]) for row in of_name]
            marked = [(row["N"], row[key]) for row in of_name if row["how"] == BUILT]
            ax.plot(*zip(*marked, strict=True), color=color, marker=marker, label=name)
            ax.plot(*zip(*curve[len(marked) - 1 :], strict=True), "--", color=color)
        ax.set(xscale="log", yscale="log", xlabel="samples N", title=key)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(LogLocator(numticks=20))
            axis.set_minor_formatter(NullFormatter())
    sizes = np.array(BUILT_SIZES + PREDICTED_SIZES)
    axes[0].plot(
        sizes, 2 * sizes + N_FEATURES, ":", color="#D55E00", label="2 N + d (Zhang)"
    )
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def rows_there(folder):
    """Return the rows of an earlier run, numbers as numbers."""
    path = folder / f"{NAME}.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for key in COLUMNS:
            if key not in ("construction", "how") and row[key] != "":
                number = float(row[key])
                row[key] = int(number) if number == int(number) else number
    return rows


def main(argv=None):
    """Build, predict, and save after each construction."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=CONSTRUCTIONS, help="these again")
    parser.add_argument("--output", type=Path, default=HERE / "measured")
    options = parser.parse_args(argv)
    rows = {name: [] for name in CONSTRUCTIONS}
    if options.only:
        for row in rows_there(options.output):
            rows[row["construction"]].append(row)
    for name in options.only or CONSTRUCTIONS:
        built = []
        for n_samples in BUILT_SIZES:
            built.append(build(name, n_samples))
            print(*built[-1].values(), flush=True)
        rows[name] = built + predict(name, built)
        save([row for name in rows for row in rows[name]], options.output)
    print(f"saved {options.output / NAME}.csv and .png")


if __name__ == "__main__":
    main()
