"""What every construction must do; the registry says which constructions there are."""

import copy
import pickle
import re
import sys
import warnings
from functools import cache

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks
from support.backends import BACKENDS
from support.cases import CASES as GENERATED
from support.estimators import (
    CLASSIFIERS,
    MEMORIZERS,
    NETWORKS,
    OPTIONS,
    PUBLIC,
    REGRESSORS,
    VARIANTS,
    answers,
    kind_of,
    new,
)
from support.networks import digest, textbook
from support.oracle import RECALLED, judge, judge_classifier
from support.oracle_functions import public_functions
from support.parameters import PARAMETERS
from support.samples import DATA, random_labels
from support.storage import (
    LABELS,
    SAMPLES,
    fitted,
    places,
    restored,
    value_at,
    with_other,
)
from support.strategies import SMALLEST, Problem
from threadpoolctl import threadpool_limits

import sklearn_memorize
from sklearn_memorize import MemorizingClassifier, kernels
from sklearn_memorize.exceptions import ConflictingLabelsWarning, InterpolationError

MEMORIZING = [variant for variant in VARIANTS if kind_of(variant) in MEMORIZERS]
NETWORKING = [variant for variant in VARIANTS if kind_of(variant) in NETWORKS]
CLASSIFYING = [variant for variant in VARIANTS if kind_of(variant) in CLASSIFIERS]
PARALLEL = [v for v in VARIANTS if "n_jobs" in new(v).get_params()]
SEEDED = [v for v in VARIANTS if "random_state" in new(v).get_params()]


def targets_for(variant, X, labels):
    return np.sin(5 * X[:, 0]) if kind_of(variant) in REGRESSORS else labels


def test_the_registry_lists_what_is_public():
    exported = {
        name
        for name in sklearn_memorize.__all__
        if hasattr(getattr(sklearn_memorize, name), "fit")
    }
    assert set(PUBLIC) == exported
    assert {name for name, _ in OPTIONS.values()} <= exported
    assert set(PARAMETERS) <= exported


# scikit-learn's own checks.

CHECKED = ["ReLU", "network", "greedy", "draws", "every center", "five layers"]
CHECKED += ["five layers, targets", "cubes", "Hilbert", "Hilbert, targets"]
CHECKED += PUBLIC


def not_to_be_passed(estimator):
    """Return scikit-learn's checks that ask for what an estimator must not do.

    With default parameters there are none.
    """
    if not isinstance(estimator, MemorizingClassifier) or (
        estimator.n_draws == "auto" and estimator.decision == "vote"
    ):
        return {}
    reason = "in few draws many samples are like those of the training set: a class "
    reason += "fires alone, and weights of classes do not outweigh that"
    if estimator.decision == "network":
        reason = "there is no vote to weigh"
    return {"check_class_weight_classifiers": reason}


@parametrize_with_checks(
    [new(variant) for variant in CHECKED], expected_failed_checks=not_to_be_passed
)
def test_scikit_learn_estimator_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@parametrize_with_checks(
    [new("one draw"), new("RandomThresholdTransformer")],
    expected_failed_checks=not_to_be_passed,
)
def test_scikit_learn_estimator_checks_with_any_kernels(estimator, check, backend):
    with kernels.use_backend(backend):
        check(estimator)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_diagram_of_an_estimator_can_be_drawn(variant):
    assert kind_of(variant) in new(variant)._repr_html_()


# Recall.


@pytest.mark.skipif(kernels._c is None, reason="the kernels in C were not compiled")
@pytest.mark.parametrize("variant", MEMORIZING)
def test_denormal_numbers_count_where_the_process_flushes_them_to_zero(variant):
    X, y = random_labels(60, 3, 2)
    X *= np.array([1.0, 1e-310, 1e-320])
    X[::2, 0] = 0.0
    y = targets_for(variant, X, y)

    def outcome():
        try:
            return answers(new(variant).fit(X, y), X).tobytes()
        except InterpolationError as refused:
            return str(refused)

    expected = outcome()
    # Bits 6 and 15 of x86, and 24 of arm64: denormal numbers become zeros.
    flags = 0x8040 if kernels._c.STANDARD_CONTROL else 1 << 24
    before = kernels._c.get_control()
    kernels._c.set_control(before | flags)
    try:
        assert np.array([5e-324])[0] * 1.0 == 0.0
        flushed = outcome()
    finally:
        kernels._c.set_control(before)
    assert flushed == expected


@pytest.mark.parametrize("n_classes", [2, 10])
@pytest.mark.parametrize("variant", MEMORIZING)
def test_random_labels_are_recalled(variant, n_classes):
    X, y = random_labels(300, 20, n_classes)
    y = targets_for(variant, X, y)
    estimator = new(variant).fit(X, y)
    assert estimator.interpolates_
    assert (estimator.predict(X) == y).all()
    assert estimator.score(X, y) == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("n_classes", [2, 10])
@pytest.mark.parametrize("variant", MEMORIZING)
def test_more_random_labels_are_recalled(variant, n_classes):
    X, y = random_labels(2000, 20, n_classes)
    y = targets_for(variant, X, y)
    assert (new(variant).fit(X, y).predict(X) == y).all()


@pytest.mark.parametrize("name", sorted(DATA.keys() - {"random labels"}))
@pytest.mark.parametrize("variant", MEMORIZING)
def test_real_data_are_recalled_dense_and_sparse(variant, name):
    X, y = (array[:300] for array in DATA[name])
    y = targets_for(variant, X, y)
    dense = new(variant).fit(X, y)
    from_sparse = new(variant).fit(sparse.csr_array(X), y)
    if kind_of(variant) in CLASSIFIERS:
        # Identical rows of iris carry one label, so all samples are recalled.
        assert (dense.predict(X) == y).all()
    assert (from_sparse.predict(sparse.csr_array(X)) == dense.predict(X)).all()
    if kind_of(variant) in NETWORKS:
        assert dense.network_.widths == from_sparse.network_.widths


@given(
    n_samples=st.integers(1, 40),
    n_features=st.integers(1, 4),
    n_classes=st.integers(1, 40),
    exponent=st.integers(-150, 150),
    seed=st.integers(0, 1000),
)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_small_grids_are_recalled_at_any_scale(
    name, n_samples, n_features, n_classes, exponent, seed
):
    rng = np.random.default_rng(seed)
    X = rng.integers(-8, 9, (n_samples, n_features)) * 10.0**exponent
    X, first = np.unique(X, axis=0, return_index=True)
    y = rng.integers(n_classes, size=n_samples)[first]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes")
        assert (new(name).fit(X, y).predict(X) == y).all()


@pytest.mark.parametrize("name", GENERATED)
def test_hostile_data_are_recalled_or_the_cause_is_named(name):
    """`make fuzz` runs the same property many more times."""

    @given(GENERATED[name])
    def holds(case):
        case()

    holds()


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
        assert judge_classifier(new(name), Problem(X, labels, None)) == RECALLED


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_defaults_recall_points_of_a_grid(name):
    axes = np.meshgrid(*[np.arange(4.0)] * 3)
    X = np.stack(axes, axis=-1).reshape(-1, 3)
    y = np.random.default_rng(0).integers(0, 3, len(X))
    assert judge_classifier(new(name), Problem(X, y, None)) == RECALLED


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_thousand_classes_are_recalled(name):
    X, _ = random_labels(1000, 10)
    y = np.random.default_rng(2).permutation(1000).astype(str)
    estimator = new(name)
    if name == "RandomReLUClassifier":
        # Linear functions that single out each of 1,000 samples take long to find.
        estimator.set_params(min_hyperplanes=1000, max_iter=1, maximum_margin=False)
    elif name == "MemorizingClassifier":
        estimator.set_params(n_draws=1)
    assert estimator.fit(X, y).interpolates_
    assert (estimator.predict(X) == y).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLIC)
def test_a_hundred_thousand_sparse_features_are_recalled(name):
    rng = np.random.default_rng(3)
    X = sparse.random_array((6, 100_000), density=1e-4, format="csr", rng=rng)
    estimator = new(name)
    few = {"min_hyperplanes": 8, "n_hyperplanes": 8, "n_draws": 1}
    if name != "RandomThresholdTransformer":
        del few["n_hyperplanes"]
    known = estimator.get_params()
    estimator.set_params(**{key: few[key] for key in few if key in known})
    assert judge(estimator, Problem(X, np.arange(6) % 3, None)) == RECALLED


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_single_sample_of_a_single_feature_is_recalled(name):
    for value in (0.0, -0.0, SMALLEST, 1e300):
        problem = Problem(np.array([[value]]), ["only"], None)
        assert judge_classifier(new(name), problem) == RECALLED


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_class_that_lost_all_its_rows_is_left_out(name):
    X, y = np.zeros((3, 2)), np.array([0, 1, 1])
    estimator = new(name)
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
    X, y = np.array([[0.0], [0.0], [0.0], [1.0]]), [1, 1, 0, 2]
    most = np.finfo(float).max
    for weights, winner in (
        ([1.0, 2.0**-60, 1.0, 1.0], 1),  # equal when rounded
        ([1.0, 0.0, 1.0, 1.0], 0),  # a tie
        ([most, most, most, 1.0], 1),  # infinite when added up
        ([SMALLEST, 0.0, SMALLEST * 2, 1.0], 0),
    ):
        with pytest.warns(ConflictingLabelsWarning):
            estimator = new(name).fit(X, y, sample_weight=weights)
        assert estimator.predict(X[:1]) == winner


# The network.


@pytest.mark.parametrize("variant", NETWORKING)
def test_the_network_is_its_layers_evaluated_one_after_the_other(variant):
    X, labels = random_labels(60, 4, 3)
    y = targets_for(variant, X, labels)
    network = new(variant).fit(X, y).network_
    layers = network.layers
    assert network.depth == len(layers)
    # Neurons that only hand something on are not counted.
    widths = tuple(layer.n_neurons for layer in layers)
    assert all(np.array(network.widths) <= widths)
    assert network.n_neurons == sum(network.widths)
    assert network.n_inputs == layers[0].n_inputs == 4
    outputs, by_hand = network.forward(X), textbook(network, X).astype(float)
    assert outputs.shape == by_hand.shape == (60, network.widths[-1])
    # Each output of some networks is a sum of large numbers.
    allowed = 1e-6 * max(1.0, np.abs(outputs).max())
    np.testing.assert_allclose(by_hand, outputs, rtol=0, atol=allowed)
    if by_hand.shape[1] == 3:
        assert (by_hand.argmax(axis=1) == labels).all()


# Scores.


@pytest.mark.parametrize("n_classes", [1, 2, 5])
@pytest.mark.parametrize("variant", CLASSIFYING)
def test_the_largest_score_is_predicted(variant, n_classes):
    X, y = random_labels(150, 3, n_classes)
    labels = np.array(list("abcde"))
    estimator = new(variant).fit(X, labels[y])
    unseen = 2 * np.random.default_rng(1).standard_normal((300, 3))
    for rows in (X, unseen):
        scores = estimator.decision_function(rows)
        assert scores.shape == ((len(rows), 5) if n_classes == 5 else (len(rows),))
        if n_classes > 1:
            best = scores.argmax(axis=1) if n_classes == 5 else (scores > 0).astype(int)
            assert (estimator.predict(rows) == estimator.classes_[best]).all()
    assert (estimator.predict(X) == labels[y]).all()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_predictions_far_from_all_samples_are_silent_and_finite(name):
    X = np.array([[1e-200], [2e-200], [3e-200]])
    estimator = new(name).fit(X, [0, 1, 2])
    far = np.array([[1e300], [-1e300], [1.7e308], [-1.7e308]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isin(estimator.predict(far), [0, 1, 2]).all()
        assert np.isfinite(estimator.decision_function(far)).all()


# One answer a row.


def ways_to_ask(estimator, rows):
    """Yield the answers for single precision rows, asked for in many ways."""
    order = np.random.default_rng(0).permutation(len(rows))
    yield "double", answers(estimator, rows.astype(np.float64))
    yield "Fortran", answers(estimator, np.asfortranarray(rows))
    yield "sparse", answers(estimator, sparse.csr_array(rows))
    yield "shuffled", answers(estimator, rows[order])[np.argsort(order)]
    yield "row by row", np.concatenate([answers(estimator, row[None]) for row in rows])
    yield "restored", answers(pickle.loads(pickle.dumps(estimator)), rows)
    if "n_jobs" in estimator.get_params():
        yield "two jobs", answers(copy.copy(estimator).set_params(n_jobs=2), rows)
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            yield f"{n_threads} threads", answers(estimator, rows)
    for backend in BACKENDS:
        with kernels.use_backend(backend):
            yield backend, answers(estimator, rows)


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_answer_does_not_depend_on_how_it_is_asked_for(variant):
    X, labels = random_labels(200, 20, 3)
    X = np.where(np.abs(X) > 0.5, X, 0.0).astype(np.float32)
    estimator = new(variant).fit(X, targets_for(variant, X, labels))
    unseen = np.random.default_rng(1).standard_normal((60, 20)).astype(np.float32)
    unseen[0] = 0.0
    # Beside the samples functions are steep, and every last bit counts.
    beside = X[:60] * (1 + np.float32(1e-4) * unseen)
    rows = np.concatenate([X[:60], beside, unseen])
    expected = answers(estimator, rows)
    for way, found in ways_to_ask(estimator, rows):
        assert np.array_equal(found, expected), way


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", PUBLIC)
def test_read_only_memory_maps_are_fitted(name, dtype, tmp_path):
    path = tmp_path / "samples.npy"
    np.save(path, SAMPLES.astype(dtype))
    mapped = np.load(path, mmap_mode="r")
    assert not mapped.flags.writeable
    estimator = new(name).fit(mapped, targets_for(name, SAMPLES, LABELS))
    assert (answers(estimator, mapped) == answers(estimator, np.array(mapped))).all()
    assert (mapped == SAMPLES.astype(dtype)).all()


# One seed, one network, byte for byte.

rng = np.random.default_rng(0)
# Values that single precision holds, so that copies in both precisions are equal.
X = rng.standard_normal((100, 12)).astype(np.float32)
X[:, 3] = np.round(X[:, 3])  # with zeros of both signs
X[75:] = X[:25] + np.float32(2.0**-4)
X = X.astype(np.float64)
Y = rng.integers(0, 3, 100)


def memorized(variant, rows=X, order=slice(None), **options):
    y = targets_for(variant, X, Y)
    return new(variant, **options).fit(rows[order], y[order])


@cache
def expected(variant):
    return digest(memorized(variant))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_same_seed_gives_the_same_network_again(variant):
    assert digest(memorized(variant)) == expected(variant)


@pytest.mark.parametrize("variant", SEEDED)
def test_another_seed_gives_another_network(variant):
    assert digest(memorized(variant, random_state=1)) != expected(variant)


@pytest.mark.parametrize("n_jobs", [2, -1])
@pytest.mark.parametrize("variant", PARALLEL)
def test_the_number_of_jobs_does_not_show(variant, n_jobs):
    assert digest(memorized(variant, n_jobs=n_jobs)) == expected(variant)


@pytest.mark.parametrize("backend", ["loky", "threading", "sequential"])
@pytest.mark.parametrize("variant", PARALLEL)
def test_the_backend_of_joblib_does_not_show(variant, backend):
    with joblib.parallel_config(backend, n_jobs=2):
        assert digest(memorized(variant)) == expected(variant)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_kernels_do_not_show(variant, backend):
    with kernels.use_backend(backend):
        assert digest(memorized(variant)) == expected(variant)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("variant", VARIANTS)
def test_threads_of_the_linear_algebra_do_not_show(variant, n_threads):
    with threadpool_limits(n_threads):
        assert digest(memorized(variant)) == expected(variant)


@pytest.mark.parametrize(
    "container",
    [
        np.float32,
        np.asfortranarray,
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
        sparse.csr_array,
        sparse.csc_matrix,
    ],
    ids=["single precision", "Fortran", "strided", "CSR", "CSC"],
)
@pytest.mark.parametrize("variant", VARIANTS)
def test_storage_and_precision_do_not_show(variant, container):
    assert digest(memorized(variant, container(X))) == expected(variant)


def block_sizes():
    """Yield the modules and names of the numbers that say how much is done at once."""
    for name, module in list(sys.modules.items()):
        if name.startswith("sklearn_memorize.") and ".kernels" not in name:
            for constant, value in vars(module).items():
                if re.fullmatch("_BLOCK_.*|_.*_AT_ONCE", constant):
                    assert isinstance(value, int)
                    yield module, constant


@pytest.mark.parametrize("variant", VARIANTS)
def test_how_much_is_done_at_once_does_not_show(variant, monkeypatch):
    expected_answers = answers(memorized(variant), X)
    changed = list(block_sizes())
    assert changed
    for module, constant in changed:
        monkeypatch.setattr(module, constant, 40)
    estimator = memorized(variant)
    assert digest(estimator) == expected(variant)
    for rows in (X, sparse.csr_array(X)):
        assert (answers(estimator, rows) == expected_answers).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_order_of_the_samples_does_not_show(variant):
    order = np.random.default_rng(0).permutation(len(X))
    assert digest(memorized(variant, order=order)) == expected(variant)


# The transformer does not look for equal rows; its center is the mean of all.
@pytest.mark.parametrize("variant", MEMORIZING)
def test_repeated_samples_do_not_show(variant):
    twice = np.concatenate([np.arange(len(X)), np.arange(0, len(X), 3)])
    # Where samples are left out, they count as often as they come.
    options = {"n_votes": 3} if hasattr(fitted(variant), "loo_score_") else {}
    once = digest(memorized(variant, **options))
    assert digest(memorized(variant, order=twice, **options)) == once


def test_a_generator_that_is_handed_over_moves_on():
    generator = np.random.RandomState(0)
    first, second = (
        digest(MemorizingClassifier(random_state=generator).fit(X, Y)) for _ in range(2)
    )
    assert first != second


# What is stored can be read again; what is damaged or foreign is refused.


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_restored_estimator_answers_alike(variant, tmp_path):
    estimator = fitted(variant)
    unseen = 2 * np.random.default_rng(1).standard_normal((200, 5))
    joblib.dump(estimator, tmp_path / "estimator.joblib")
    for other in (
        pickle.loads(pickle.dumps(estimator)),
        copy.deepcopy(estimator),
        joblib.load(tmp_path / "estimator.joblib", mmap_mode="r"),
        pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(estimator)))),
    ):
        for rows in (unseen, unseen.astype(np.float32)):
            assert np.array_equal(answers(other, rows), answers(estimator, rows))
        assert other.get_params() == estimator.get_params()


@pytest.mark.parametrize("variant", NETWORKING)
def test_a_network_can_be_stored_alone(variant):
    network = fitted(variant).network_
    other = pickle.loads(pickle.dumps(network))
    assert type(other) is type(network)
    assert repr(other) == repr(network)
    assert np.array_equal(other.forward(SAMPLES), network.forward(SAMPLES))


@pytest.mark.parametrize("name", PUBLIC)
def test_an_estimator_that_is_not_fitted_can_be_stored(name):
    estimator = clone(fitted(name))
    other = pickle.loads(pickle.dumps(estimator))
    assert other.get_params() == estimator.get_params()
    assert not hasattr(other, "n_features_in_")


@pytest.mark.parametrize("variant", MEMORIZING)
def test_what_is_stored_are_arrays_numbers_and_texts(variant):
    def kinds(plain):
        if isinstance(plain, dict):
            return set().union(*map(kinds, plain.values()))
        if isinstance(plain, list):
            return set().union(*map(kinds, plain))
        return {type(plain)}

    estimator = fitted(variant)
    state = estimator.__getstate__()[estimator._built_name]
    assert kinds(state) <= {np.ndarray, np.int64, int, float, str, bool, type(None)}


@pytest.mark.parametrize("name", MEMORIZERS)
def test_an_array_that_lost_entries_is_refused(name):
    estimator = fitted(name)
    state = estimator.__getstate__()
    name_of_built = estimator._built_name
    arrays = list(places(state[name_of_built]))
    assert arrays
    for path in arrays:
        if path[-1] == "members":  # of a slab; the network does not look at them
            continue
        path = (name_of_built, *path)
        for change in (lambda array: array[:-1], lambda array: np.zeros((2, 3, 4))):
            if np.array_equal(change(value_at(state, path)), value_at(state, path)):
                continue  # there was no entry to lose
            damaged = with_other(state, path, change)
            with pytest.raises(
                ValueError, match=f"stored {name} is damaged.*fit again"
            ):
                restored(estimator, damaged)


@pytest.mark.parametrize("name", MEMORIZERS)
def test_a_part_that_is_missing_is_refused(name):
    estimator = fitted(name)
    state = estimator.__getstate__()
    for part in state[estimator._built_name]:
        damaged = copy.deepcopy(state)
        del damaged[estimator._built_name][part]
        with pytest.raises(ValueError, match="is damaged"):
            restored(estimator, damaged)


@pytest.mark.parametrize("name", MEMORIZERS)
@pytest.mark.parametrize("attribute", ["", "n_features_in_", "n_conflicts_"])
def test_a_fitted_attribute_that_is_missing_is_named(name, attribute):
    estimator = fitted(name)
    attribute = attribute or estimator._built_name
    state = estimator.__getstate__()
    del state[attribute]
    with pytest.raises(ValueError, match=f"is damaged: it lacks {attribute}"):
        restored(estimator, state)


@pytest.mark.parametrize("name", PUBLIC)
def test_what_another_program_or_format_stored_is_refused(name):
    estimator = fitted(name)
    state = estimator.__getstate__()
    for change in ({"_sklearn_memorize_format": 0}, {"_sklearn_memorize_format": None}):
        with pytest.raises(ValueError, match="version 0.1.0 cannot read it.*fit again"):
            restored(estimator, {**state, **change})
    with pytest.raises(ValueError, match="by another version"):
        restored(estimator, dict(estimator.get_params()))


@pytest.mark.parametrize("name", PUBLIC)
def test_a_damaged_pickle_is_refused(name):
    written = pickle.dumps(fitted(name))
    for damaged in (written[: len(written) // 2], b"", b"\x80\x05not a pickle."):
        with pytest.raises((pickle.UnpicklingError, EOFError, ValueError, KeyError)):
            pickle.loads(damaged)
