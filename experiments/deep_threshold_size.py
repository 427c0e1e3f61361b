"""The size of deep threshold networks, beside the bounds of the theorem.

Pairs of points of different classes lie on the unit sphere at distance delta, with
random labels. The theorem (Rajput et al., 2021) bounds the neurons by
c (log2(N) / delta + sqrt(N)) and the weights by c (d log2(N) / delta + N); the ratios
must stay below one constant c over the whole grid.

    python experiments/deep_threshold_size.py [--n-draws 5] [--output FILE]
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

from sklearn_memorize import DeepThresholdClassifier

SAMPLES = (100, 300, 1000, 3000, 10_000)
DISTANCES = (1.0, 0.3, 0.1, 0.03, 0.01)
N_FEATURES = 10


def pairs_on_the_sphere(n_samples, distance, rng):
    """Return random pairs at a distance, on the unit sphere, of different classes."""
    first, direction = rng.standard_normal((2, n_samples // 2, N_FEATURES))
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    direction -= (direction * first).sum(axis=1, keepdims=True) * first
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    angle = 2 * np.arcsin(distance / 2)
    y = rng.integers(2, size=n_samples // 2)
    second = np.cos(angle) * first + np.sin(angle) * direction
    return np.vstack([first, second]), np.concatenate([y, 1 - y])


def measure(n_samples, distance, seed):
    """Return neurons and weights of one network, and the two bounds for c = 1."""
    X, y = pairs_on_the_sphere(n_samples, distance, np.random.default_rng(seed))
    network = DeepThresholdClassifier(random_state=seed).fit(X, y).network_
    log_over_distance = np.log2(n_samples) / distance
    return (
        network.n_neurons,
        network.n_parameters,
        log_over_distance + np.sqrt(n_samples),
        N_FEATURES * log_over_distance + n_samples,
    )


def plot(table, output):
    """Draw sizes against bounds; the slope of the line is the constant."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4), constrained_layout=True)
    panels = (
        ("neurons", r"$\log_2 N / \delta + \sqrt{N}$"),
        ("weights", r"$d \log_2 N / \delta + N$"),
    )
    for column, (axis, (name, bound)) in enumerate(zip(axes, panels, strict=True)):
        for distance in DISTANCES:
            rows = table[table[:, 1] == distance]
            axis.loglog(
                rows[:, 4 + column],
                rows[:, 2 + column],
                "o",
                label=rf"$\delta = {distance:g}$",
            )
        constant = (table[:, 2:4] / table[:, 4:6]).max()
        ends = np.array([table[:, 4 + column].min(), table[:, 4 + column].max()])
        axis.loglog(ends, constant * ends, "k--", label=f"c = {constant:.1f}")
        axis.set(xlabel=bound, ylabel=name)
        axis.legend()
    figure.savefig(output, dpi=150)


def main():
    """Measure the grid, print the ratios, save the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-draws", type=int, default=5)
    parser.add_argument("--output", default="deep_threshold_size.png")
    options = parser.parse_args()
    rows = []
    print("     N  delta   neurons / bound   weights / bound   (largest of the draws)")
    for n_samples in SAMPLES:
        for distance in DISTANCES:
            draws = np.array(
                [measure(n_samples, distance, seed) for seed in range(options.n_draws)]
            )
            rows += [(n_samples, distance, *draw) for draw in draws]
            ratios = (draws[:, :2] / draws[:, 2:]).max(axis=0)
            print(
                f"{n_samples:6d}  {distance:5g}   {ratios[0]:15.1f}   {ratios[1]:15.1f}"
            )
    table = np.array(rows)
    print(f"one constant for all: c = {(table[:, 2:4] / table[:, 4:6]).max():.1f}")
    plot(table, options.output)
    print(f"saved {options.output}")


if __name__ == "__main__":
    main()
