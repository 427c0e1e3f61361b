"""MemorizingClassifier recalls every training sample, however it is asked for."""

import pickle
import warnings

import numpy as np
import pytest
from _data import mnist
from scipy import sparse
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_moons,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits

from sklearn_memorize import MemorizingClassifier, RandomThresholdTransformer, kernels
from sklearn_memorize.constructions.random_hyperplanes._hyperplane_layer import (
    HyperplaneLayer,
)
from sklearn_memorize.exceptions import (
    ConflictingLabelsWarning,
    InterpolationError,
    InterpolationWarning,
)

rng = np.random.default_rng(0)
RANDOM = rng.standard_normal((2000, 20)), rng.integers(0, 10, 2000)


def scaled(loader):
    X, y = loader(return_X_y=True)
    return StandardScaler().fit_transform(X), y


DATA = {
    "digits": scaled(load_digits),
    "iris": scaled(load_iris),
    "wine": scaled(load_wine),
    "breast cancer": scaled(load_breast_cancer),
    "two moons": make_moons(1000, noise=0.05, random_state=0),
    "random labels": RANDOM,
}


def textbook(network, X):
    for layer in network.layers:
        X = layer.forward(X)
    return X


def same_network(first, second):
    pairs = zip(first.network_.coverings, second.network_.coverings, strict=True)
    return all(
        a.masks.tobytes() == b.masks.tobytes()
        and a.bounds.tobytes() == b.bounds.tobytes()
        and a.hyperplanes.directions.tobytes() == b.hyperplanes.directions.tobytes()
        and a.hyperplanes.biases.tobytes() == b.hyperplanes.biases.tobytes()
        for a, b in pairs
    )


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("decision", ["vote", "network"])
@pytest.mark.parametrize("activation", ["threshold", "relu"])
@pytest.mark.parametrize("name", DATA)
def test_every_training_sample_is_recovered(name, activation, decision, container):
    X, y = DATA[name]
    X = container(X)
    clf = MemorizingClassifier(
        activation=activation, decision=decision, random_state=0
    ).fit(X, y)
    assert clf.interpolates_
    assert clf.n_conflicts_ == 0
    assert clf.score(X, y) == 1.0


@pytest.mark.parametrize(
    "options",
    [
        {"covering": "greedy"},
        {"prune": True},
        {"covering": "greedy", "prune": True, "activation": "relu"},
        {"n_draws": 3},
        {"n_draws": 3, "keep": "all"},
        {"n_draws": 3, "keep": "all", "activation": "relu", "prune": True},
        {"max_bias": 3.0, "center": False},
        {"n_votes": 1},
        {"n_votes": 10**6},
    ],
    ids=repr,
)
@pytest.mark.parametrize("name", ["digits", "breast cancer", "random labels"])
def test_every_training_sample_is_recovered_with_any_option(name, options):
    X, y = DATA[name]
    clf = MemorizingClassifier(random_state=0, **options).fit(X, y)
    assert clf.interpolates_
    assert clf.score(X, y) == 1.0


@pytest.mark.parametrize("options", [{}, {"n_draws": 2, "keep": "all"}, {"prune": 1}])
@pytest.mark.parametrize("activation", ["threshold", "relu"])
def test_the_textbook_network_gives_the_same_outputs(activation, options):
    options = {name: bool(v) if name == "prune" else v for name, v in options.items()}
    X, y = DATA["digits"]
    clf = MemorizingClassifier(
        decision="network", activation=activation, random_state=0, **options
    ).fit(X[::2], y[::2])
    outputs = textbook(clf.network_, X)
    assert (outputs == clf.network_.forward(X)).all()
    assert (clf.classes_[outputs.argmax(axis=1)] == clf.predict(X)).all()


@pytest.mark.parametrize("options", [{}, {"n_draws": 2, "keep": "all"}])
def test_the_network_counts_itself_as_its_layers_do(options):
    clf = MemorizingClassifier(random_state=0, **options).fit(*DATA["wine"])
    network = clf.network_
    assert network.widths == tuple(layer.n_neurons for layer in network.layers)
    assert network.n_parameters == sum(layer.n_parameters for layer in network.layers)
    assert network.depth == len(network.layers) == 3
    assert network.n_neurons == sum(network.widths)
    assert network.n_inputs == 13
    assert network.widths[0] == clf.n_hyperplanes_
    assert network.widths[1] == clf.second_layer_widths_.sum()


def test_the_network_cannot_be_changed():
    clf = MemorizingClassifier(random_state=0).fit(*DATA["iris"])
    covering = clf.network_.coverings[0]
    for array in (covering.masks, covering.bounds, covering.hyperplanes.directions):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize("activation", ["threshold", "relu"])
def test_each_neuron_fires_at_its_sample_and_at_no_other_class(activation):
    X, y = DATA["digits"]
    clf = MemorizingClassifier(activation=activation, n_draws=2, random_state=0).fit(
        X, y
    )
    first, second, third = clf.network_.layers
    potential = first.forward(X) @ second.weights.T + second.biases
    of_class = third.weights.toarray().argmax(axis=0)
    assert (y[clf.sample_indices_] == of_class).all()
    assert (potential[clf.sample_indices_, np.arange(len(of_class))] > 0).all()
    assert not (potential > 0)[y[:, np.newaxis] != of_class].any()
    assert (potential > 0).any(axis=1).all()
    # ReLU outputs are rounded up, so a neuron may just miss a sample of its class.
    covering = clf.network_.coverings[0]
    room = covering.bound_unit * covering.hyperplanes.n_hyperplanes
    slack = 0.0 if activation == "threshold" else room
    assert ((potential > slack).sum(axis=0) <= clf.coverage_).all()
    assert (clf.coverage_ <= (potential > 0).sum(axis=0)).all()


def test_pruned_neurons_each_cover_a_sample_of_their_own():
    X, y = DATA["digits"]
    full = MemorizingClassifier(n_draws=1, random_state=0).fit(X, y)
    pruned = MemorizingClassifier(n_draws=1, random_state=0, prune=True).fit(X, y)
    first, second, _ = pruned.network_.layers
    fires = second.forward(first.forward(X)) > 0
    alone = fires[fires.sum(axis=1) == 1]
    assert alone.any(axis=0).all()
    assert pruned.second_layer_widths_.sum() < full.second_layer_widths_.sum()


def test_greedy_covering_needs_fewer_neurons():
    X, y = DATA["digits"]
    random = MemorizingClassifier(random_state=0).fit(X, y)
    greedy = MemorizingClassifier(random_state=0, covering="greedy").fit(X, y)
    assert greedy.second_layer_widths_.sum() < random.second_layer_widths_.sum()


def test_greedy_covering_takes_the_largest_cover_first():
    X, y = DATA["breast cancer"]
    clf = MemorizingClassifier(n_draws=1, random_state=0, covering="greedy").fit(X, y)
    first, second, _ = clf.network_.layers
    fires = second.forward(first.forward(X)) > 0
    for number in (0, 1):
        start = clf.second_layer_widths_[:number].sum()
        members = fires[:, start : start + clf.second_layer_widths_[number]]
        left = np.ones(len(X), dtype=bool)
        gains = []
        for cover in members.T:
            gains.append((cover & left).sum())
            left &= ~cover
        assert gains == sorted(gains, reverse=True)
        assert gains[0] == clf.coverage_[start]


def test_candidates_computed_ahead_do_not_change_the_cover(monkeypatch):
    from sklearn_memorize.constructions.random_hyperplanes import _covers

    X, y = DATA["digits"]
    ahead = MemorizingClassifier(random_state=3).fit(X, y)
    monkeypatch.setattr(_covers, "_MOST_CANDIDATES", 1)
    one_by_one = MemorizingClassifier(random_state=3).fit(X, y)
    assert same_network(ahead, one_by_one)


def test_auto_ends_with_the_network_of_that_fixed_size():
    X, y = RANDOM
    auto = MemorizingClassifier(n_draws=1, min_hyperplanes=50, random_state=0).fit(X, y)
    assert auto.n_hyperplanes_ > 50
    fixed = MemorizingClassifier(
        n_hyperplanes=auto.n_hyperplanes_, n_draws=1, random_state=0
    )
    assert same_network(auto, fixed.fit(X, y))
    smaller = MemorizingClassifier(
        n_hyperplanes=auto.n_hyperplanes_ // 2, n_draws=1, random_state=0
    )
    with pytest.warns(InterpolationWarning):
        assert not smaller.fit(X, y).interpolates_


@pytest.mark.parametrize("activation", ["threshold", "relu"])
def test_the_network_does_not_depend_on_jobs_precision_order_or_repetition(activation):
    X, y = DATA["digits"]
    X = X.astype(np.float32)
    options = {"activation": activation, "random_state": 5, "n_hyperplanes": 600}
    clf = MemorizingClassifier(**options).fit(X, y)
    order = np.random.default_rng(1).permutation(len(X))
    variants = {
        "double": (X.astype(np.float64), y),
        "fortran": (np.asfortranarray(X), y),
        "sparse": (sparse.csr_matrix(X), y),
        "shuffled": (X[order], y[order]),
        "repeated": (np.vstack([X, X[:50]]), np.concatenate([y, y[:50]])),
    }
    for name, (Z, labels) in variants.items():
        assert same_network(clf, MemorizingClassifier(**options).fit(Z, labels)), name
    with kernels.use_backend("numpy"):
        assert same_network(clf, MemorizingClassifier(**options).fit(X, y))
    for n_jobs in (2, -1):
        threaded = MemorizingClassifier(n_jobs=n_jobs, **options).fit(X, y)
        assert same_network(clf, threaded)


def test_draws_do_not_depend_on_jobs():
    X, y = DATA["wine"]
    options = {"n_draws": 4, "keep": "all", "random_state": 0}
    first = MemorizingClassifier(n_jobs=1, **options).fit(X, y)
    second = MemorizingClassifier(n_jobs=2, **options).fit(X, y)
    assert same_network(first, second)


def test_the_best_draw_has_the_fewest_neurons():
    X, y = DATA["digits"]
    options = {"n_draws": 4, "random_state": 0}
    best = MemorizingClassifier(keep="best", **options).fit(X, y)
    every = MemorizingClassifier(keep="all", **options).fit(X, y)
    sizes = [covering.n_neurons for covering in every.network_.coverings]
    assert best.network_.widths[1] == min(sizes)
    assert every.network_.widths[1] == sum(sizes)
    assert every.second_layer_widths_.sum() == sum(sizes)


def predictions_in_every_way(clf, X):
    order = np.random.default_rng(0).permutation(len(X))
    inverse = np.argsort(order)
    yield "double", clf.predict(X.astype(np.float64))
    yield "single", clf.predict(X.astype(np.float32))
    yield "fortran", clf.predict(np.asfortranarray(X))
    yield "sparse", clf.predict(sparse.csr_matrix(X))
    yield "shuffled", clf.predict(X[order])[inverse]
    yield "pickled", pickle.loads(pickle.dumps(clf)).predict(X)
    yield "two jobs", clf.set_params(n_jobs=2).predict(X)
    clf.set_params(n_jobs=None)
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            yield f"{n_threads} threads", clf.predict(X)
    rows = (clf.predict(X[[i]])[0] for i in range(len(X)))
    yield "row by row", np.fromiter(rows, dtype=clf.classes_.dtype)
    with kernels.use_backend("numpy"):
        yield "without numba", clf.predict(X)


@pytest.mark.parametrize("decision", ["vote", "network"])
@pytest.mark.parametrize("activation", ["threshold", "relu"])
def test_a_prediction_does_not_depend_on_how_it_was_asked_for(activation, decision):
    X, y = load_digits(return_X_y=True)
    X = (X / 7).astype(np.float32)
    clf = MemorizingClassifier(
        activation=activation,
        decision=decision,
        n_hyperplanes=500,
        n_draws=2,
        random_state=0,
    ).fit(X[::2], y[::2])
    expected = clf.predict(X)
    assert (expected[::2] == y[::2]).all()
    for way, answer in predictions_in_every_way(clf, X):
        assert (answer == expected).all(), way


def test_mnist_predictions_do_not_depend_on_how_they_were_asked_for():
    X, y = mnist()
    X, y = X[:10000] / np.float32(255), y[:10000]
    clf = MemorizingClassifier(n_hyperplanes=2000, n_draws=1, random_state=0, n_jobs=2)
    clf.fit(X, y).set_params(n_jobs=None)
    assert clf.interpolates_
    for way, answer in predictions_in_every_way(clf, X[:2000]):
        assert (answer == y[:2000]).all(), way


def test_scores_agree_with_predictions():
    X, y = DATA["digits"]
    for options in ({}, {"decision": "network"}, {"n_draws": 2, "keep": "all"}):
        clf = MemorizingClassifier(random_state=0, n_hyperplanes=600, **options)
        clf.fit(X[::3], y[::3])
        scores = clf.decision_function(X)
        assert scores.shape == (len(X), 10)
        assert (clf.classes_[scores.argmax(axis=1)] == clf.predict(X)).all()


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("decision", ["vote", "network"])
@pytest.mark.parametrize("activation", ["threshold", "relu"])
def test_two_classes_have_one_score(one_sided, decision, activation):
    X, y = make_moons(1000, noise=0.05, random_state=0)
    labels = np.array(["left", "right"])[y]
    clf = MemorizingClassifier(
        one_sided=one_sided, decision=decision, activation=activation, random_state=0
    ).fit(X[::2], labels[::2])
    scores = clf.decision_function(X)
    assert scores.shape == (1000,)
    assert (np.where(scores > 0, "right", "left") == clf.predict(X)).all()
    assert clf.score(X[::2], labels[::2]) == 1.0
    assert (clf.second_layer_widths_ > 0).tolist() == [not one_sided, True]


@pytest.mark.parametrize("n_draws", [1, 3])
def test_the_vote_follows_the_network_where_one_class_fires_alone(n_draws):
    X, y = DATA["digits"]
    clf = MemorizingClassifier(
        random_state=0, n_hyperplanes=700, n_draws=n_draws, keep="all"
    ).fit(X[::2], y[::2])
    network = clf.network_
    fires = np.stack([c.fires(c.encode(X)) for c in network.coverings])
    alone = (fires.any(axis=0).sum(axis=1) == 1) & fires.all(axis=0).any(axis=1)
    assert network.quorum == n_draws
    assert alone[::2].all()
    assert 0 < alone[1::2].mean() < 1
    expected = np.where(
        alone,
        fires.any(axis=0).argmax(axis=1),
        network.margins(X, clf.n_votes).argmax(axis=1),
    )
    assert (clf.predict(X) == expected).all()


def test_draws_that_miss_samples_are_believed_one_by_one():
    X, y = RANDOM
    options = {"n_hyperplanes": 60, "n_draws": 4, "random_state": 0}
    with pytest.warns(InterpolationWarning):
        best = MemorizingClassifier(keep="best", **options).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterpolationWarning)
        every = MemorizingClassifier(**options).fit(X, y)
    assert every.network_.quorum == 1
    fires = every.network_.fires(X)
    alone = fires.sum(axis=1) == 1
    assert (every.predict(X)[alone] == fires.argmax(axis=1)[alone]).all()
    assert every.score(X, y) > best.score(X, y)


def test_margins_are_the_formula():
    X, y = DATA["wine"]
    clf = MemorizingClassifier(n_draws=1, random_state=0).fit(X[::2], y[::2])
    first, second, third = clf.network_.layers
    potential = first.forward(X) @ second.weights.T + second.biases
    expected = np.stack(
        [
            np.sort(potential[:, weights > 0], axis=1)[:, -5:].mean(axis=1)
            for weights in third.weights.toarray()
        ],
        axis=1,
    )
    margins = clf.network_.margins(X, n_votes=5)
    np.testing.assert_allclose(margins * clf.n_hyperplanes_, expected, rtol=1e-12)


def test_grid_search_gives_the_same_results_with_two_jobs():
    X, y = load_wine(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), MemorizingClassifier(random_state=0))
    grid = {
        "memorizingclassifier__n_hyperplanes": [300, 600],
        "memorizingclassifier__max_bias": [0.5, 1.0],
        "memorizingclassifier__covering": ["random", "greedy"],
    }
    results = [
        GridSearchCV(pipeline, grid, n_jobs=n_jobs, cv=3).fit(X, y).cv_results_
        for n_jobs in (1, 2)
    ]
    for key, values in results[0].items():
        if "time" not in key:
            assert np.array_equal(values, results[1][key]), key


def test_a_fixed_size_that_does_not_suffice_is_a_warning():
    X, y = RANDOM
    clf = MemorizingClassifier(n_hyperplanes=3, random_state=0)
    with pytest.warns(InterpolationWarning, match="n_hyperplanes=3 does not suffice"):
        clf.fit(X, y)
    assert not clf.interpolates_
    assert clf.score(X, y) < 1.0
    assert clf.predict(X).shape == y.shape


def test_auto_at_its_cap_is_an_error_and_changes_nothing():
    X, y = RANDOM
    clf = MemorizingClassifier(random_state=0).fit(*DATA["iris"])
    before = dict(vars(clf))
    clf.set_params(min_hyperplanes=5, max_hyperplanes=20)
    with pytest.raises(InterpolationError, match="Increase max_hyperplanes"):
        clf.fit(X, y)
    after = {**vars(clf), "min_hyperplanes": 1000, "max_hyperplanes": 65536}
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before if name.endswith("_"))


def test_codes_that_change_are_noticed(monkeypatch):
    encode = HyperplaneLayer.encode

    def encode_wrongly(layer, X, *arguments):
        return encode(layer, -X, *arguments)

    clf = MemorizingClassifier(random_state=0)
    monkeypatch.setattr(HyperplaneLayer, "encode", encode_wrongly)
    with pytest.raises(InterpolationError, match="codes of some training samples"):
        clf.fit(*DATA["iris"])
    assert not hasattr(clf, "network_")


def test_conflicting_labels_are_resolved_by_weight_or_refused():
    X = np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [2.0, 3.0], [-0.0, 1.0]])
    y = np.array(["a", "b", "b", "c", "a"])
    clf = MemorizingClassifier(random_state=0)
    with pytest.warns(ConflictingLabelsWarning, match="conflicts='raise'"):
        clf.fit(X, y)
    assert clf.n_conflicts_ == 1
    assert clf.interpolates_
    assert clf.predict(X).tolist() == ["a", "a", "a", "c", "a"]
    with pytest.warns(ConflictingLabelsWarning):
        clf.fit(X, y, sample_weight=[0.1, 1, 1, 1, 0.2])
    assert clf.predict(X[:1]) == "b"
    clf.set_params(conflicts="raise")
    with pytest.raises(ValueError, match="conflicts='majority'"):
        clf.fit(X, y)


def test_weights_that_add_up_alike_in_any_order_tie():
    X = np.zeros((6, 1))
    y = np.array([1, 1, 1, 0, 0, 0])
    weights = np.array([0.1, 0.2, 0.3, 0.3, 0.2, 0.1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConflictingLabelsWarning)
        clf = MemorizingClassifier(random_state=0)
        X[-1] = -0.0
        assert clf.fit(np.vstack([X, [[1.0]]]), [*y, 2], [*weights, 1])
    assert clf.predict(X[:1]) == 0


def test_samples_of_weight_zero_are_not_there():
    X, y = DATA["iris"]
    weights = np.ones(len(X))
    weights[::3] = 0
    weighted = MemorizingClassifier(random_state=0).fit(X, y, sample_weight=weights)
    without = MemorizingClassifier(random_state=0).fit(X[weights > 0], y[weights > 0])
    assert same_network(weighted, without)
    assert (weights[weighted.sample_indices_] > 0).all()
    with pytest.raises(ValueError, match="at least one non-zero number"):
        weighted.fit(X, y, sample_weight=np.zeros(len(X)))
    with pytest.raises(ValueError, match="[Nn]egative values"):
        weighted.fit(X, y, sample_weight=-weights)


def test_one_class_is_predicted_as_a_constant():
    X = np.arange(6.0).reshape(3, 2)
    clf = MemorizingClassifier().fit(X, ["only"] * 3)
    assert clf.predict([[7.0, -1.0]]) == "only"
    assert clf.interpolates_
    assert clf.network_.n_neurons == 1
    assert clf.decision_function(X).shape == (3,)


def test_one_sided_needs_two_classes():
    with pytest.raises(ValueError, match="one_sided=True needs two classes, got 3"):
        MemorizingClassifier(one_sided=True).fit(*DATA["iris"])


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_hyperplanes": 0},
        {"n_hyperplanes": "many"},
        {"max_bias": -1.0},
        {"covering": "lazy"},
        {"n_draws": 0},
        {"keep": "some"},
        {"decision": "coin"},
        {"n_votes": 0},
    ],
    ids=repr,
)
def test_bad_parameters_are_named(parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        MemorizingClassifier(**parameters).fit(*DATA["iris"])


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150])
def test_scaling_by_a_power_of_two_scales_the_hyperplanes(scale):
    X, y = DATA["wine"]
    scale = 2.0 ** np.round(np.log2(scale))
    plain = MemorizingClassifier(n_draws=1, random_state=0).fit(X, y)
    other = MemorizingClassifier(n_draws=1, random_state=0).fit(X * scale, y)
    assert other.interpolates_
    assert other.radius_ == plain.radius_ * scale
    (first,), (second,) = plain.network_.coverings, other.network_.coverings
    assert (first.hyperplanes.directions == second.hyperplanes.directions).all()
    assert (first.hyperplanes.biases * scale == second.hyperplanes.biases).all()


def test_radius_is_the_largest_distance_from_the_mean():
    X, y = DATA["wine"]
    clf = MemorizingClassifier(random_state=0).fit(X + 5, y)
    expected = np.linalg.norm(X - X.mean(axis=0), axis=1).max()
    assert clf.radius_ == pytest.approx(expected, rel=1e-7)
    clf = MemorizingClassifier(random_state=0, center=False).fit(X, y)
    assert clf.radius_ == pytest.approx(np.linalg.norm(X, axis=1).max(), rel=1e-12)


def test_draws_may_run_in_processes():
    from joblib import parallel_config

    X, y = DATA["wine"]
    options = {"n_draws": 3, "keep": "all", "random_state": 0}
    here = MemorizingClassifier(**options).fit(X, y)
    with parallel_config(backend="loky", n_jobs=2):
        there = MemorizingClassifier(**options).fit(X, y)
    assert same_network(here, there)


def test_estimators_may_be_fitted_in_threads_at_once():
    X, y = DATA["wine"]

    def fit(seed):
        return MemorizingClassifier(random_state=seed, n_jobs=2).fit(X, y)

    alone = [fit(seed) for seed in range(4)]
    jobs = (delayed(fit)(seed) for seed in range(4))
    together = Parallel(n_jobs=4, prefer="threads")(jobs)
    assert all(map(same_network, alone, together))


def test_codes_are_those_of_the_first_layer():
    X, _ = DATA["digits"]
    transformer = RandomThresholdTransformer(n_hyperplanes=70, random_state=0)
    codes = transformer.fit_transform(X)
    layer = transformer.hyperplanes_.layer()
    assert (codes == layer.forward(X)).all()
    assert set(np.unique(codes)) == {0.0, 1.0}
    as_sparse = transformer.set_params(sparse_output=True).transform(X)
    assert sparse.issparse(as_sparse)
    assert (as_sparse.toarray() == codes).all()
    assert transformer.transform(X.astype(np.float32)).dtype == np.float32


def test_codes_have_names_and_can_be_frames():
    pytest.importorskip("pandas")
    X, _ = load_iris(return_X_y=True, as_frame=True)
    transformer = RandomThresholdTransformer(n_hyperplanes=3, random_state=0)
    frame = transformer.set_output(transform="pandas").fit_transform(X)
    assert list(frame.columns) == [f"randomthresholdtransformer{i}" for i in range(3)]
    assert list(transformer.feature_names_in_) == list(X.columns)
