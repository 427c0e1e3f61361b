"""Displays show what the studies and the networks say."""

import sys
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
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
    ReasonsDisplay,
    SampleSizeDisplay,
)
from sklearn_memorize.plotting._style import look

matplotlib = pytest.importorskip("matplotlib")
pandas = pytest.importorskip("pandas")
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


def reasons(ax=None, **options):
    return ReasonsDisplay.from_estimator(
        CLASSIFIER, X[:2] + 0.1, X_train=X, ax=ax, **options
    )


def reasons_of_images(ax=None, **options):
    return reasons(ax, image_shape=(1, 2), **options)


DISPLAYS = [
    interpolation,
    sample_size,
    generalization,
    hyperplanes,
    coverage,
    reasons,
    reasons_of_images,
]


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
    with pytest.raises(ImportError, match="pip install matplotlib"):
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


def wine(**options):
    """Draw the reasons for three samples of a pipeline on a data frame."""
    pd = pytest.importorskip("pandas")
    data = load_wine()
    frame = pd.DataFrame(data.data, columns=data.feature_names)
    model = make_pipeline(
        StandardScaler(),
        MemorizingClassifier(hyperplanes="random", n_draws=2, random_state=0),
    )
    model.fit(frame[::2], data.target_names[data.target[::2]])
    display = ReasonsDisplay.from_estimator(
        model, frame.iloc[[1, 81, 161]], X_train=frame[::2], **options
    )
    return display, model, frame


def test_tables_show_the_values_before_the_pipeline():
    display, model, frame = wine(n_reasons=2, max_features=4)
    expected = model[-1].reasons(model[:-1].transform(frame.iloc[[1, 81, 161]]), 2)
    indices = display.reasons.sample_indices
    np.testing.assert_array_equal(indices, expected.sample_indices)
    rows = frame[::2].to_numpy()
    np.testing.assert_array_equal(display.training_samples, rows[indices])
    assert display.feature_names == list(frame.columns)
    shown = [label.get_text() for label in display.ax_.get_yticklabels()]
    features = np.concatenate(display.shown_features_)
    assert shown == [frame.columns[j] for j in features]
    assert len(display.table_) == len(display.frames_) == 3 * 2 * 2


def test_tables_show_the_features_that_differ_most():
    display, _, frame = wine(max_features=5, n_marked=2)
    spread = frame[::2].to_numpy().std(axis=0)
    for row, features in enumerate(display.shown_features_):
        differences = display.training_samples[row] - display.samples[row]
        sizes = np.nan_to_num(np.abs(differences / spread)).mean(axis=(0, 1))
        assert sizes[features].tolist() == sorted(sizes, reverse=True)[:5]
    bold = [text for text in display.ax_.texts if text.get_fontweight() == "bold"]
    assert len(bold) == 2 * np.count_nonzero(display.reasons.neurons >= 0)


def test_frames_are_solid_where_the_neuron_fires():
    display = reasons_of_images(n_reasons=4)
    margins = display.reasons.margins.ravel()
    solid = [frame.get_linestyle() == "-" for frame in display.frames_]
    assert solid == (margins > 0).tolist()
    assert len(display.images_) == 2 * (1 + 2 * 4)


def test_images_have_one_scale_and_may_have_colours():
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (30, 12)).astype(float), np.arange(30) % 2
    model = MemorizingClassifier(n_draws=1, random_state=0).fit(images, labels)
    display = ReasonsDisplay.from_estimator(
        model, images[:1], X_train=images, image_shape=(2, 2, 3), n_reasons=1
    )
    lowest = min(images[0].min(), display.training_samples.min())
    largest = max(images[0].max(), display.training_samples.max())
    expected = (images[0].reshape(2, 2, 3) - lowest) / (largest - lowest)
    np.testing.assert_allclose(display.images_[0].get_array(), expected)


@pytest.mark.parametrize("copy", [csr_array, np.asarray, np.ndarray.tolist])
def test_reasons_are_drawn_from_any_kind_of_rows(copy):
    display = ReasonsDisplay.from_estimator(
        CLASSIFIER, copy(X[:2] + 0.1), X_train=copy(X), feature_names=["a", "b"]
    )
    np.testing.assert_array_equal(display.training_samples, reasons().training_samples)
    np.testing.assert_allclose(display.spread, X.std(axis=0))
    assert set(display.feature_names) == {"a", "b"}


def test_a_class_without_reasons_leaves_its_place_empty():
    one_sided = MemorizingClassifier(one_sided=True, random_state=0).fit(X, y)
    for options in ({}, {"image_shape": (2, 1)}):
        display = ReasonsDisplay.from_estimator(
            one_sided, X[:1], X_train=X, n_reasons=2, **options
        )
        assert len(display.frames_) == 2
        display.figure_.canvas.draw()


@pytest.mark.parametrize(
    ("classifier", "options", "message"),
    [
        (KNeighborsClassifier().fit(X, y), {}, "gives none"),
        (CLASSIFIER, {"image_shape": (3, 3)}, "9 values"),
        (CLASSIFIER, {"X_train": X[:5]}, "5 rows"),
    ],
)
def test_reasons_that_cannot_be_drawn_are_refused(classifier, options, message):
    with pytest.raises(ValueError, match=message):
        ReasonsDisplay.from_estimator(classifier, X[:2], **{"X_train": X, **options})


def test_text_is_refused_by_name_of_what_can_be_drawn_of_it():
    words = np.array([["red", "small"], ["red", "large"], ["blue", "small"]])
    pipeline = make_pipeline(OneHotEncoder(), MemorizingClassifier(random_state=0))
    pipeline.fit(words, [0, 1, 1])
    with pytest.raises(ValueError, match=r"pipeline\[-1\]"):
        ReasonsDisplay.from_estimator(pipeline, words, X_train=words)
    numbers = pipeline[:-1].transform(words)
    display = ReasonsDisplay.from_estimator(pipeline[-1], numbers, X_train=numbers)
    assert display.reasons.classes.shape == (3, 2)


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


# Awkward inputs.


def test_curves_of_classifiers_without_a_second_layer_show_the_time():
    forest = RandomForestClassifier(3)
    display = SampleSizeDisplay.from_estimator(
        forest, X, y, sizes=[20, 40], n_repeats=2, random_state=0
    )
    assert display.quantity == "fit_time"
    (mean,) = [mean for _, mean, _ in display.curves.values()]
    assert (mean > 0).all()


def test_sizes_that_a_classifier_does_not_have_are_refused():
    study = sample_size_study(
        ExtraTreeClassifier(), X, y, sizes=[20, 40], n_repeats=2, random_state=0
    )
    with pytest.raises(ValueError, match="no such size. There are 'train_accuracy', "):
        SampleSizeDisplay.from_study(study, quantity="n_neurons")
    with pytest.raises(ValueError, match="'nope' cannot be drawn: the study measured"):
        SampleSizeDisplay.from_study(study, quantity="nope")


class NotFitted(ExtraTreeClassifier):
    def fit(self, X, y):
        raise AssertionError("fitted before the request was looked at")


@pytest.mark.parametrize(
    ("display", "options", "message"),
    [
        (SampleSizeDisplay, {"sizes": [9], "quantity": "nope"}, "got 'nope'"),
        (InterpolationDisplay, {"param_grid": GRID, "value": "nope"}, "got 'nope'"),
        (
            InterpolationDisplay,
            {"param_grid": {"max_depth": [1, 2]}},
            "needs 2 parameter.s. more that vary",
        ),
        (
            InterpolationDisplay,
            {"param_grid": {**GRID, "splitter": ["best", "random"]}},
            "needs 2 parameter.s. more that vary",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is_fitted(
    display, options, message
):
    with pytest.raises(ValueError, match=message):
        display.from_estimator(NotFitted(), X, y, **options)


def test_a_value_that_a_study_lacks_is_named_with_those_there_are():
    study = interpolation_study(
        ExtraTreeClassifier(), X, y, param_grid=GRID, n_repeats=2, random_state=0
    )
    with pytest.raises(ValueError, match="There are .*'mean_train_accuracy'"):
        InterpolationDisplay.from_study(study, value="nope")


def test_values_without_an_order_stand_in_that_of_the_grid():
    grid = {"max_depth": [None, 1], "criterion": ["gini", "entropy"]}
    display = InterpolationDisplay.from_estimator(
        ExtraTreeClassifier(), X, y, param_grid=grid, n_repeats=2, random_state=0
    )
    labels = [label.get_text() for label in display.ax_.get_xticklabels()]
    labels += [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == ["entropy", "gini", "None", "1"]


def test_other_scores_are_drawn_by_name():
    options = {"label_noise": [0, 0.2], "scoring": ["roc_auc"], "random_state": 0}
    study = compare_generalization({"1-NN": KNeighborsClassifier(1)}, X, y, **options)
    display = GeneralizationDisplay.from_study(study, value="true_test_roc_auc")
    drawn = [container[0].get_xdata()[0] for container in display.points_]
    assert drawn == study.true_test_roc_auc.tolist()
    trained = [line.get_xdata()[0] for line in display.train_points_]
    assert trained == study.train_roc_auc.tolist()
    assert display.ax_.get_xlabel() == "area under the ROC curve"
    with pytest.raises(ValueError, match="value must be one of 'test_accuracy', "):
        GeneralizationDisplay.from_study(study, value="nope")
    with pytest.raises(ValueError, match="'true_test_roc_auc', got 'nope'"):
        GeneralizationDisplay.from_estimator(NotFitted(), X, y, value="nope", **options)


def test_looks_of_64_classes_are_different():
    assert len({tuple(look(number).values()) for number in range(64)}) == 64


def test_hyperplanes_of_a_frame_carry_the_names_of_its_columns():
    frame = pandas.DataFrame(X, columns=["length", "width"])
    classifier = MemorizingClassifier(n_draws=2, random_state=0).fit(frame, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        display = HyperplaneDisplay.from_estimator(
            classifier, frame, y, grid_resolution=40
        )
    assert display.ax_.get_xlabel() == "length"
    assert display.ax_.get_ylabel() == "width"
    with pytest.raises(ValueError, match="feature names"):
        HyperplaneDisplay.from_estimator(classifier, frame[["width", "length"]], y)


def test_no_more_covers_are_drawn_than_asked_for_and_those_are_the_largest():
    display = HyperplaneDisplay.from_estimator(
        CLASSIFIER, X, y, grid_resolution=40, max_covers=3
    )
    assert len(display.covers_) <= 3
    sizes = display.covers.sum(axis=(1, 2))
    drawn = display._largest_covers(3)
    assert sizes[drawn].min() >= np.delete(sizes, drawn).max()


def legend_and_axes(display):
    display.figure_.canvas.draw()
    legend = display.ax_.get_legend().get_window_extent()
    return legend, display.ax_.get_window_extent(), display.figure_.bbox


def test_a_picture_without_curves_says_why():
    classifier = MemorizingClassifier(random_state=0).fit(X, np.zeros(60))
    display = CoverageDisplay.from_estimator(classifier, X, np.zeros(60))
    assert display.lines_ == []
    assert "single class" in display.ax_.get_title()


@pytest.mark.parametrize("n_classes", [2, 9, 50])
def test_the_legend_of_any_number_of_classes_stands_beside_the_curves(n_classes):
    rng = np.random.default_rng(0)
    labels = np.arange(150) % n_classes
    points = rng.standard_normal((150, 2)) + labels[:, np.newaxis]
    classifier = MemorizingClassifier(n_draws=2, random_state=0).fit(points, labels)
    display = CoverageDisplay.from_estimator(classifier, points, labels)
    legend, axes, figure = legend_and_axes(display)
    assert not legend.overlaps(axes)
    assert figure.x0 <= legend.x0 and legend.x1 <= figure.x1
    assert figure.y0 <= legend.y0 and legend.y1 <= figure.y1
    assert axes.width > 0.3 * figure.width
    looks = {
        (line.get_color(), str(line.get_linestyle()), str(line._dash_pattern))
        for line in display.lines_
    }
    assert len(looks) == len(display.lines_)
