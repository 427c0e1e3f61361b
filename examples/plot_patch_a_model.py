"""
Patch a model in production
===========================

A model is in use, and some of its answers are wrong. They are to be right from now on,
without fitting the model again, and without moving any other answer that is known to be
right. :class:`~sklearn_memorize.applications.MemorizingCorrector` puts a small network
beside the model, which acts at the known errors and at no other known case.
"""

# %%
# The model in use
# ----------------
# A linear model of handwritten digits, fitted to 300 of them. It stays as it is:
# `FrozenEstimator` says so.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_memorize.applications import MemorizingCorrector

X, y = load_digits(return_X_y=True)
model = make_pipeline(StandardScaler(), LogisticRegression(C=0.003))
model.fit(X[:300], y[:300])
print(f"The model is right about {model.score(X[300:], y[300:]):.1%} of new digits.")

# %%
# Errors come in
# --------------
# Each week 100 answers are looked through, and become known cases: those that the model
# got wrong, and those that it got right and is not to lose. Each call of `correct` ends
# with a certificate that *all* cases ever given are answered right.

patched = MemorizingCorrector(FrozenEstimator(model), random_state=0)
weeks = [slice(300 + 100 * week, 400 + 100 * week) for week in range(9)]
history = []
for week in weeks:
    patched.correct(X[week], y[week])
    known, rest = slice(300, week.stop), slice(1200, None)
    history.append(
        (
            week.stop - 300,
            model.score(X[known], y[known]),
            patched.score(X[known], y[known]),
            model.score(X[rest], y[rest]),
            patched.score(X[rest], y[rest]),
        )
    )

n_known, known_before, known_after, new_before, new_after = np.array(history).T
figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
ax.plot(n_known, known_after, "C0o-", label="known cases, patched")
ax.plot(n_known, known_before, "C0o:", label="known cases, the model alone")
ax.plot(n_known, new_after, "C1s-", label="digits never seen, patched")
ax.plot(n_known, new_before, "C1s:", label="digits never seen, the model alone")
ax.set(xlabel="known cases", ylabel="share of right answers")
ax.legend(ncols=2, loc="upper right", bbox_to_anchor=(1, 0.95), fontsize=8)
print(f"All known cases are right: {(known_after == 1).all()}")

# %%
# What was changed
# ----------------
# `corrections_` says of each correction which case it stands for, and how many known
# cases it covers. Some correct a whole kind of errors: these pictures are cases that
# the model gets wrong, with the number of known errors that go away together.

found = patched.corrections_
largest = np.argsort(found.n_covered)[::-1]
cases, first = np.unique(found.case[largest], return_index=True)
shown = largest[np.sort(first)][:8]
figure, axes = plt.subplots(1, 8, figsize=(9, 1.8), layout="constrained")
for ax, number in zip(axes, shown, strict=True):
    row = X[300 + found.case[number]]
    said = model.predict(row[np.newaxis])[0]
    ax.imshow(row.reshape(8, 8), cmap="gray_r")
    ax.set_title(
        f"{said} → {found.label[number]}\n{found.n_covered[number]} known", fontsize=9
    )
    ax.set_axis_off()

# %%
# Off the known cases
# -------------------
# A correction acts only where neurons of exactly one class fire, in both networks that
# have to agree, and none that speaks for the model. `acts_on` says where. That is rare,
# and mostly right:

new, labels = X[1200:], y[1200:]
acts = patched.acts_on(new)
before, after = model.predict(new[acts]), patched.predict(new[acts])
print(f"{acts.sum()} of {len(new)} new answers were changed.")
print(f"Right before: {np.sum(before == labels[acts])}; ", end="")
print(f"right after: {np.sum(after == labels[acts])}.")
