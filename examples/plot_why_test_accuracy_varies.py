"""
====================================================
Why test accuracy varies so much among memorizers
====================================================

All classifiers of this package recall every training sample. On new samples some do as
well as the nearest neighbour, others no better than guessing. This page shows why: a
network can only generalize in directions that it looks at.
"""

# %%
# The same data, memorized in several ways
# ----------------------------------------
# Training accuracy is 1 for every construction. The test accuracies of the digits reach
# from chance (0.1) to almost 1.

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from sklearn_memorize import (
    DeepThresholdClassifier,
    MemorizingClassifier,
    NearbySetClassifier,
    SmallReLUClassifier,
)
from sklearn_memorize.model_selection import compare_generalization
from sklearn_memorize.plotting import GeneralizationDisplay

X, y = load_digits(return_X_y=True)
comparison = compare_generalization(
    {
        "random hyperplanes": MemorizingClassifier(),
        "nearby set": NearbySetClassifier(),
        "deep threshold": DeepThresholdClassifier(),
        "small ReLU": SmallReLUClassifier(),
        "1-NN": KNeighborsClassifier(1),
    },
    X[:900],
    y[:900],
    cv=3,
    random_state=0,
)
columns = ["estimator", "train_accuracy", "test_accuracy", "n_neurons", "n_parameters"]
print(pd.DataFrame(comparison)[columns].round(3).to_string(index=False))
GeneralizationDisplay.from_study(comparison)
plt.show()

# %%
# The small networks are small because they look at the data through very few
# directions: the ReLU network of width sqrt(N) projects all samples onto *one* line, on
# which neighbours have nothing to do with each other. That suffices to tell N training
# samples apart, as their theorems say. It says nothing of a new one.
#
# Width below the number of features
# ----------------------------------
# Yu, Gao, Zhang and Miao (2024) prove that this is no accident: a memorizing network
# whose width is less than the number d of features cannot be guaranteed to generalize;
# there are distributions on which it does no better than chance.
#
# For an experiment, let a memorizing network see the digits only through k random
# directions. The projection is a linear layer of width k in front of the network, so
# that the whole is a network with a layer of width k.

from sklearn.pipeline import make_pipeline
from sklearn.random_projection import GaussianRandomProjection

n_directions = [2, 4, 8, 16, 32, 64]
narrow = {
    f"k = {k}": make_pipeline(GaussianRandomProjection(k), MemorizingClassifier())
    for k in n_directions
}
comparison = compare_generalization(narrow, X[:900], y[:900], cv=5, random_state=0)
print(pd.DataFrame(comparison)[columns].round(3).to_string(index=False))

# %%
# Digits are kind: they lie near a surface of about ten dimensions, and a network does
# not need all 64 directions. The distributions of the theorem are not kind. Here is
# one: the class is a matter of one direction, and all other directions are noise. The
# network is as good as the share of the deciding direction that it gets to see.

import numpy as np

rng = np.random.default_rng(0)
label = rng.integers(2, size=800)
unkind = rng.normal(0, 0.1, size=(800, 64))
unkind[:, 0] = np.where(label == 1, 0.25, -0.25)
hidden = compare_generalization(narrow, unkind, label, cv=5, random_state=0)

figure, ax = plt.subplots(layout="constrained")
for name, study, color, marker in (
    ("digits (chance: 0.1)", comparison, "#0072B2", "o"),
    ("one direction in 64 decides (chance: 0.5)", hidden, "#D55E00", "^"),
):
    accuracy = study["test_accuracy"]
    reach = [
        accuracy - study["test_accuracy_low"],
        study["test_accuracy_high"] - accuracy,
    ]
    ax.errorbar(
        n_directions, accuracy, reach, label=name, color=color, marker=marker, capsize=3
    )
ax.axhline(1, color="black", linestyle=":", label="training accuracy, everywhere")
ax.set_xscale("log", base=2)
ax.set_xticks(n_directions, [str(k) for k in n_directions])
ax.set(xlabel="width k of the narrowest layer", ylabel="accuracy", ylim=(0, 1.05))
ax.legend()
plt.show()

# %%
# The networks memorize at every width, and both curves come down towards chance as the
# network gets narrow. So a network that memorizes and is meant to generalize has to be
# wide (random hyperplanes, nearby sets), and one that is meant to be small pays with
# everything but the training set.
#
# Width is necessary, and not sufficient: with enough directions the test accuracy is a
# matter of how much room each training sample claims around it. The nearby-set network
# comes with a theorem about that; the vote of `MemorizingClassifier` comes with
# measurements.
#
# .. rubric:: References
#
# L. Yu, X.-S. Gao, L. Zhang, Y. Miao, "Generalizability of memorization neural
# networks", NeurIPS 2024.
