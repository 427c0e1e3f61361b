"""
=================================================
How few parameters memorize, and what they cost
=================================================

Yu, Gao, Zhang and Miao (2024) put three statements side by side. Few parameters suffice
to memorize: fewer than samples for any labels, and a number that does not grow at all
for a fixed distribution. A network that is narrower than the data cannot be guaranteed
to generalize. And one that is wide enough can, once there are enough samples. This page
looks at the three in turn.
"""

# %%
# Parameters against samples
# --------------------------
# Random labels first: 10 classes that mean nothing, of normally distributed samples in
# 10 dimensions. Bit extraction packs the samples into a few very long integers. The
# other constructions here work in double precision, and have a number of parameters in
# proportion to that of the samples.
#
# Beside them the nearby set, on samples of two moons: once its cells cover the moons,
# more samples change nothing.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_memorize import (
    BitExtractionClassifier,
    DeepThresholdClassifier,
    MemorizingClassifier,
    NearbySetClassifier,
    RandomReLUClassifier,
    ResidualMemorizingClassifier,
    SlabClassifier,
    SmallReLUClassifier,
)
from sklearn_memorize.constructions.bit_extraction import predict_bit_extraction
from sklearn_memorize.datasets import make_two_moons


def random_labels(n_samples):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n_samples, 10)), rng.integers(10, size=n_samples)


def broad_moons(n_samples):
    X, y = make_two_moons(n_samples, noise=0, random_state=0)
    return X + np.random.default_rng(0).uniform(-0.02, 0.02, X.shape), y


sizes = [100, 300, 1000, 3000]
curves = {
    "nearby set, two moons": (NearbySetClassifier(), broad_moons, "#8C8C8C", "*"),
    "residual blocks": (
        ResidualMemorizingClassifier(random_state=0),
        random_labels,
        "#CC79A7",
        "D",
    ),
    "small ReLU": (SmallReLUClassifier(random_state=0), random_labels, "#D55E00", "^"),
    "slabs": (SlabClassifier(random_state=0), random_labels, "#009E73", "s"),
    "bit extraction": (
        BitExtractionClassifier(random_state=0),
        random_labels,
        "#0072B2",
        "o",
    ),
}

figure, ax = plt.subplots(layout="constrained")
for name, (estimator, samples, color, marker) in curves.items():
    n_parameters = []
    for n_samples in sizes:
        X, y = samples(n_samples)
        estimator.fit(X, y)
        assert estimator.score(X, y) == 1.0
        n_parameters.append(estimator.network_.n_parameters)
    ax.plot(sizes, n_parameters, color=color, marker=marker, label=name)

further = np.logspace(3.5, 6, 6)
predicted = [predict_bit_extraction(int(n), 10, 10).n_parameters(10) for n in further]
ax.plot(further, predicted, "--", color="#0072B2", label="bit extraction, predicted")
everything = np.append(sizes, further)
ax.plot(everything, 2 * everything + 10, ":", color="black", label="2 N + d")
ax.set(xscale="log", yscale="log", xlabel="training samples N", ylabel="parameters")
ax.legend()
plt.show()

# %%
# In this plot a slope of 1 is proportionality, and 1/2 a square root. The dotted line
# is a network of one hidden layer that any textbook has (Zhang et al., 2017); bit
# extraction is below it from about 1,000 samples on. Parameters are not memory: those
# of bit extraction have hundreds of bits; the table in :ref:`parameters-against-n`
# counts them.
#
# Networks narrower than the data
# -------------------------------
# The few parameters of bit extraction and small ReLU networks see the samples along
# one direction. Here the class is a matter of one direction out of 64, and not the one
# they look along.

rng = np.random.default_rng(0)
rotation = np.linalg.qr(rng.standard_normal((64, 64)))[0]


def one_direction_decides(n_samples):
    label = rng.integers(2, size=n_samples)
    X = rng.normal(0, 0.05, size=(n_samples, 64))
    X[:, 0] = np.where(label == 1, 0.25, -0.25)
    return X @ rotation, label


networks = {
    "bit extraction": (BitExtractionClassifier(random_state=0), "#0072B2", "o"),
    "small ReLU": (SmallReLUClassifier(random_state=0), "#D55E00", "^"),
    "deep threshold": (DeepThresholdClassifier(random_state=0), "#E69F00", "v"),
    "random ReLU": (RandomReLUClassifier(random_state=0), "#56B4E9", "P"),
    "random hyperplanes": (
        MemorizingClassifier(hyperplanes="random", n_draws=4, random_state=0),
        "#000000",
        "X",
    ),
    "nearby set": (NearbySetClassifier(), "#8C8C8C", "*"),
}
X, y = one_direction_decides(500)
X_test, y_test = one_direction_decides(1000)

figure, ax = plt.subplots(layout="constrained")
print(f"{'':20}{'directions':>12}{'training':>10}{'test':>8}")
for name, (estimator, color, marker) in networks.items():
    estimator.fit(X, y)
    if name == "nearby set":
        # Differences of samples, too many to write out.
        n_directions = np.linalg.matrix_rank(X)
    else:
        first = estimator.network_.layers[0].weights
        n_directions = np.linalg.matrix_rank(first.astype(float))
    accuracy = estimator.score(X_test, y_test)
    print(f"{name:20}{n_directions:12}{estimator.score(X, y):10}{accuracy:8}")
    ax.plot(n_directions, accuracy, marker, color=color, markersize=10, label=name)
ax.axhline(0.5, color="black", linestyle=":", label="chance")
ax.axvline(64, color="black", linestyle="--", linewidth=1, label="features")
ax.set_xscale("log", base=2)
ax.set(
    xlabel="directions along which the first layer sees the samples",
    ylabel="test accuracy (training accuracy is 1)",
    ylim=(0.4, 1.02),
)
ax.legend(loc="center left")
plt.show()

# %%
# All of them recall every training sample. The two that see one direction guess: the
# theorem says that for any network narrower than the data there is a distribution on
# which it does no better. Others get along with 16 directions on *this* one, and only
# those that see all 64 do not depend on luck.
#
# Accuracy against the sample size of the theorem
# -----------------------------------------------
# What is sufficient? For a distribution with a *nearby set* S (each point of its
# support has a point of S of its own label within c / 3.1, where c is the distance of
# the classes), the nearby-set network has accuracy 1 - eps with probability 1 - delta,
# once
#
# .. math:: N \ge \frac{|S|}{\epsilon} \ln \frac{|S|}{\delta} .
#
# A distribution of which S is known: 100 small squares on a grid, each with a label of
# its own. Any point of a square is near to all others of it, so that S has one point
# for each square.

n_squares, breadth, delta = 10, 0.14, 0.05
square_labels = np.random.default_rng(1).integers(2, size=(n_squares, n_squares))
class_distance = 1 - breadth
assert breadth * 2**0.5 <= class_distance / 3.1


def squares(n_samples, rng):
    square = rng.integers(n_squares, size=(n_samples, 2))
    X = square + rng.uniform(-breadth / 2, breadth / 2, size=(n_samples, 2))
    return X, square_labels[tuple(square.T)]


n_samples = np.unique(np.logspace(1.5, 4, 11).astype(int))
accuracies = []
for n in n_samples:
    of_draws = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        classifier = NearbySetClassifier().fit(*squares(n, rng))
        of_draws.append(classifier.score(*squares(2000, rng)))
    accuracies.append(of_draws)
accuracies = np.array(accuracies)

n_centers = n_squares**2
guaranteed = 1 - n_centers * np.log(n_centers / delta) / n_samples

figure, ax = plt.subplots(layout="constrained")
ax.plot(n_samples, accuracies.mean(axis=1), "o-", color="#0072B2", label="mean")
ax.fill_between(
    n_samples,
    accuracies.min(axis=1),
    accuracies.max(axis=1),
    color="#0072B2",
    alpha=0.2,
    label="least and largest of 5 draws",
)
ax.plot(n_samples, guaranteed, "--", color="#D55E00", label="guaranteed (95 %)")
ax.set(
    xscale="log",
    ylim=(0.4, 1.02),
    xlabel="training samples N",
    ylabel="test accuracy",
)
ax.legend()
plt.show()

assert (accuracies.min(axis=1) >= guaranteed).all()

# %%
# The theorem holds, with room to spare: it asks for every square to be hit, in the
# worst case, and a network that has missed a few is wrong on these alone. The number of
# squares is what matters, and not the number of samples. Real data do not tell how many
# squares they have.
#
# .. rubric:: References
#
# L. Yu, X.-S. Gao, L. Zhang, Y. Miao, "Generalizability of memorization neural
# networks", NeurIPS 2024.
#
# C. Zhang, S. Bengio, M. Hardt, B. Recht, O. Vinyals, "Understanding deep learning
# requires rethinking generalization", ICLR 2017.
