"""
=====================================
Size is geometry, not sample size
=====================================

The theorem behind `MemorizingClassifier` bounds the second layer by the number of balls
that cover each class at a distance from the others, and not by the number of samples.
So when more and more samples of the same two moons arrive, the network should stop
growing.
"""

# %%
# `sample_size_study` fits nested stratified subsets.

import matplotlib.pyplot as plt

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.datasets import make_parallel_lines, make_two_moons
from sklearn_memorize.model_selection import sample_size_study
from sklearn_memorize.plotting import SampleSizeDisplay

X, y = make_two_moons(20_000, noise=0.05, random_state=0)
study = sample_size_study(
    MemorizingClassifier(hyperplanes="random", n_draws=1),
    X,
    y,
    sizes=[200, 1000, 5000, 20_000],
    param_grid={"n_hyperplanes": [300, 1000]},
    n_repeats=5,
    random_state=0,
)
display = SampleSizeDisplay.from_study(study)
display.ax_.set_xscale("log")
plt.show()

# %%
# A hundred times the samples, and a few neurons more. What growth there is has a cause:
# more noisy samples bring the moons closer together, and then 300 hyperplanes are few.
#
# What does make the network grow is a small distance between the classes. Two parallel
# lines need more neurons the closer they are, in proportion to the inverse of their
# distance.

import numpy as np

distances = [0.8, 0.4, 0.2, 0.1]
widths = []
for distance in distances:
    X, y = make_parallel_lines(1000, distance=distance, random_state=0)
    networks = [
        MemorizingClassifier(
            hyperplanes="random", n_hyperplanes=2000, n_draws=1, random_state=seed
        ).fit(X, y)
        for seed in range(5)
    ]
    assert all(network.interpolates_ for network in networks)
    widths.append([network.second_layer_widths_.sum() for network in networks])
widths = np.array(widths)

figure, ax = plt.subplots(layout="constrained")
ax.errorbar(
    1 / np.array(distances),
    widths.mean(axis=1),
    yerr=widths.std(axis=1, ddof=1) / 5**0.5,
    color="#0072B2",
    marker="o",
    capsize=3,
)
ax.set(xlabel="1 / distance of the lines", ylabel="second-layer width")
ax.set_xlim(left=0)
ax.set_ylim(bottom=0)
plt.show()
