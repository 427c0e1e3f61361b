"""
Forget a customer
=================

Someone asks that their data be deleted, from the model too. With a ball that is given,
:meth:`~sklearn_memorize.MemorizingClassifier.forget` leaves the estimator that never
saw these samples: the same network, the same bytes. Hyperplanes are the random ones,
for the others look at the data.
"""

# %%
# Customers
# ---------
# 400 customers with two numbers each, of two classes. The ball that the hyperplanes are
# drawn for is declared, for instance by what the form allows: it must not depend on the
# customers.

import pickle

import matplotlib.pyplot as plt
import numpy as np

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.datasets import make_two_moons

X, y = make_two_moons(400, random_state=0)
ball = {"low": [-2.0, -2.0], "high": [3.0, 3.0]}


def new_model():
    return MemorizingClassifier(
        hyperplanes="random", ball=ball, n_draws=1, random_state=0
    )


model = new_model()
for batch in np.array_split(np.arange(400), 8):
    model.partial_fit(X[batch], y[batch], classes=[0, 1])
print(f"{model.network_.widths[1]} neurons recall {model.score(X, y):.0%}.")

# %%
# One of them leaves
# ------------------
# The customer behind the neuron that covers most of the others.

customer = int(model.sample_indices_[np.argmax(model.coverage_)])
before = pickle.loads(pickle.dumps(model))
model.forget([customer])
left = np.delete(np.arange(400), customer)
never_seen = new_model().partial_fit(X[left], y[left], classes=[0, 1])

print(
    "As if never seen, byte for byte:", pickle.dumps(model) == pickle.dumps(never_seen)
)
values = [value.tobytes() for value in X[customer]]
print("In the file before:", all(value in pickle.dumps(before) for value in values))
print("In the file after:", any(value in pickle.dumps(model) for value in values))
print(f"The others are recalled: {model.score(X[left], y[left]):.0%}")

# %%
# What changed
# ------------
# Black points are the customers behind the neurons, the star is the one who left.
# Neurons that the customer had a part in were built again, around other samples; the
# decisions change where these neurons were.

low, high = X.min(axis=0) - 0.2, X.max(axis=0) + 0.2
grid = [np.linspace(*ends, 300) for ends in zip(low, high, strict=True)]
points = np.stack(np.meshgrid(*grid), axis=-1).reshape(-1, 2)
figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
maps = [m.decision_function(points).reshape(300, 300) for m in (before, model)]
for ax, scores, fitted, title in zip(
    axes, maps, (before, model), ("before", "after"), strict=False
):
    ax.contourf(*grid, scores > 0, levels=1, colors=["#cfe2f3", "#fbe0cc"])
    centers = fitted.sample_indices_
    rows = X if fitted is before else X[left]
    ax.plot(*X[left].T, ".", color="0.6", markersize=3)
    ax.plot(*rows[centers].T, "k.", markersize=6)
    ax.plot(*X[customer], "C3*", markersize=12)
    ax.set_title(title)
changed = (maps[0] > 0) != (maps[1] > 0)
axes[2].contourf(*grid, changed, levels=1, colors=["white", "#e6a6a6"])
axes[2].plot(*X[left].T, ".", color="0.6", markersize=3)
axes[2].plot(*X[customer], "C3*", markersize=12)
axes[2].set_title("decisions that changed")
for ax in axes:
    ax.set_axis_off()
    ax.set_aspect("equal")
