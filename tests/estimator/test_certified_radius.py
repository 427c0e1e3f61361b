"""No point within the certified radius of a row gets another label."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from support.attacks import attacks
from support.backends import BACKENDS
from support.data import ROOT
from support.estimators import CLASSIFIERS, VARIANTS, kind_of, new
from support.samples import DATA, random_labels
from threadpoolctl import threadpool_limits

from sklearn_memorize import MemorizingClassifier, kernels
from sklearn_memorize.exceptions import InterpolationError

METRICS = ["euclidean", "chebyshev"]
CLASSIFYING = [variant for variant in VARIANTS if kind_of(variant) in CLASSIFIERS]
CERTIFIED = [v for v in CLASSIFYING if hasattr(new(v), "certified_radius")]
# The user guide says why.
WITHOUT = {
    *("BitExtractionClassifier", "NarrowClassifier", "RandomReLUClassifier"),
    *("ResidualMemorizingClassifier", "SmallReLUClassifier"),
}


def some(name, n_samples=100):
    X, y = random_labels(n_samples, 6, 3) if name == "random labels" else DATA[name]
    chosen = np.random.default_rng(0).permutation(len(X))[:n_samples]
    return X[chosen], y[chosen]


def test_it_is_told_of_whom_there_is_a_radius():
    without = {kind_of(variant) for variant in CLASSIFYING} - set(CERTIFIED)
    assert without - set(VARIANTS) == set()
    assert {name for name in without if name in CLASSIFIERS} == WITHOUT
    guide = ROOT / "docs" / "user_guide" / "robustness.rst"
    named = guide.read_text(encoding="utf-8").split("no such method")[1]
    assert all(f":class:`{name}`" in named for name in WITHOUT)
    assert "MemorizingClassifier" in CERTIFIED
    assert "ReLU" not in CERTIFIED
    with pytest.raises(AttributeError) as caught:
        new("ReLU").certified_radius([[0.0]])
    assert "activation='threshold'" in str(caught.value.__cause__)


# Of each class all, of its variants two.
ATTACKED = [
    (variant, data)
    for variant in CERTIFIED
    for data in ("random labels", "two moons", "digits", "wine")
    if variant in CLASSIFIERS or data in ("random labels", "digits")
]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("variant, data", ATTACKED)
def test_no_point_within_the_radius_gets_another_label(variant, metric, data):
    X, y = some(data)
    classifier, rng = new(variant).fit(X, y), np.random.default_rng(1)
    between = X[:50] + rng.random((50, 1)) * (X[50:] - X[:50])
    far = X[:20] * 1e3
    rows = np.concatenate([X, between, X[:50] + rng.standard_normal(X[:50].shape), far])
    radii = classifier.certified_radius(rows, metric=metric)
    assert (radii >= 0).all()
    assert (radii > 0).any()
    for points, labels in attacks(classifier, rows, X, y, metric, rng, n_each=3):
        assert (classifier.predict(points) == labels).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("variant", CERTIFIED)
def test_a_radius_ends_before_the_next_sample_of_another_label(variant, metric):
    X, y = some("random labels")
    classifier = new(variant).fit(X, y)
    norm = 2 if metric == "euclidean" else np.inf
    table = np.linalg.norm(X[:, np.newaxis] - X, norm, axis=2)
    table[y[:, np.newaxis] == y] = np.inf
    assert (classifier.certified_radius(X, metric=metric) < table.min(axis=1)).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("variant", CERTIFIED)
def test_a_radius_does_not_depend_on_how_it_is_asked_for(variant, metric):
    X, y = random_labels(120, 12, 3)
    X = np.where(np.abs(X) > 0.5, X, 0.0).astype(np.float32)
    classifier = new(variant).fit(X, y)
    rng = np.random.default_rng(1)
    rows = np.concatenate([X[:15], rng.standard_normal((15, 12)).astype(np.float32)])
    expected = classifier.certified_radius(rows, metric=metric)

    def asked(rows, classifier=classifier):
        return classifier.certified_radius(rows, metric=metric)

    order = rng.permutation(len(rows))
    ways = {
        "double": asked(rows.astype(np.float64)),
        "Fortran": asked(np.asfortranarray(rows)),
        "sparse": asked(sparse.csr_array(rows)),
        "shuffled": asked(rows[order])[np.argsort(order)],
        "row by row": np.concatenate([asked(row[None]) for row in rows]),
        "restored": asked(rows, pickle.loads(pickle.dumps(classifier))),
    }
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            again = pickle.loads(pickle.dumps(classifier))
            ways[f"{n_threads} threads"] = asked(rows, again)
    for backend in BACKENDS:
        with kernels.use_backend(backend):
            ways[backend] = asked(rows)
    for way, found in ways.items():
        assert np.array_equal(found, expected), way


@pytest.mark.parametrize("variant", CERTIFIED)
def test_with_one_class_any_radius_is_certain(variant):
    X, _ = random_labels(20, 3)
    classifier = new(variant).fit(X, np.zeros(20, dtype=int))
    assert (classifier.certified_radius(X) == np.inf).all()


@pytest.mark.parametrize("name", sorted(set(CERTIFIED) & set(CLASSIFIERS)))
def test_what_is_wrong_with_the_call_is_said(name):
    X, y = random_labels(20, 3, 2)
    with pytest.raises(NotFittedError):
        new(name).certified_radius(X)
    classifier = new(name).fit(X, y)
    with pytest.raises(ValueError, match="expecting 3 features"):
        classifier.certified_radius(X[:, :2])
    with pytest.raises(ValueError, match="'metric' parameter"):
        classifier.certified_radius(X, metric="cosine")
    with pytest.raises(ValueError, match="NaN"):
        classifier.certified_radius([[np.nan, 0.0, 0.0]])


@pytest.mark.parametrize("metric", METRICS)
def test_chunks_get_their_radii_later(metric):
    dask_array = pytest.importorskip("dask.array")
    X, y = random_labels(60, 4, 3)
    classifier = new("RobustMemorizingClassifier").fit(X, y)
    chunks = dask_array.from_array(X, chunks=(17, 2))
    radii = classifier.certified_radius(chunks, metric=metric)
    assert isinstance(radii, dask_array.Array)
    expected = classifier.certified_radius(X, metric=metric)
    np.testing.assert_array_equal(radii.compute(), expected)


@pytest.mark.parametrize(
    "options",
    [
        {"one_sided": True},
        {"one_sided": True, "n_draws": 1},
        {"decision": "network", "n_draws": 3},
        {"class_weight": {0: 30.0, 1: 1.0}},
        {"n_votes": 1, "hyperplanes": "random"},
        {"n_hyperplanes": 6, "n_draws": 2},  # does not suffice
        {"prune": True, "covering": "greedy", "keep": "best"},
        {"max_hyperplanes": 4, "min_hyperplanes": 4, "n_draws": 3},  # separating ones
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sklearn_memorize.exceptions.InterpolationWarning")
@pytest.mark.parametrize("metric", METRICS)
def test_bits_that_have_to_change_are_counted_for_each_rule(options, metric):
    X, y = random_labels(80, 3, 2)
    classifier = MemorizingClassifier(random_state=0, **options).fit(X, y)
    rng = np.random.default_rng(0)
    rows = np.concatenate([X, 1.5 * rng.standard_normal((200, 3))])
    assert (classifier.certified_radius(rows, metric=metric) > 0).mean() > 0.95
    for points, labels in attacks(classifier, rows, X, y, metric, rng, n_each=8):
        assert (classifier.predict(points) == labels).all()


def test_a_fit_that_is_refused_leaves_the_radii_as_they_were():
    X, y = random_labels(30, 3, 2)
    classifier = new("DeepThresholdClassifier", max_hyperplanes=64).fit(X, y)
    before = classifier.certified_radius(X)
    twins = np.concatenate([X, np.nextafter(X, 9.0)])
    with pytest.raises(InterpolationError):
        classifier.fit(twins, np.append(y, 1 - y))
    np.testing.assert_array_equal(classifier.certified_radius(X), before)
