"""The second layer's width against the mutual covering, over growing samples.

The theory bounds the width of the second layer by M-, the number of balls in a mutual
covering of the classes (up to constants), however many samples there are. On Two Moons
with more and more samples both numbers stay flat. Writes `width_against_covering.csv`
and `.png` to `experiments/output`. Run as

    python experiments/width_against_covering.py [--largest 100000]
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.datasets import make_two_moons
from sklearn_memorize.inspection import mutual_covering

OUTPUT = Path(__file__).resolve().parent / "output"
N_HYPERPLANES = 2000
N_REPEATS = 5


def measure(n_samples: int, seed: int) -> tuple[int, int, int]:
    """Return the second-layer width, with random and greedy centers, and M-."""
    X, y = make_two_moons(n_samples, random_state=seed)
    widths = []
    for n_draws in (1, 10):
        classifier = MemorizingClassifier(
            hyperplanes="random",
            n_hyperplanes=N_HYPERPLANES,
            n_draws=n_draws,
            keep="best",
            random_state=seed,
        ).fit(X, y)
        assert classifier.interpolates_
        widths.append(int(classifier.second_layer_widths_.sum()))
    covering = mutual_covering(X, y, random_state=seed)
    return widths[0], widths[1], int(covering.n_own.sum())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=100_000, help="samples at most")
    largest = parser.parse_args().largest
    sizes = [n for k in range(2, 7) for n in (10**k, 3 * 10**k) if n <= largest]
    rows = []
    for n_samples in sizes:
        figures = [measure(n_samples, seed) for seed in range(N_REPEATS)]
        rows.append((n_samples, *np.mean(figures, axis=0)))
        print(*rows[-1], flush=True)
    save(rows)


def save(rows):
    OUTPUT.mkdir(exist_ok=True)
    names = ("one draw", "best of 10 draws", "balls of the covering, M-")
    with open(OUTPUT / "width_against_covering.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("n_samples", "width", "width_best_of_10", "n_balls"))
        writer.writerows(rows)
    n_samples, *curves = zip(*rows, strict=True)
    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    for name, curve, style in zip(names, curves, ("o-", "s-", "k^--"), strict=True):
        ax.plot(n_samples, curve, style, label=name)
    ax.set(
        xscale="log",
        ylim=(0, 1.1 * np.max(curves)),
        xlabel="samples of Two Moons",
        ylabel="neurons of the second layer, or balls",
        title=f"{N_HYPERPLANES} hyperplanes, mean of {N_REPEATS} samples",
    )
    ax.legend()
    figure.savefig(OUTPUT / "width_against_covering.png", dpi=150)


if __name__ == "__main__":
    main()
