"""Every display on five awkward inputs: a whole picture, or one clear line.

`python tests/plotting/test_awkward_inputs.py FOLDER` writes the pictures.
"""

import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.plotting import (
    CoverageDisplay,
    GeneralizationDisplay,
    HyperplaneDisplay,
    InterpolationDisplay,
    ReasonsDisplay,
    SampleSizeDisplay,
)

matplotlib = pytest.importorskip("matplotlib")
pandas = pytest.importorskip("pandas")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


def planar(n_samples, n_classes):
    rng = np.random.default_rng(0)
    labels = np.arange(n_samples) % n_classes
    return rng.standard_normal((n_samples, 2)) + 2 * (labels % 7)[:, None], labels


def memorizing(**options):
    return MemorizingClassifier(n_draws=2, random_state=0, **options)


def frame():
    """A data frame with names that need room, and labels that are words."""
    X, y = planar(60, 3)
    names = np.array(["Iris setosa", "Iris versicolor", "Iris virginica"])
    columns = ["length of the sepal (in cm)", "width of the sepal (in cm)"]
    return pandas.DataFrame(X, columns=columns), names[y]


INPUTS = {
    "one class": lambda: (planar(40, 1), memorizing()),
    "50 classes": lambda: (planar(500, 50), memorizing()),
    "frame": lambda: (frame(), memorizing()),
    "one parameter": lambda: (planar(40, 2), memorizing()),
    "forest": lambda: (planar(60, 3), RandomForestClassifier(5, random_state=0)),
}


def interpolation(kind, X, y, model):
    grid = {"n_hyperplanes": [40, 80, 1000], "max_bias": [0.1, 0.5, 1]}
    if kind == "forest":
        grid = {"n_estimators": [1, 2, 20], "max_depth": [1, None]}
    if kind == "one parameter":
        del grid["max_bias"]
    else:
        model.set_params(random_state=None)
    if kind not in ("one parameter", "forest"):
        model.set_params(hyperplanes="random")
    return InterpolationDisplay.from_estimator(
        model, X, y, param_grid=grid, n_repeats=2, random_state=0
    )


def sample_size(kind, X, y, model):
    grid = {"n_votes": [1, 3]} if kind == "one parameter" else None
    return SampleSizeDisplay.from_estimator(
        model,
        X,
        y,
        sizes=[0.25, 0.5, 1.0],
        param_grid=grid,
        n_repeats=2,
        random_state=0,
    )


def generalization(kind, X, y, model):
    classifiers = {type(model).__name__: model, "1-NN": KNeighborsClassifier(1)}
    if kind == "one parameter":
        classifiers = model
    noise = (0.0,) if kind == "one class" else (0.0, 0.1, 0.3)
    return GeneralizationDisplay.from_estimator(
        classifiers, X, y, cv=3, label_noise=noise, random_state=0
    )


def hyperplanes(kind, X, y, model):
    if kind == "one parameter":
        model = memorizing(hyperplanes="random", n_hyperplanes=8)
    return HyperplaneDisplay.from_estimator(
        model.fit(X, y), X, y, grid_resolution=60, show_cells=kind == "one parameter"
    )


def coverage(kind, X, y, model):
    return CoverageDisplay.from_estimator(model.fit(X, y), X, y)


def reasons(kind, X, y, model):
    n_reasons = 1 if kind == "one parameter" else 3
    rows = X[:2] if kind != "frame" else X.iloc[:2]
    return ReasonsDisplay.from_estimator(
        model.fit(X, y), rows + 0.2, X_train=X, n_reasons=n_reasons
    )


DISPLAYS = [interpolation, sample_size, generalization, hyperplanes, coverage, reasons]
# What cannot be drawn, and what is said then.
REFUSED = {
    (interpolation, "one parameter"): "needs 2 parameter",
    (hyperplanes, "forest"): "no `network_`",
    (coverage, "forest"): "no `coverage_`",
    (reasons, "forest"): "RandomForestClassifier gives none",
}


def draw(display, kind):
    (X, y), model = INPUTS[kind]()
    return display(kind, X, y, model)


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("display", DISPLAYS, ids=lambda display: display.__name__)
def test_pictures_hold_all_they_say_or_are_refused(display, kind):
    if (display, kind) in REFUSED:
        with pytest.raises(ValueError, match=re.escape(REFUSED[display, kind])):
            draw(display, kind)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*n_hyperplanes=8 does not suffice")
        drawn = draw(display, kind)
        drawn.figure_.canvas.draw()
    figure, axes = drawn.figure_, drawn.ax_
    inside = figure.bbox
    box = figure.get_tightbbox().transformed(figure.dpi_scale_trans)
    assert min(box.x0, inside.x1 - box.x1, box.y0, inside.y1 - box.y1) > -1
    assert axes.get_xlabel()
    window = axes.get_window_extent()
    assert window.width > 0.25 * inside.width
    assert window.height > 0.25 * inside.height
    if axes.get_legend() is not None and display is not sample_size:
        assert not axes.get_legend().get_window_extent().overlaps(window)
    plt.close(figure)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for display in DISPLAYS:
        for kind in INPUTS:
            if (display, kind) not in REFUSED:
                name = f"{display.__name__} {kind}.png".replace(" ", "_")
                draw(display, kind).figure_.savefig(folder / name, dpi=80)
