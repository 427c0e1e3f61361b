"""
====================================
Choosing n and lambda
====================================

Two numbers shape the first layer of `MemorizingClassifier`: the number n of hyperplanes
(`n_hyperplanes`) and the largest bias lambda (`max_bias`), which says how far from the
center of the data hyperplanes may lie, in units of the data radius. By default n is
found while fitting. This page shows what the two do.
"""

# %%
# Enough hyperplanes to memorize
# ------------------------------
# With n fixed, memorizing is a matter of luck, and the luck rises with n. The study
# fits each setting ten times and tells how often every training sample was recalled.

import matplotlib.pyplot as plt

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.datasets import make_two_moons
from sklearn_memorize.model_selection import interpolation_study
from sklearn_memorize.plotting import InterpolationDisplay

X, y = make_two_moons(1000, noise=0.05, random_state=0)
study = interpolation_study(
    MemorizingClassifier(hyperplanes="random", n_draws=1),
    X,
    y,
    param_grid={
        "n_hyperplanes": [50, 100, 200, 400],
        "max_bias": [0.0, 0.25, 0.5, 1.0, 2.0],
    },
    n_repeats=10,
    random_state=0,
)
InterpolationDisplay.from_study(study)
plt.show()

# %%
# - With lambda = 0 every hyperplane passes through the center. Two points on a ray from
#   there are never told apart, and in the plane there always are some.
# - With a large lambda many hyperplanes miss the data altogether. They do no harm, and
#   no good: more of them are needed.
# - In between there is a wide valley. lambda = 1 is a safe choice; a smaller one saves
#   hyperplanes where there are many features.
#
# The width of the second layer falls as n grows and levels off at what the geometry of
# the classes asks for.

InterpolationDisplay.from_study(study, value="mean_second_layer_width")
plt.show()

# %%
# Let `fit` find n
# ----------------
# `n_hyperplanes="auto"`, the default, doubles n from `min_hyperplanes` on until the
# training set is memorized. Then `interpolates_` is always true, or `fit` raises an
# error that names the parameter to change.

for min_hyperplanes in (1, 32, 1000):
    model = MemorizingClassifier(
        hyperplanes="random", min_hyperplanes=min_hyperplanes, n_draws=1, random_state=0
    ).fit(X, y)
    print(
        f"min_hyperplanes={min_hyperplanes}: n = {model.n_hyperplanes_}, second layer "
        f"{model.second_layer_widths_.sum()}, memorized: {model.interpolates_}"
    )

# %%
# Choose for new samples
# ----------------------
# Both parameters take part in a grid search like any other. On the digits the test
# accuracy hardly depends on them: the differences in this picture are of the size that
# another seed makes too. So there is little to tune.

import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

X, y = load_digits(return_X_y=True)


def search(param_grid):
    """Draw the cross-validated accuracy over two parameters."""
    model = MemorizingClassifier(
        hyperplanes="random", min_hyperplanes=500, n_draws=1, random_state=0
    )
    found = GridSearchCV(model, param_grid, cv=3).fit(X, y)
    down, right = (f"param_{name}" for name in param_grid)
    InterpolationDisplay.from_study(
        pd.DataFrame(found.cv_results_), x=right, y=down, value="mean_test_score"
    )
    plt.show()
    print("best:", found.best_params_, f"with {found.best_score_:.3f}")


search({"n_hyperplanes": [250, 500, 1000], "max_bias": [0.0, 0.5, 1.0, 2.0]})

# %%
# What does matter is the number of draws (so far one): `n_draws` networks with their
# own hyperplanes, side by side, that vote. The default is four. If you can afford more
# hyperplanes, spend them there.

search({"n_draws": [1, 2, 4, 8], "max_bias": [0.5, 1.0, 2.0]})

# %%
# Scale features first if they are measured in different units, so that the radius of
# the data is not that of one feature alone.
