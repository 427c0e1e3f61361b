"""Every estimator recalls hostile data exactly, or says why it does not.

`make fuzz` runs the same properties many more times.
"""

import itertools
import warnings
from fractions import Fraction

import numpy as np
import pytest
from _cases import CASES
from _estimators import CLASSIFIERS, PARAMETERS, PUBLIC
from _oracle import RECALLED, REFUSED, judge, judge_classifier
from _oracle_functions import public_functions
from _strategies import SMALLEST, Problem
from hypothesis import HealthCheck, given, settings
from scipy import sparse

import sklearn_memorize
from sklearn_memorize import (
    DeepThresholdClassifier,
    MemorizingClassifier,
    RandomReLUClassifier,
    RandomThresholdTransformer,
    ResidualMemorizingClassifier,
    SlabClassifier,
    SmallReLUClassifier,
    SmallReLURegressor,
)
from sklearn_memorize._estimator import _training_set
from sklearn_memorize._estimator._training_set import distinct_rows
from sklearn_memorize.datasets import make_parallel_lines, make_two_moons
from sklearn_memorize.exact._signs import exact_ceiling
from sklearn_memorize.exceptions import ConflictingLabelsWarning, InterpolationError
from sklearn_memorize.inspection import (
    capacity_report,
    gaussian_width,
    mutual_covering,
    radius,
    separation,
)

short = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def with_defaults(name):
    kind = getattr(sklearn_memorize, name)
    seeded = "random_state" in kind().get_params()
    return kind(random_state=0) if seeded else kind()


@pytest.mark.parametrize("name", CASES)
def test_hostile_data_are_recalled_or_the_cause_is_named(name):
    n_examples = 60 if name in PUBLIC else 25

    @settings(short, max_examples=n_examples)
    @given(CASES[name])
    def holds(case):
        case()

    holds()


def test_every_public_estimator_has_parameters_to_draw():
    assert sorted(PARAMETERS) == PUBLIC


def test_every_public_function_of_data_is_judged():
    judged = {
        *("radius", "gaussian_width", "separation", "mutual_covering"),
        *("memorization_scores", "capacity_report", "interpolation_study"),
        *("sample_size_study", "compare_generalization"),
        *("make_two_moons", "make_parallel_lines"),
    }
    # What fetch_mnist downloads is compared with known hashes.
    assert set(public_functions()) - judged == {"fetch_mnist"}


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_defaults_recall_ordinary_data_at_any_scale(name, scale):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 6)) * scale
    for labels in (rng.integers(0, 4, 120), np.arange(120) % 2, np.arange(120)):
        problem = Problem(X, labels, None)
        assert judge_classifier(with_defaults(name), problem) == RECALLED


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_defaults_recall_points_of_a_grid(name):
    axes = np.meshgrid(*[np.arange(4.0)] * 3)
    X = np.stack(axes, axis=-1).reshape(-1, 3)
    y = np.random.default_rng(0).integers(0, 3, len(X))
    assert judge_classifier(with_defaults(name), Problem(X, y, None)) == RECALLED


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_thousand_classes_are_recalled(name):
    X = np.random.default_rng(1).standard_normal((1000, 10))
    y = np.random.default_rng(2).permutation(1000).astype(str)
    estimator = with_defaults(name)
    if name == "RandomReLUClassifier":
        # Linear functions that single out each of 1,000 samples take long to find.
        estimator.set_params(min_hyperplanes=1000, max_iter=1, maximum_margin=False)
    elif name == "MemorizingClassifier":
        estimator.set_params(n_draws=1)
    assert estimator.fit(X, y).interpolates_
    assert (estimator.predict(X) == y).all()


@pytest.mark.parametrize("name", PUBLIC)
def test_a_hundred_thousand_sparse_features_are_recalled(name):
    rng = np.random.default_rng(3)
    X = sparse.random_array((6, 100_000), density=1e-4, format="csr", rng=rng)
    estimator = with_defaults(name)
    few = {"min_hyperplanes": 8, "n_hyperplanes": 8, "n_draws": 1}
    if name != "RandomThresholdTransformer":
        del few["n_hyperplanes"]
    known = estimator.get_params()
    estimator.set_params(**{key: few[key] for key in few if key in known})
    y = np.arange(6) % 3
    assert judge(estimator, Problem(X, y, None)) == RECALLED


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_single_sample_of_a_single_feature_is_recalled(name):
    for value in (0.0, -0.0, SMALLEST, 1e300):
        problem = Problem(np.array([[value]]), ["only"], None)
        assert judge_classifier(with_defaults(name), problem) == RECALLED


# What generated cases found, each in its smallest form.


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_class_that_lost_all_its_rows_is_left_out(name):
    X, y = np.zeros((3, 2)), np.array([0, 1, 1])
    estimator = with_defaults(name)
    with pytest.warns(ConflictingLabelsWarning):
        estimator.fit(X, y)
    assert estimator.classes_.tolist() == [1]
    assert estimator.predict(X).tolist() == [1, 1, 1]
    with pytest.warns(ConflictingLabelsWarning):
        estimator.fit(np.vstack([X, [[1, 0]], [[0, 1]]]), [*y, 2, 3])
    assert estimator.classes_.tolist() == [1, 2, 3]
    assert estimator.interpolates_


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_weights_of_conflicting_labels_are_compared_exactly(name):
    X = np.array([[0.0], [0.0], [0.0], [1.0]])
    y = [1, 1, 0, 2]
    most = np.finfo(float).max
    for weights, winner in (
        ([1.0, 2.0**-60, 1.0, 1.0], 1),  # equal when rounded
        ([1.0, 0.0, 1.0, 1.0], 0),  # a tie
        ([most, most, most, 1.0], 1),  # infinite when added up
        ([SMALLEST, 0.0, SMALLEST * 2, 1.0], 0),
    ):
        with pytest.warns(ConflictingLabelsWarning):
            estimator = with_defaults(name).fit(X, y, sample_weight=weights)
        assert estimator.predict(X[:1]) == winner


@pytest.mark.parametrize("center", [False, True])
def test_denormal_samples_have_a_radius(center):
    X = np.arange(-3, 4)[:, np.newaxis] * SMALLEST
    transformer = RandomThresholdTransformer(center=center, random_state=0).fit(X)
    assert transformer.radius_ == 3 * SMALLEST
    problem = Problem(X, np.arange(7) % 2, None)
    for estimator in (
        MemorizingClassifier(center=center, n_draws=1, random_state=0),
        DeepThresholdClassifier(center=center, random_state=0),
    ):
        assert judge_classifier(estimator, problem) == RECALLED


@pytest.mark.parametrize(
    "kind",
    [
        MemorizingClassifier,
        DeepThresholdClassifier,
        RandomReLUClassifier,
        RandomThresholdTransformer,
    ],
)
def test_samples_at_the_end_of_double_precision_are_refused(kind):
    X = np.array([[1.7e308], [-1.7e308], [0.0]])
    with pytest.raises(ValueError, match="Scale the features down"):
        kind().fit(X, [0, 1, 2])
    with pytest.raises(ValueError, match="Scale the features down"):
        radius(X)


@pytest.mark.parametrize("n_hyperplanes", ["auto", 5])
def test_pruning_a_network_without_a_neuron_ends_in_a_reason(n_hyperplanes):
    X = np.array([[1.0], [np.nextafter(1.0, 2.0)]])
    estimator = MemorizingClassifier(
        n_hyperplanes=n_hyperplanes,
        max_hyperplanes=16,
        center=False,
        prune=True,
        random_state=0,
    )
    outcome = judge_classifier(estimator, Problem(X, [0, 1], None))
    assert outcome == ("refused" if n_hyperplanes == "auto" else "warned")


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_predictions_far_from_all_samples_are_silent_and_finite(name):
    X = np.array([[1e-200], [2e-200], [3e-200]])
    estimator = with_defaults(name).fit(X, [0, 1, 2])
    far = np.array([[1e300], [-1e300], [1.7e308], [-1.7e308]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isin(estimator.predict(far), [0, 1, 2]).all()
        assert np.isfinite(estimator.decision_function(far)).all()


def test_sums_to_both_infinities_are_finite_outputs():
    X = np.random.default_rng(0).standard_normal((20, 4))
    estimator = RandomReLUClassifier(random_state=0).fit(X, np.arange(20) % 3)
    far = np.full((2, 4), 1.7e308) * [[1, 1, -1, -1], [-1, 1, -1, 1]]
    assert np.isfinite(estimator.decision_function(far)).all()


def test_slabs_refuse_what_underflows_to_equal_coordinates():
    X = np.array([[1.0], [SMALLEST], [0.0]])
    with pytest.raises(InterpolationError, match=r"samples? \[1\]|near-duplicates"):
        SlabClassifier(random_state=0).fit(X, [0, 1, 0])


@pytest.mark.parametrize("largest", [2.3e307, 1.79e308])
def test_targets_at_the_end_of_double_precision_are_refused(largest):
    X = np.arange(5.0)[:, np.newaxis]
    with pytest.raises(InterpolationError, match="Scale the targets down"):
        SmallReLURegressor(random_state=0).fit(X, [0, 0, largest, 0, -largest])


@pytest.mark.parametrize("estimator", [SmallReLUClassifier, SmallReLURegressor])
def test_slopes_beyond_double_precision_are_refused_without_other_warnings(estimator):
    X = np.array([[5e-324], [1.5e-323], [1e-145], [1e108], [1e11], [-2e-148]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InterpolationError):
            estimator(random_state=0).fit(X, [0, 1, 0, 1, 0, 1])


def test_blocks_too_steep_for_double_precision_are_refused():
    estimator = ResidualMemorizingClassifier(random_state=0)
    X = np.array([[1e-289], [np.nextafter(1e-289, 1)], [1e11]])
    problem = Problem(X, [0, 1, 1], None)
    assert judge_classifier(estimator, problem) == REFUSED


def test_gaussian_widths_scale_with_the_points():
    X = np.random.default_rng(0).standard_normal((6, 3))
    plain = gaussian_width(X, random_state=0)
    huge = gaussian_width(X * 2.0**900, random_state=0)
    assert huge == (plain.width * 2.0**900, plain.standard_error * 2.0**900)


def test_gaussian_widths_are_not_negative():
    point = np.random.default_rng(0).standard_normal((1, 7))
    assert gaussian_width(np.repeat(point, 31, axis=0), random_state=0) == (0, 0)
    close = np.nextafter(point, [[np.inf], [-np.inf], [0.0]])
    assert gaussian_width(close, n_samples=50, random_state=0).width >= 0


@pytest.mark.parametrize("exponent", [-1100, -3, 0, 7, 900])
def test_ceilings_are_those_of_rational_numbers(exponent):
    rng = np.random.default_rng(0)
    for scale in (1e-300, 1.0, 1e250):
        direction = rng.standard_normal(5).astype(np.float32)
        point, offset = rng.standard_normal(5) * scale, scale / 3
        terms = zip(direction.tolist(), point.tolist(), strict=True)
        value = sum((Fraction(w) * Fraction(x) for w, x in terms), Fraction(offset))
        expected = -(-value // Fraction(2) ** exponent)
        assert exact_ceiling(direction, point, offset, exponent) == expected


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_rows_whose_hashes_collide_are_told_apart(container, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (60, 3)).astype(float)
    X[X == 0] = np.where(rng.random((X == 0).sum()) < 0.5, 0.0, -0.0)
    for hashes in (lambda X: 0, lambda X: X[:, 0].astype(int)):
        monkeypatch.setattr(
            _training_set,
            "row_hashes",
            lambda X, hashes=hashes: (
                np.zeros(X.shape[0], dtype=np.uint64)
                + np.asarray(
                    hashes(X.toarray() if sparse.issparse(X) else X), np.uint64
                )
            ),
        )
        first, inverse = distinct_rows(container(X))
        assert (X[first][inverse] == X).all()
        assert len(first) == len(np.unique(X + 0.0, axis=0))


@pytest.mark.parametrize(
    "estimator, gap",
    [(MemorizingClassifier(), 1e-120), (DeepThresholdClassifier(), SMALLEST)],
)
def test_powers_of_small_distances_that_underflow_are_no_sizes(estimator, gap):
    X = np.array([[0.0], [gap], [1.0]])
    (row,) = capacity_report(X, [1, 0, 1], [estimator]).rows
    assert row.met
    assert row.predicted_neurons > 1e100 and row.predicted_parameters > 1e100


@pytest.mark.parametrize("gap", [1e-100, 1e-155, 1e-158])
def test_distances_far_smaller_than_the_samples_are_exact(gap):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((9, 4)) * gap
    X[0] = 1.0
    y = np.arange(9) % 2
    found = separation(X, y)
    squares = {
        sum((Fraction(a) - Fraction(b)) ** 2 for a, b in zip(*pair, strict=True))
        for pair in itertools.product(X[y == 0].tolist(), X[y == 1].tolist())
    }
    assert abs(Fraction(found.distance) ** 2 / min(squares) - 1) < Fraction(2) ** -51


def test_a_distance_that_vanishes_beside_an_outlier_is_refused():
    with pytest.raises(ValueError, match="remove outliers"):
        mutual_covering(np.array([[0.0], [SMALLEST], [1.0]]), [1, 0, 1])


@pytest.mark.parametrize("noise", [1e308, np.inf, np.nan])
def test_moons_whose_norms_overflow_are_refused(noise):
    with pytest.raises(ValueError, match="'noise' parameter"):
        make_two_moons(10, noise=noise)


@pytest.mark.parametrize("angle", [np.inf, -np.inf, np.nan])
def test_lines_of_no_direction_are_refused(angle):
    with pytest.raises(ValueError, match="'angle' parameter"):
        make_parallel_lines(10, angle=angle)


def test_biases_beyond_double_precision_are_refused():
    X = np.array([[1e300], [-1e300]])
    with pytest.raises(ValueError, match="Lower max_bias"):
        MemorizingClassifier(max_bias=1e10).fit(X, [0, 1])
