"""
===========
Label noise
===========

A memorizing classifier recalls wrong labels just as faithfully as right ones. What does
that do to its answers elsewhere?
"""

# %%
# `compare_generalization` replaces a share of the labels by other classes, in training
# and test folds alike, and scores held-out samples by their *true* labels.

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.model_selection import compare_generalization
from sklearn_memorize.plotting import GeneralizationDisplay

X, y = load_digits(return_X_y=True)
paper = {"hyperplanes": "random", "n_votes": 3}
comparison = compare_generalization(
    {
        "memorizing, paper's rule": MemorizingClassifier(
            n_draws=1, decision="network", **paper
        ),
        "memorizing, vote": MemorizingClassifier(n_draws=1, **paper),
        "memorizing, 4 draws vote": MemorizingClassifier(n_draws=4, **paper),
        "memorizing, 16 draws vote": MemorizingClassifier(n_draws=16, **paper),
        "memorizing, default": MemorizingClassifier(),
        "1-NN": KNeighborsClassifier(1),
        "5-NN": KNeighborsClassifier(5),
        "random forest": RandomForestClassifier(50),
    },
    X,
    y,
    cv=3,
    label_noise=[0.0, 0.1, 0.3],
    random_state=0,
)
GeneralizationDisplay.from_study(comparison)
plt.show()

# %%
# The hollow points on the right are the training accuracies on the labels given: the
# memorizing networks and 1-NN recall every label, right or wrong; 5-NN does not.
# The first two rows are the same networks, read in two ways: by the rule of the paper,
# and by the vote of its neurons. The next two are four and sixteen such networks that
# vote together. The default draws hyperplanes that look at the data, and chooses the
# number of votes by leaving samples out.

columns = ["estimator", "label_noise", "train_accuracy", "true_test_accuracy"]
table = pd.DataFrame(comparison)[columns]
print(table.pivot(index="estimator", columns="label_noise").round(3).to_string())

# %%
# 1-NN lets a wrong label speak for the whole neighbourhood of its sample, so its test
# accuracy falls by about the share of wrong labels. In the memorizing network a wrong
# label gets a neuron too, but that neuron has little room: all samples around it are of
# another class, and it must be silent on each of them. Where several classes claim a
# point, or none, the vote compares how far into its piece each class has the point; and
# several draws have to agree. Memorizing the noise and not believing it go together.
#
# How much room do the wrong labels get? Count the samples that the neurons behind right
# and wrong labels cover.

import numpy as np

rng = np.random.default_rng(0)
noisy = y.copy()
flipped = rng.choice(len(y), size=len(y) // 10, replace=False)
noisy[flipped] = (y[flipped] + rng.integers(1, 10, size=len(flipped))) % 10
model = MemorizingClassifier(n_draws=1, random_state=0, **paper).fit(X, noisy)
is_wrong = (noisy != y)[model.sample_indices_]
print(f"wrong labels recalled: {(model.predict(X) == noisy)[noisy != y].mean():.0%}")
for name, chosen in (("right", ~is_wrong), ("wrong", is_wrong)):
    covered = model.coverage_[chosen]
    print(
        f"{name} labels: {len(covered)} neurons, of which {(covered == 1).mean():.0%} "
        f"cover one sample only; median {int(pd.Series(covered).median())}"
    )

# %%
# The neurons that cover a single sample point at the wrong labels: that is how samples
# can be scored for being mislabelled.
