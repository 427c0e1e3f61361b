"""
===============
Getting started
===============

A network that *memorizes* returns the right label for every training sample, without
exception. `MemorizingClassifier` does not train one, it constructs one, in three
layers: random hyperplanes, neurons that each cover a piece of one class, and an output.
Here it memorizes points that we can see, then pictures of digits.
"""

# %%
# Two moons
# ---------
# The half circles come with labels 0 and 1. `fit` draws hyperplanes, here just so many
# that the picture stays readable, and ends by predicting every training sample:
# `interpolates_` says that all of them came back right. (By default hyperplanes are
# drawn until that is so, in four independent draws.)

import matplotlib.pyplot as plt

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.datasets import make_two_moons
from sklearn_memorize.plotting import CoverageDisplay, HyperplaneDisplay

X, y = make_two_moons(300, noise=0.05, random_state=0)
model = MemorizingClassifier(
    hyperplanes="random", n_hyperplanes=60, n_draws=1, random_state=1
)
model.fit(X, y)
print("memorized:", model.interpolates_)
print("training accuracy:", model.score(X, y))
print("network:", model.network_)

# %%
# The first layer cuts the plane into cells: all points of a cell look the same to the
# rest of the network. Neighbouring cells are shaded differently here.

HyperplaneDisplay.from_estimator(model, X, y, show_cells=True, show_covers=False)
plt.show()

# %%
# Each neuron of the second layer belongs to a training sample (a star). It fires on a
# piece of the plane that holds its own sample and others of the class, and no training
# sample of the other class. The pieces of a class cover the class: that is the whole
# proof that the network memorizes. How many neurons it takes is a matter of the shape
# of the classes, and not of the number of samples.

HyperplaneDisplay.from_estimator(model, X, y, max_hyperplanes=0)
plt.show()

# %%
# Digits
# ------
# The same in 64 dimensions, with ten classes, inside the tools of scikit-learn. Nothing
# has to be tuned to memorize; what the memorizing network says of *new* samples is a
# different question, which cross-validation answers.

from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score

X, y = load_digits(return_X_y=True)
model = MemorizingClassifier(random_state=0).fit(X, y)
print("memorized:", model.interpolates_)
print("network:", model.network_)
print("test accuracy:", cross_val_score(model, X, y, cv=5).mean().round(3))

# %%
# That network is four in one: hyperplanes are drawn four times (`n_draws=4`), each draw
# memorizes the digits, and the four stand side by side and vote. One draw memorizes as
# well, and predicts less well.

model = MemorizingClassifier(hyperplanes="random", n_draws=1, random_state=0).fit(X, y)
print("memorized:", model.interpolates_)
print("network:", model.network_)
print("test accuracy:", cross_val_score(model, X, y, cv=5).mean().round(3))

# %%
# A neuron that covers many samples stands for something typical. One that covers its
# own sample alone stands for a sample that is hard, or mislabelled.

CoverageDisplay.from_estimator(model, X, y)
plt.show()
