"""
Find mislabelled samples
========================

A network that memorizes half of the samples has an opinion about the other half. Where
it speaks against a sample's label, again and again, the label is likely to be wrong.
We flip 5 % of the labels of the digits and look for them.
"""

# %%
# Flip some labels
# ----------------
# 89 of the 1797 labels are replaced by another digit.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import PrecisionRecallDisplay

from sklearn_memorize.inspection import memorization_scores

X, y_true = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
flipped = np.zeros(len(X), dtype=bool)
flipped[rng.choice(len(X), size=len(X) // 20, replace=False)] = True
y = np.where(flipped, (y_true + rng.integers(1, 10, size=len(X))) % 10, y_true)

# %%
# Score the samples
# -----------------
# In each of 10 draws the samples are split in two halves; each half is memorized, and
# judges the other. The score of a sample is by how much another class beats its own.

scores = memorization_scores(X, y, n_draws=10, random_state=0)
suspects = np.argsort(scores)[::-1]

n_flipped = int(flipped.sum())
n_found = int(flipped[suspects[:n_flipped]].sum())
print(f"{n_found} of the {n_flipped} most suspect samples have a flipped label.")

# %%
# Look at the most suspect samples
# --------------------------------
# Above each picture stands the label it was given. A red one is a flipped label.

figure, axes = plt.subplots(4, 8, figsize=(8, 5), layout="constrained")
for ax, sample in zip(axes.flat, suspects, strict=False):
    ax.imshow(X[sample].reshape(8, 8), cmap="gray_r")
    ax.set_title(f'"{y[sample]}"', color="C3" if flipped[sample] else "C0")
    ax.set_axis_off()
figure.suptitle("The 32 samples whose labels the others speak against most")

# %%
# How well they are separated
# ---------------------------
# Most of the flipped labels stand apart from all the others. Of what was not flipped,
# the samples with the largest scores are those that are badly written.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
bins = np.linspace(scores.min(), scores.max(), 60)
left.hist([scores[~flipped], scores[flipped]], bins, stacked=True, color=["C0", "C3"])
left.set(xlabel="memorization score", ylabel="samples", yscale="log")
left.legend(["label as it was", "flipped label"])
PrecisionRecallDisplay.from_predictions(flipped, scores, ax=right, name="scores")

figure, axes = plt.subplots(1, 8, figsize=(8, 1.6), layout="constrained")
for ax, sample in zip(axes, suspects[~flipped[suspects]], strict=False):
    ax.imshow(X[sample].reshape(8, 8), cmap="gray_r")
    ax.set_title(f'"{y[sample]}"', color="C0")
    ax.set_axis_off()
figure.suptitle("The most suspect samples that were not flipped")
plt.show()
