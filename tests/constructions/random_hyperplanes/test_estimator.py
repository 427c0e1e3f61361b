"""MemorizingClassifier recalls every training sample, whatever its parameters."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import (
    load_wine,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.parallel import Parallel, delayed
from support.networks import same_network, textbook
from support.samples import DATA

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.constructions.random_hyperplanes import _network
from sklearn_memorize.exceptions import (
    InterpolationError,
    InterpolationWarning,
)


@pytest.mark.parametrize("activation", ["threshold", "relu"])
@pytest.mark.parametrize("name", DATA)
def test_every_training_sample_is_recovered_by_both_decisions(name, activation):
    X, y = DATA[name]
    clf = MemorizingClassifier(
        hyperplanes="random", activation=activation, random_state=0
    ).fit(X, y)
    assert clf.interpolates_
    assert clf.n_conflicts_ == 0
    for decision in ("vote", "network"):
        clf.set_params(decision=decision)
        assert (clf.predict(X) == y).all()
        assert (clf.predict(sparse.csr_matrix(X)) == y).all()


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
@pytest.mark.parametrize(
    "name",
    [
        "breast cancer",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("digits", "random labels")),
    ],
)
def test_every_training_sample_is_recovered_with_any_option(name, options):
    X, y = DATA[name]
    clf = MemorizingClassifier(hyperplanes="random", random_state=0, **options).fit(
        X, y
    )
    assert clf.interpolates_
    assert clf.score(X, y) == 1.0


@pytest.mark.parametrize("options", [{}, {"n_draws": 2, "keep": "all"}, {"prune": 1}])
@pytest.mark.parametrize("activation", ["threshold", "relu"])
def test_the_textbook_network_gives_the_same_outputs(activation, options):
    options = {name: bool(v) if name == "prune" else v for name, v in options.items()}
    X, y = DATA["digits"]
    clf = MemorizingClassifier(
        hyperplanes="random",
        decision="network",
        activation=activation,
        random_state=0,
        **options,
    ).fit(X[::2], y[::2])
    outputs = textbook(clf.network_, X)
    assert (outputs == clf.network_.forward(X)).all()
    assert (clf.classes_[outputs.argmax(axis=1)] == clf.predict(X)).all()


@pytest.mark.parametrize("options", [{}, {"n_draws": 2, "keep": "all"}])
def test_the_network_counts_itself_as_its_layers_do(options):
    clf = MemorizingClassifier(hyperplanes="random", random_state=0, **options).fit(
        *DATA["wine"]
    )
    network = clf.network_
    assert network.widths == tuple(layer.n_neurons for layer in network.layers)
    assert network.n_parameters == sum(layer.n_parameters for layer in network.layers)
    assert network.depth == len(network.layers) == 3
    assert network.n_neurons == sum(network.widths)
    assert network.n_inputs == 13
    assert network.widths[0] == clf.n_hyperplanes_
    assert network.widths[1] == clf.second_layer_widths_.sum()


def test_the_network_cannot_be_changed():
    clf = MemorizingClassifier(hyperplanes="random", random_state=0).fit(*DATA["iris"])
    covering = clf.network_.coverings[0]
    for array in (covering.masks, covering.bounds, covering.hyperplanes.directions):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize("activation", ["threshold", "relu"])
def test_each_neuron_fires_at_its_sample_and_at_no_other_class(activation):
    X, y = DATA["digits"]
    clf = MemorizingClassifier(
        hyperplanes="random", activation=activation, n_draws=2, random_state=0
    ).fit(X, y)
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
    full = MemorizingClassifier(hyperplanes="random", n_draws=1, random_state=0).fit(
        X, y
    )
    pruned = MemorizingClassifier(
        hyperplanes="random", n_draws=1, random_state=0, prune=True
    ).fit(X, y)
    first, second, _ = pruned.network_.layers
    fires = second.forward(first.forward(X)) > 0
    alone = fires[fires.sum(axis=1) == 1]
    assert alone.any(axis=0).all()
    assert pruned.second_layer_widths_.sum() < full.second_layer_widths_.sum()


def test_greedy_covering_needs_fewer_neurons():
    X, y = DATA["digits"]
    random = MemorizingClassifier(hyperplanes="random", random_state=0).fit(X, y)
    greedy = MemorizingClassifier(
        hyperplanes="random", random_state=0, covering="greedy"
    ).fit(X, y)
    assert greedy.second_layer_widths_.sum() < random.second_layer_widths_.sum()


def test_greedy_covering_takes_the_largest_cover_first():
    X, y = DATA["breast cancer"]
    clf = MemorizingClassifier(
        hyperplanes="random", n_draws=1, random_state=0, covering="greedy"
    ).fit(X, y)
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


def test_auto_ends_with_the_network_of_that_fixed_size():
    X, y = DATA["random labels"]
    auto = MemorizingClassifier(
        hyperplanes="random",
        n_draws=1,
        min_hyperplanes=50,
        separating_hyperplanes=False,
        random_state=0,
    ).fit(X, y)
    assert auto.n_hyperplanes_ > 50
    fixed = MemorizingClassifier(
        hyperplanes="random",
        n_hyperplanes=auto.n_hyperplanes_,
        n_draws=1,
        random_state=0,
    )
    assert same_network(auto, fixed.fit(X, y))
    smaller = MemorizingClassifier(
        hyperplanes="random",
        n_hyperplanes=auto.n_hyperplanes_ // 2,
        n_draws=1,
        random_state=0,
    )
    with pytest.warns(InterpolationWarning):
        assert not smaller.fit(X, y).interpolates_


def test_the_best_draw_has_the_fewest_neurons():
    X, y = DATA["digits"]
    options = {"n_draws": 4, "random_state": 0}
    best = MemorizingClassifier(hyperplanes="random", keep="best", **options).fit(X, y)
    every = MemorizingClassifier(hyperplanes="random", keep="all", **options).fit(X, y)
    sizes = [covering.n_neurons for covering in every.network_.coverings]
    assert best.network_.widths[1] == min(sizes)
    assert every.network_.widths[1] == sum(sizes)
    assert every.second_layer_widths_.sum() == sum(sizes)


def test_grid_search_gives_the_same_results_with_two_jobs():
    X, y = load_wine(return_X_y=True)
    pipeline = make_pipeline(
        StandardScaler(), MemorizingClassifier(hyperplanes="random", random_state=0)
    )
    grid = {
        "memorizingclassifier__n_hyperplanes": [300, 600],
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
    X, y = DATA["random labels"]
    clf = MemorizingClassifier(hyperplanes="random", n_hyperplanes=3, random_state=0)
    with pytest.warns(InterpolationWarning, match="n_hyperplanes=3 does not suffice"):
        clf.fit(X, y)
    assert not clf.interpolates_
    assert clf.score(X, y) < 1.0
    assert clf.predict(X).shape == y.shape


def test_auto_at_its_cap_is_an_error_and_changes_nothing():
    X, y = DATA["random labels"]
    clf = MemorizingClassifier(hyperplanes="random", random_state=0).fit(*DATA["iris"])
    before = dict(vars(clf))
    sizes = {"min_hyperplanes": 5, "max_hyperplanes": 20}
    clf.set_params(**sizes, separating_hyperplanes=False)
    with pytest.raises(InterpolationError, match="increase max_hyperplanes"):
        clf.fit(X, y)
    after = {**vars(clf), "min_hyperplanes": 1000, "max_hyperplanes": 65536}
    after["separating_hyperplanes"] = True
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before if name.endswith("_"))


@pytest.mark.parametrize("separating", [False, True])
def test_a_least_size_above_the_largest_is_refused(separating):
    clf = MemorizingClassifier(
        hyperplanes="random",
        min_hyperplanes=1000,
        max_hyperplanes=20,
        separating_hyperplanes=separating,
        random_state=0,
    )
    advice = "min_hyperplanes=1000 .* max_hyperplanes=20.*Set min_hyperplanes to 20"
    with pytest.raises(ValueError, match=advice):
        clf.fit(*DATA["iris"])
    clf.set_params(n_hyperplanes=300).fit(*DATA["iris"])  # they do not matter then
    assert clf.interpolates_


def test_codes_that_change_are_noticed(monkeypatch):
    encode = _network.encode_by_all

    def encode_wrongly(layers, X, *arguments):
        return encode(layers, -X, *arguments)

    clf = MemorizingClassifier(hyperplanes="random", random_state=0)
    monkeypatch.setattr(_network, "encode_by_all", encode_wrongly)
    monkeypatch.setattr(_network, "are_few", lambda *_: False)
    with pytest.raises(InterpolationError, match="codes of some training samples"):
        clf.fit(*DATA["iris"])
    assert not hasattr(clf, "network_")


def test_one_class_is_predicted_as_a_constant():
    X = np.arange(6.0).reshape(3, 2)
    clf = MemorizingClassifier(hyperplanes="random").fit(X, ["only"] * 3)
    assert clf.predict([[7.0, -1.0]]) == "only"
    assert clf.interpolates_
    assert clf.network_.n_neurons == 1
    assert clf.decision_function(X).shape == (3,)


def test_one_sided_needs_two_classes():
    with pytest.raises(ValueError, match="one_sided=True needs two classes, got 3"):
        MemorizingClassifier(hyperplanes="random", one_sided=True).fit(*DATA["iris"])


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
        MemorizingClassifier(hyperplanes="random", **parameters).fit(*DATA["iris"])


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150])
def test_scaling_by_a_power_of_two_scales_the_hyperplanes(scale):
    X, y = DATA["wine"]
    scale = 2.0 ** np.round(np.log2(scale))
    plain = MemorizingClassifier(hyperplanes="random", n_draws=1, random_state=0).fit(
        X, y
    )
    other = MemorizingClassifier(hyperplanes="random", n_draws=1, random_state=0).fit(
        X * scale, y
    )
    assert other.interpolates_
    assert other.radius_ == plain.radius_ * scale
    (first,), (second,) = plain.network_.coverings, other.network_.coverings
    assert (first.hyperplanes.directions == second.hyperplanes.directions).all()
    assert (first.hyperplanes.biases * scale == second.hyperplanes.biases).all()


def test_radius_is_the_largest_distance_from_the_mean():
    X, y = DATA["wine"]
    clf = MemorizingClassifier(hyperplanes="random", random_state=0).fit(X + 5, y)
    expected = np.linalg.norm(X - X.mean(axis=0), axis=1).max()
    assert clf.radius_ == pytest.approx(expected, rel=1e-7)
    clf = MemorizingClassifier(hyperplanes="random", random_state=0, center=False).fit(
        X, y
    )
    assert clf.radius_ == pytest.approx(np.linalg.norm(X, axis=1).max(), rel=1e-12)


def test_estimators_may_be_fitted_in_threads_at_once():
    X, y = DATA["wine"]

    def fit(seed):
        return MemorizingClassifier(
            hyperplanes="random", random_state=seed, n_jobs=2
        ).fit(X, y)

    alone = [fit(seed) for seed in range(4)]
    jobs = (delayed(fit)(seed) for seed in range(4))
    together = Parallel(n_jobs=4, prefer="threads")(jobs)
    assert all(map(same_network, alone, together))


def test_pruning_drops_hyperplanes_that_no_neuron_reads():
    X = np.array([[-1.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    options = {"n_hyperplanes": 300, "n_draws": 1, "random_state": 0}
    for prune in (False, True):
        estimator = MemorizingClassifier(
            hyperplanes="random", prune=prune, **options
        ).fit(X, [0, 1, 1])
        first, second, _ = estimator.network_.layers
        weights = second.weights
        weights = weights.toarray() if hasattr(weights, "toarray") else weights
        read = (weights != 0).any(axis=0)
        assert read.all() == prune
        assert (len(first.biases) < 300) == prune


@pytest.mark.parametrize("hyperplanes", ["adapted", "random"])
def test_entries_are_recalled_up_to_the_size_that_is_documented(hyperplanes):
    classifier = MemorizingClassifier(hyperplanes=hyperplanes, random_state=0)
    X, y = np.array([[1.0], [-1.0]]), [0, 1]
    largest = classifier.fit(2.0**1000 * X, y)
    assert largest.predict(2.0**1000 * X).tolist() == y
    with pytest.raises(ValueError, match="Scale the features down"):
        classifier.fit(2.0**1001 * X, y)
