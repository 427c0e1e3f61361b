"""
Why this label?
===============

The network of a :class:`~sklearn_memorize.MemorizingClassifier` is made of training
samples, so that it can say which of them decided: those behind the neurons that speak
for the predicted class, and those that speak for the runner-up. We ask for images, and
for a table.
"""

# %%
# Images
# ------
# A third of the digits is kept apart.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.plotting import ReasonsDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=1 / 3, stratify=y, random_state=0
)
clf = MemorizingClassifier(hyperplanes="adapted", random_state=0)
clf.fit(X_train, y_train)
print(f"Test accuracy {clf.score(X_test, y_test):.3f}")

# %%
# :meth:`~sklearn_memorize.MemorizingClassifier.reasons` names rows of the training set,
# with the margin by which their neuron fires, and the number of training samples that
# the neuron covers. For the first test sample:

reasons = clf.reasons(X_test[:1], n_reasons=3)
for side, label in enumerate(reasons.classes[0]):
    print(f"for {label}:")
    for row, margin, coverage in zip(
        reasons.sample_indices[0, side],
        reasons.margins[0, side],
        reasons.coverage[0, side],
        strict=True,
    ):
        print(f"  row {row}, margin {margin:+.3f}, covers {coverage} samples")

# %%
# The display draws them. At the top a sample that is clear, then the two least sure
# ones, and two that get a wrong label. A solid frame says that the neuron fires: where
# frames are solid on one side only, the network is of one mind. Where they are dashed
# on both sides no class fires, and the largest margins decide.

sure = clf.predict_proba(X_test).max(axis=1)
unsure = np.argsort(sure)[:2]
wrong = np.flatnonzero(clf.predict(X_test) != y_test)
wrong = wrong[np.argsort(-sure[wrong])][:2]
shown = [int(sure.argmax()), *unsure, *wrong]
print("True labels:", y_test[shown])
ReasonsDisplay.from_estimator(clf, X_test[shown], X_train=X_train, image_shape=(8, 8))

# %%
# A table
# -------
# A pipeline scales the features of the breast cancer data before they are memorized.
# The display shows them as they were measured: those that differ most between sample
# and reasons. Colours are differences in standard deviations, and in each column
# the largest ones are in bold type.

cancer = load_breast_cancer(as_frame=True)
names = cancer.target_names[cancer.target]
train, test, y_train, y_test = train_test_split(
    cancer.data, names, test_size=1 / 3, stratify=names, random_state=0
)
model = make_pipeline(
    StandardScaler(), MemorizingClassifier(hyperplanes="adapted", random_state=0)
)
model.fit(train, y_train)
print(f"Test accuracy {model.score(test, y_test):.3f}")

# %%
# A sample that is clear, and the least sure one:

sure = model.predict_proba(test).max(axis=1)
ReasonsDisplay.from_estimator(
    model, test.iloc[[sure.argmax(), sure.argmin()]], X_train=train
)
plt.show()
