"""Displays show what the studies and the networks say."""

import sys

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import ExtraTreeClassifier

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.datasets import make_parallel_lines, make_two_moons
from sklearn_memorize.model_selection import (
    compare_generalization,
    interpolation_study,
    sample_size_study,
)
from sklearn_memorize.plotting import (
    CoverageDisplay,
    GeneralizationDisplay,
    HyperplaneDisplay,
    InterpolationDisplay,
    SampleSizeDisplay,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


plt = pytest.importorskip("matplotlib.pyplot")


X, y = make_two_moons(60, noise=0.1, random_state=0)


CLASSIFIER = MemorizingClassifier(
    hyperplanes="random", n_hyperplanes=100, n_draws=1, random_state=0
)
CLASSIFIER.fit(X, y)


GRID = {"max_depth": [1, 5, 9], "max_features": [1, 2]}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def interpolation(ax=None):
    return InterpolationDisplay.from_estimator(
        ExtraTreeClassifier(), X, y, param_grid=GRID, random_state=0, ax=ax
    )


def sample_size(ax=None):
    return SampleSizeDisplay.from_estimator(
        CLASSIFIER, X, y, sizes=[10, 60], n_repeats=2, random_state=0, ax=ax
    )


def generalization(ax=None):
    return GeneralizationDisplay.from_estimator(
        KNeighborsClassifier(1), X, y, label_noise=[0, 0.2], random_state=0, ax=ax
    )


def hyperplanes(ax=None, **options):
    return HyperplaneDisplay.from_estimator(
        CLASSIFIER, X, y, grid_resolution=40, ax=ax, **options
    )


def coverage(ax=None):
    return CoverageDisplay.from_estimator(CLASSIFIER, X, y, ax=ax)


DISPLAYS = [interpolation, sample_size, generalization, hyperplanes, coverage]


@pytest.mark.parametrize("draw", DISPLAYS)
def test_display_makes_axes_or_uses_those_given(draw):
    display = draw()
    assert display.figure_ is display.ax_.figure
    figure, ax = plt.subplots()
    again = draw(ax)
    assert again.ax_ is ax
    assert again.figure_ is figure
    assert again.plot(ax=ax) is again


@pytest.mark.parametrize("draw", DISPLAYS)
def test_axes_are_labelled_and_all_is_drawn(draw):
    display = draw()
    assert display.ax_.get_xlabel()
    assert display.ax_.get_ylabel() or isinstance(display, GeneralizationDisplay)
    display.figure_.canvas.draw()


@pytest.mark.parametrize("draw", DISPLAYS)
def test_without_matplotlib_the_extra_is_named(draw, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"sklearn-memorize\[plot\]"):
        draw()


def test_package_does_not_import_matplotlib():
    import subprocess

    code = (
        "import sys, sklearn_memorize.plotting; assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_heat_map_puts_each_value_in_its_cell():
    study = interpolation_study(
        ExtraTreeClassifier(), X, y, param_grid=GRID, random_state=0
    )
    display = InterpolationDisplay.from_study(
        study, x="param_max_features", y="param_max_depth", value="mean_train_accuracy"
    )
    for depth, features, value in zip(
        study.param_max_depth,
        study.param_max_features,
        study.mean_train_accuracy,
        strict=True,
    ):
        row = display.y_values.tolist().index(depth)
        column = display.x_values.tolist().index(features)
        assert display.image_.get_array().reshape(3, 2)[row, column] == value
    assert len(display.text_) == 6
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == ["1", "5", "9"]


def test_heat_map_has_a_hole_where_a_setting_is_missing():
    study = interpolation_study(
        ExtraTreeClassifier(),
        X,
        y,
        param_grid=[
            {"max_depth": [1, 9], "max_features": [1]},
            {"max_depth": [9], "max_features": [2]},
        ],
        n_repeats=1,
    )
    display = InterpolationDisplay.from_study(study, annotate=False, colorbar=False)
    assert np.isnan(display.values).sum() == 1
    assert display.text_ == []
    assert not hasattr(display, "colorbar_")


@pytest.mark.parametrize(
    ("grid", "options", "message"),
    [
        ({"max_depth": [1, 2]}, {}, "needs 2 parameter"),
        (
            {"max_depth": [1, 2], "max_features": [1, 2], "splitter": ["best"]},
            {"x": "param_max_depth", "y": "param_splitter"},
            "several rows",
        ),
    ],
)
def test_heat_map_of_other_than_two_parameters_is_refused(grid, options, message):
    study = interpolation_study(
        ExtraTreeClassifier(), X, y, param_grid=grid, n_repeats=1
    )
    with pytest.raises(ValueError, match=message):
        InterpolationDisplay.from_study(study, **options)


def test_curves_are_the_means_of_the_study_in_order():
    study = sample_size_study(
        CLASSIFIER,
        X,
        y,
        sizes=[60, 20],
        param_grid={"n_hyperplanes": [20, 40]},
        n_repeats=3,
        random_state=0,
    )
    display = SampleSizeDisplay.from_study(study, quantity="n_neurons", log=True)
    assert list(display.curves) == ["hyperplanes n = 20", "hyperplanes n = 40"]
    n_samples, mean, error = display.curves["hyperplanes n = 40"]
    assert n_samples.tolist() == [20, 60]
    assert mean.tolist() == study.mean_n_neurons[[3, 2]].tolist()
    np.testing.assert_allclose(error, study.std_n_neurons[[3, 2]] / 3**0.5)
    assert display.ax_.get_xscale() == "log"


def test_points_are_the_accuracies_of_the_comparison():
    estimators = {"five": KNeighborsClassifier(5), "one": KNeighborsClassifier(1)}
    study = compare_generalization(
        estimators, X, y, label_noise=[0.0, 0.1], random_state=0
    )
    display = GeneralizationDisplay.from_study(study, value="test_accuracy")
    assert display.estimators == ["five", "one"]
    drawn = [container[0].get_xdata() for container in display.points_]
    np.testing.assert_array_equal(drawn[1], study.test_accuracy[[1, 3]])
    np.testing.assert_array_equal(
        display.train_points_[0].get_xdata(), study.train_accuracy[[0, 2]]
    )
    plain = GeneralizationDisplay.from_study(study, show_train=False)
    assert plain.train_points_ == []


def test_every_sample_lies_in_the_cover_of_a_neuron_of_its_class():
    display = hyperplanes()
    first, second = CLASSIFIER.network_.layers[:2]
    fires = second.forward(first.forward(X)) > 0
    speaks_for = y[display.centers]
    assert display.covers.shape == (len(display.centers), 40, 40)
    assert all(fires[row, speaks_for == y[row]].any() for row in range(len(X)))
    np.testing.assert_array_equal(display.weights.shape, (100, 2))


def test_regions_are_the_predictions():
    display = hyperplanes()
    grid = np.column_stack([display.xx0.ravel(), display.xx1.ravel()])
    expected = CLASSIFIER.predict(grid).reshape(40, 40)
    np.testing.assert_array_equal(display.classes[display.regions], expected)


def test_lines_lie_on_the_hyperplanes():
    display = hyperplanes(max_hyperplanes=10)
    segments = np.array(display.lines_.get_segments())
    assert segments.shape == (10, 2, 2)
    values = np.einsum("kij,kj->ki", segments, display.weights[:10])
    np.testing.assert_allclose(
        values, -display.biases[:10, np.newaxis] * [1, 1], atol=1e-6
    )


def test_neighbouring_cells_differ_in_shade():
    lines, side = make_parallel_lines(40, random_state=0)
    one = MemorizingClassifier(
        hyperplanes="random", n_hyperplanes=1, n_draws=1, random_state=0
    )
    with pytest.warns(UserWarning, match="n_hyperplanes"):
        one.fit(lines, side)
    display = HyperplaneDisplay.from_estimator(
        one, lines, side, show_cells=True, show_regions=False, grid_resolution=30
    )
    shades = np.asarray(display.cell_image_.get_array()).reshape(30, 30)
    grid = np.stack([display.xx0, display.xx1], axis=-1)
    active = grid @ display.weights[0] + display.biases[0] > 0
    np.testing.assert_array_equal(shades, active)
    assert display.region_image_ is None


def test_what_is_not_asked_for_is_not_drawn():
    display = hyperplanes(show_regions=False, show_covers=False, max_hyperplanes=0)
    assert display.region_image_ is None
    assert display.lines_ is None
    assert display.covers_ == []
    assert len(display.points_) == 2


def test_coverage_is_sorted_and_complete():
    display = coverage()
    for name, counts in display.coverage.items():
        assert (np.diff(counts) <= 0).all()
        owners = y[CLASSIFIER.sample_indices_] == name
        assert sorted(counts) == sorted(CLASSIFIER.coverage_[owners])
    assert len(display.lines_) == 2


@pytest.mark.parametrize(
    ("display", "needed"),
    [(HyperplaneDisplay, "network_"), (CoverageDisplay, "coverage_")],
)
def test_classifiers_without_a_network_are_refused(display, needed):
    with pytest.raises(ValueError, match=needed):
        display.from_estimator(KNeighborsClassifier().fit(X, y), X, y)


def test_hyperplanes_of_data_outside_the_plane_are_refused():
    with pytest.raises(ValueError, match="two columns"):
        HyperplaneDisplay.from_estimator(CLASSIFIER, np.zeros((3, 4)), np.zeros(3))
