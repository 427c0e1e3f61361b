"""
Are the probabilities worth something?
======================================

A network that recalls every training label is always right about them, so its training
samples cannot tell how often it errs. :class:`~sklearn_memorize.MemorizingClassifier`
finds that out by leaving samples out, in closed form: it skips the neuron that was made
from a sample, and scales the votes of the others such that the probabilities fit.

Whether they do on samples that the network has not seen is read off a reliability
diagram: of all test samples whose class was predicted with a probability of about 0.7,
are 70 % that class?
"""

# %%
# Two problems where no one can be right all the time: two half-moons that overlap, and
# handwritten digits of which a fifth, in training and in test, has a random other
# label.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import CalibrationDisplay
from sklearn.datasets import load_digits, make_moons
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from sklearn_memorize import MemorizingClassifier

moons = make_moons(3000, noise=0.4, random_state=0)

X, y = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
wrong = rng.permutation(len(y))[: len(y) // 5]
y[wrong] = (y[wrong] + rng.integers(1, 10, len(wrong))) % 10
problems = {"two moons that overlap": moons, "digits, 20 % wrong labels": (X, y)}

# %%
# Every sample is predicted by a model that was fitted without it. The curves show the
# class that is predicted: its probability, and how often it is the label. A curve below
# the diagonal is too sure of itself, one above it is too cautious. The nearest
# neighbour is always sure, and five of them know six answers.
models = {
    "MemorizingClassifier": MemorizingClassifier(hyperplanes="adapted", random_state=0),
    "random forest": RandomForestClassifier(random_state=0),
    "5-NN": KNeighborsClassifier(5),
    "1-NN": KNeighborsClassifier(1),
}
figure, panels = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
for axes, (title, (X, y)) in zip(panels, problems.items(), strict=True):
    for name, model in models.items():
        probabilities = cross_val_predict(model, X, y, cv=3, method="predict_proba")
        is_right = probabilities.argmax(axis=1) == y
        CalibrationDisplay.from_predictions(
            is_right,
            probabilities.max(axis=1),
            n_bins=6,
            strategy="quantile",
            name=f"{name}, {is_right.mean():.1%} right",
            ax=axes,
        )
    axes.set(
        title=title,
        xlabel="probability of the class that is predicted",
        ylabel="share of these predictions that are right",
        xlim=(0.3, 1.02),
        ylim=(0.3, 1.02),
    )
    axes.legend(loc="lower right", fontsize="small")
plt.show()

# %%
# Nobody can be right about more than four fifths of the digits, and for nearly all of
# them a model may be equally sure. The network and the forest are a little too cautious
# about most of them there; the neighbours are too sure.
#
# All of these labels, the wrong ones too, are recalled by the network:
model = models["MemorizingClassifier"].fit(X, y)
model.interpolates_, model.score(X, y)

# %%
# That is why probabilities of *training* samples say nothing of this kind: there the
# class that is predicted is always right.
