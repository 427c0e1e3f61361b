"""Excess risk of interpolating classifiers against N, under label noise.

    python experiments/consistency.py           # up to 500 samples, once: a minute
    python experiments/consistency.py --full    # up to 8,000: ten minutes on a core
    python experiments/consistency.py --full --only 1-NN slabs    # these anew

Three distributions whose Bayes risk is known: two moons in bands that do not meet,
Gaussian blobs that overlap, and a board of fields with random labels near their
borders. A share of 0, 10, 20 or 30 % of all labels is flipped. All interpolators of the
package learn from N samples, recall them all, and predict 2,000 new ones. The excess
risk is how much more often they are wrong about noisy labels than the best classifier,
which knows the distribution. Where it falls to 0 with N, interpolation is benign; where
it levels off, tempered; where it is that of guessing, catastrophic (N. Mallinar et al.,
2022). Means over all samples with the weights r^-beta are all three, by D. Barzilai,
G. Kornowski, O. Shamir (*Beyond benign overfitting in Nadaraya-Watson interpolators*,
2025): benign for beta = d, tempered above, catastrophic below.

`--full` draws three training sets of each size, two from 4,000 samples on: the excess
is their mean, beside its standard error. Writes `measured/consistency.csv` and `.png`.
"""

import argparse
import csv
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.neighbors import KNeighborsClassifier

from sklearn_memorize import (
    BitExtractionClassifier,
    DeepThresholdClassifier,
    InterpolatingNeighborsClassifier,
    MemorizingClassifier,
    MemorizingRegressor,
    NarrowClassifier,
    NearbySetClassifier,
    RandomReLUClassifier,
    ResidualMemorizingClassifier,
    RobustMemorizingClassifier,
    SlabClassifier,
    SmallReLUClassifier,
)

HERE = Path(__file__).parent
NAME = "consistency"
NOISE = (0.0, 0.1, 0.2, 0.3)
# How many times each size is drawn.
QUICK = {125: 1, 250: 1, 500: 1}
FULL = {125: 3, 250: 3, 500: 3, 1000: 3, 2000: 3, 4000: 2, 8000: 2}
N_TEST = 2000
COLUMNS = (
    "distribution",
    "noise",
    "classifier",
    "N",
    "excess",
    "standard error",
    "Bayes risk",
    "seconds",
)


class Thresholded:
    """A regressor of the labels 0 and 1 as a classifier: 1 above a half."""

    def __init__(self, regressor):
        self.regressor = regressor

    def fit(self, X, y):
        self.regressor.fit(X, y.astype(float))
        return self

    def predict(self, X):
        return (self.regressor.predict(X) > 0.5).astype(int)


# Each with the most samples that it is given: some take long for more.
CLASSIFIERS = {
    "interpolating neighbours": (InterpolatingNeighborsClassifier(), 8000),
    "Hilbert kernel": (InterpolatingNeighborsClassifier(weights="hilbert"), 8000),
    "all samples, r^-2d": (InterpolatingNeighborsClassifier(n_neighbors=10**9), 8000),
    "all samples, r^-d/2": (InterpolatingNeighborsClassifier(n_neighbors=10**9), 8000),
    "MemorizingRegressor > 1/2": (MemorizingRegressor(random_state=0), 8000),
    "MemorizingClassifier": (MemorizingClassifier(random_state=0), 8000),
    "random hyperplanes": (
        MemorizingClassifier(hyperplanes="random", random_state=0),
        8000,
    ),
    "1-NN": (KNeighborsClassifier(1), 8000),
    "robust, 0.5": (RobustMemorizingClassifier(), 8000),
    "nearby set": (NearbySetClassifier(), 8000),
    "random ReLU": (
        RandomReLUClassifier(maximum_margin=False, random_state=0),
        1000,
    ),
    "residual blocks": (ResidualMemorizingClassifier(random_state=0), 4000),
    "slabs": (SlabClassifier(random_state=0), 8000),
    "small ReLU": (SmallReLUClassifier(random_state=0), 8000),
    "deep threshold": (DeepThresholdClassifier(random_state=0), 2000),
    "bit extraction": (BitExtractionClassifier(random_state=0), 8000),
    "width 2": (NarrowClassifier(random_state=0), 8000),
}
# Exponents, in units of the number of features.
EXPONENTS = {"all samples, r^-2d": 2.0, "all samples, r^-d/2": 0.5}
# Drawn with solid lines.
PREDICTING = 6
TICKS = (125, 500, 2000, 8000)
# Smaller ones are drawn here, for the axis is logarithmic.
LEAST = 1e-4


# Rows, and the probability of class 1 of each.


def moons(n, rng):
    """Two moons around which samples lie in a band: classes apart, Bayes risk 0."""
    of_upper = rng.random(n) < 0.5
    angle = np.pi * rng.random(n)
    radius = 1 + rng.uniform(-0.2, 0.2, n)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    X = np.where(of_upper[:, None], np.c_[x, y], np.c_[1 - x, 0.5 - y])
    return X, np.where(of_upper, 0.0, 1.0)


def blobs(n, rng):
    """Two Gaussians in five dimensions, at a distance of 2 standard deviations."""
    labels = rng.integers(2, size=n)
    X = rng.standard_normal((n, 5))
    X[:, 0] += 2.0 * labels - 1.0
    return X, 1 / (1 + np.exp(-2 * X[:, 0]))


def board(n, rng):
    """A board of 4 x 4 fields; within a tenth of a border labels are half random."""
    X = 4 * rng.random((n, 2))
    color = np.floor(X).astype(int).sum(axis=1) % 2
    near = np.abs(X - np.rint(X)).min(axis=1) < 0.1
    return X, np.where(near, 0.25 + 0.5 * color, color)


DISTRIBUTIONS = {"moons": moons, "blobs": blobs, "board": board}


def sample(distribution, n, noise, rng):
    """Return rows, noisy labels, and the probability of a noisy label 1."""
    X, shares = DISTRIBUTIONS[distribution](n, rng)
    shares = noise + (1 - 2 * noise) * shares
    return X, (rng.random(n) < shares).astype(int), shares


def excess(predicted, shares):
    """Return how much more often than the best answers these are wrong, exactly.

    Not labels are compared, which would add their own noise, but their probabilities.
    """
    risk = np.where(predicted == 1, 1 - shares, shares)
    return float(np.mean(risk - np.minimum(shares, 1 - shares)))


def measure(distribution, noise, sizes, names):
    """Yield the rows of the table for one distribution and share of noise."""
    X_new, _, shares = sample(distribution, N_TEST, noise, np.random.default_rng(99))
    bayes = float(np.minimum(shares, 1 - shares).mean())
    for name in names:
        estimator, most = CLASSIFIERS[name]
        for n in (size for size in sizes if size <= most):
            found, seconds = [], 0.0
            for seed in range(sizes[n]):
                rng = np.random.default_rng(seed)
                X, y, _ = sample(distribution, n, noise, rng)
                start = time.process_time()
                model = clone(estimator)
                if name in EXPONENTS:
                    model.set_params(exponent=EXPONENTS[name] * X.shape[1])
                if name.startswith("MemorizingRegressor"):
                    model = Thresholded(model)
                model.fit(X, y)
                assert (model.predict(X) == y).all(), f"{name} does not interpolate"
                found.append(excess(model.predict(X_new), shares))
                seconds += time.process_time() - start
            known = (distribution, noise, name, n)
            row = (*known, np.mean(found), standard_error(found), bayes, seconds)
            yield dict(zip(COLUMNS, row, strict=True))


def standard_error(numbers):
    """Return the standard error of the mean; of one number there is none."""
    if len(numbers) == 1:
        return np.nan
    return float(np.std(numbers, ddof=1) / np.sqrt(len(numbers)))


def rows_there(path):
    """Return the rows of an earlier run."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["N"] = int(row["N"])
        for column in ("noise", *COLUMNS[4:]):
            row[column] = float(row[column])
    return rows


def in_order(row):
    """Return what rows are sorted by."""
    place = list(DISTRIBUTIONS).index(row["distribution"])
    return place, row["noise"], list(CLASSIFIERS).index(row["classifier"]), row["N"]


def save(rows, folder):
    """Write the table and the figure."""
    rows = sorted(rows, key=in_order)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{NAME}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            digits = dict.fromkeys(("excess", "standard error", "Bayes risk"), ".4f")
            digits["seconds"] = ".2g"
            short = {key: format(row[key], how) for key, how in digits.items()}
            writer.writerow(row | short)
    plot(rows).savefig(folder / f"{NAME}.png", dpi=110)


def plot(rows):
    """Draw excess risk against N: a panel for each distribution and share of noise."""
    from matplotlib.figure import Figure

    names = list(DISTRIBUTIONS)
    figure = Figure(figsize=(14, 9.5), layout="constrained")
    axes = figure.subplots(len(names), len(NOISE), sharex=True, sharey=True)
    markers = "osD^vPX*<>hdp8H1+"
    for row_of_axes, distribution in zip(axes, names, strict=True):
        for ax, noise in zip(row_of_axes, NOISE, strict=True):
            here = [
                row
                for row in rows
                if (row["distribution"], row["noise"]) == (distribution, noise)
            ]
            for number, name in enumerate(CLASSIFIERS):
                curve = [
                    (row["N"], max(row["excess"], LEAST), row["standard error"])
                    for row in here
                    if row["classifier"] == name
                ]
                if curve:
                    style = "-" if number < PREDICTING else "--"
                    color = f"C{number % 10}"
                    marker = markers[number]
                    ax.errorbar(
                        *zip(*curve, strict=True),
                        linestyle=style,
                        color=color,
                        marker=marker,
                        markersize=4,
                        label=name,
                    )
            if here:  # a coin is wrong half of the time
                ax.axhline(0.5 - here[0]["Bayes risk"], color="black", linewidth=0.5)
            ax.set(
                xscale="log", yscale="log", title=f"{distribution}, {noise:.0%} noise"
            )
            ax.set_xticks(TICKS, [f"{n:,}" for n in TICKS])
            ax.set_xticks([], minor=True)
    for ax in axes[:, 0]:
        ax.set_ylabel("excess risk")
    for ax in axes[-1]:
        ax.set_xlabel("samples N")
    handles, labels = axes[-1, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6)
    return figure


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="more samples, more often")
    parser.add_argument("--only", nargs="+", choices=CLASSIFIERS, help="these anew")
    parser.add_argument("--output", type=Path, default=HERE / "measured")
    options = parser.parse_args(argv)
    sizes = FULL if options.full else QUICK
    names = options.only or list(CLASSIFIERS)
    rows = rows_there(options.output / f"{NAME}.csv")
    rows = [row for row in rows if row["classifier"] not in names]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for distribution in DISTRIBUTIONS:
            for noise in NOISE:
                rows += measure(distribution, noise, sizes, names)
                seconds = sum(row["seconds"] for row in rows)
                print(distribution, noise, f"{seconds:.0f} s", flush=True)
                save(rows, options.output)
    print(f"saved {options.output / NAME}.csv and .png")


if __name__ == "__main__":
    main()
