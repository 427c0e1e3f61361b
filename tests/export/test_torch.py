"""PyTorch modules: the labels of `predict`, and gradients."""

import copy

import numpy as np
import pytest
from sklearn.base import clone, is_regressor
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)
from support.estimators import new
from support.exported import (
    CASES,
    REFUSED,
    each_case,
    fitted,
    memorizing,
    predictors,
    samples,
)
from support.needs import needs

from sklearn_memorize import (
    InterpolatingNeighborsClassifier,
    InterpolatingNeighborsRegressor,
    NearbySetClassifier,
    SmallReLURegressor,
)
from sklearn_memorize.constructions.random_hyperplanes._network import CoverNetwork
from sklearn_memorize.export import to_torch

torch = needs("torch")


N_ROWS = 1000  # at a time


def outputs_of(module, X):
    """Return what the module says of rows, as an array."""
    with torch.no_grad():
        parts = torch.from_numpy(np.asarray(X)).split(N_ROWS)
        return torch.cat([module(part) for part in parts]).numpy()


def test_every_predictor_is_compared_or_refused():
    compared = {type(estimator).__name__ for estimator, _, _ in CASES}
    assert compared | REFUSED == predictors()
    assert not compared & REFUSED


@each_case
def test_the_module_says_what_predict_says(case):
    estimator, X, new = fitted(case)
    module = to_torch(estimator)
    for rows in (X, new):
        outputs = outputs_of(module, rows)
        if is_regressor(estimator):
            np.testing.assert_allclose(outputs, estimator.predict(rows), atol=1e-6)
            continue
        labels = estimator.classes_[outputs.argmax(axis=1)]
        np.testing.assert_array_equal(labels, estimator.predict(rows))
        scores = estimator.decision_function(rows)
        if scores.ndim == 1 and len(estimator.classes_) == 2:
            outputs = outputs[:, 1] - outputs[:, 0]
        np.testing.assert_allclose(
            outputs.reshape(scores.shape), scores, rtol=1e-6, atol=1e-6
        )


@each_case
def test_the_module_gives_probabilities(case):
    estimator, X, new = fitted(case)
    module = to_torch(estimator)
    if is_regressor(estimator):
        with pytest.raises(TypeError, match="no probabilities"):
            module.probabilities(torch.from_numpy(X))
        return
    for rows in (X, new):
        found = outputs_of(module.probabilities, rows)
        expected = estimator.predict_proba(rows)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        labels = estimator.classes_[found.argmax(axis=1)]
        np.testing.assert_array_equal(labels, estimator.predict(rows))


@each_case
def test_every_weight_gets_a_gradient(case):
    estimator, X, _ = fitted(case)
    module = to_torch(estimator)
    outputs = module(torch.from_numpy(X[:50]))
    outputs.square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize("n_votes", [None, 1, 3])
@pytest.mark.parametrize("activation", ["threshold", "relu"])
def test_a_network_of_coverings_says_what_forward_and_vote_say(activation, n_votes):
    X, y = samples(300, 3)
    network = memorizing(activation=activation).fit(X, y).network_
    assert isinstance(network, CoverNetwork)
    new = np.random.default_rng(0).standard_normal((2000, 5)) * 2
    expected = network.forward(new) if n_votes is None else network.vote(new, n_votes)
    module = network.to_torch(n_votes)
    np.testing.assert_array_equal(outputs_of(module, new), expected)


def test_a_network_alone_becomes_a_module():
    X, y = samples(100, 2)
    network = SmallReLURegressor(random_state=0).fit(X, np.sin(X[:, 0])).network_
    module = network.to_torch()
    np.testing.assert_allclose(outputs_of(module, X), network.forward(X), atol=1e-8)
    n_weights = sum(parameter.numel() for parameter in module.parameters())
    assert n_weights >= network.n_parameters


def test_rows_far_from_the_origin_keep_their_sides():
    X, y = samples(300, 3)
    X = X + 1e9
    estimator = memorizing().fit(X, y)
    new = np.random.default_rng(0).standard_normal((N_ROWS, 5)) * 2 + 1e9
    labels = estimator.classes_[outputs_of(to_torch(estimator), new).argmax(axis=1)]
    np.testing.assert_array_equal(labels, estimator.predict(new))


def test_single_precision_inputs_are_taken_as_they_are():
    X, y = samples(300, 3)
    X = X.astype(np.float32)
    estimator = memorizing().fit(X, y)
    scores = outputs_of(to_torch(estimator), X)
    np.testing.assert_array_equal(scores, estimator.decision_function(X))


def test_in_single_precision_only_rows_near_a_tie_get_another_label():
    X, y = samples(600, 4)
    estimator = memorizing(min_hyperplanes=1000).fit(X, y)
    new = np.random.default_rng(0).standard_normal((10_000, 5)) * 2
    scores = estimator.decision_function(new)
    single = outputs_of(to_torch(estimator).float(), new)
    changed = single.argmax(axis=1) != scores.argmax(axis=1)
    # A hyperplane that changes its side moves each of n_draws margins by 1 / n.
    two_best = np.sort(scores[changed], axis=1)[:, -2:]
    assert changed.mean() < 0.005
    assert (np.diff(two_best, axis=1) < 8 / 1000).all()


def test_the_gradient_of_a_threshold_is_that_of_a_smooth_step():
    from sklearn_memorize.export._torch_modules import Neurons

    layer = Neurons(np.array([[1.0]]), np.array([-2.0]), "threshold")
    assert layer.width == 2.0
    X = torch.tensor([[-1.0], [2.0], [3.0]], dtype=torch.float64, requires_grad=True)
    outputs = layer(X)
    assert outputs[:, 0].tolist() == [0.0, 0.0, 1.0]
    outputs.sum().backward()

    def smooth(x):
        return 0.5 + (x - 2.0) / (2 * (2.0 + abs(x - 2.0)))

    for x, slope in zip([-1.0, 2.0, 3.0], X.grad[:, 0].tolist(), strict=True):
        assert slope == pytest.approx((smooth(x + 1e-6) - smooth(x - 1e-6)) / 2e-6)


@pytest.mark.parametrize("activation", ["threshold", "relu"])
def test_training_goes_on_from_the_network(activation):
    X, y = samples(200, 2)
    estimator = memorizing(activation=activation, min_hyperplanes=50).fit(X, y)
    module = to_torch(estimator)
    inputs, labels = torch.from_numpy(X), torch.from_numpy(1 - y)  # the other ones
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    risks = []
    for _ in range(40):
        risk = torch.nn.functional.cross_entropy(20 * module(inputs), labels)
        risks.append(risk.item())
        optimizer.zero_grad()
        risk.backward()
        optimizer.step()
    assert risks[-1] < risks[0] / 2


def test_a_module_can_be_saved_and_loaded(tmp_path):
    X, y = samples(300, 3)
    estimator = memorizing().fit(X, y)
    module = to_torch(estimator)
    torch.save(module.state_dict(), tmp_path / "weights.pt")
    other = copy.deepcopy(module)
    for parameter in other.parameters():
        parameter.data.zero_()
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    np.testing.assert_array_equal(outputs_of(other, X), outputs_of(module, X))


SCALED = [
    [],
    ["passthrough"],
    [StandardScaler()],
    [StandardScaler(with_std=False), MinMaxScaler(feature_range=(-1, 3), clip=True)],
    [MinMaxScaler(), MaxAbsScaler()],
    [SimpleImputer(strategy="median"), RobustScaler(with_centering=False)],
    [SimpleImputer(strategy="constant", fill_value=-1.0), RobustScaler()],
]


@pytest.mark.parametrize("steps", SCALED, ids=str)
def test_pipelines_that_scale_columns_become_modules(steps):
    X, y = samples(150, 3)
    X = X * np.array([1e3, 1, 1e-3] + [1] * (X.shape[1] - 3))
    new = np.vstack([3 * X[::2], X[1::2] + 0.1])
    if any(isinstance(step, SimpleImputer) for step in steps):
        X, new = (np.where(rows % 1 < 0.1, np.nan, rows) for rows in (X, new))
    model = make_pipeline(
        *(clone(step, safe=False) for step in steps), memorizing(n_draws=1)
    )
    model.fit(X, y)
    module = to_torch(model)
    for rows in (X, new):
        transformed = model[:-1].transform(rows) if steps else rows
        tensor = torch.from_numpy(np.asarray(rows))
        assert np.array_equal(module.transform(tensor).numpy(), transformed)
        scores = outputs_of(module, rows)
        assert (model.classes_[scores.argmax(axis=1)] == model.predict(rows)).all()
        shares = module.probabilities(tensor).detach().numpy()
        np.testing.assert_allclose(shares, model.predict_proba(rows), atol=1e-12)
    assert sum(part.numel() for part in module.parameters()) > 0
    again = copy.deepcopy(module)
    assert np.array_equal(outputs_of(again, new), outputs_of(module, new))


class Logarithm(StandardScaler):
    def transform(self, X):
        return np.log1p(np.abs(super().transform(X)))


@pytest.mark.parametrize(
    "step", [PCA(2), Logarithm(), SimpleImputer(add_indicator=True)], ids=str
)
def test_pipelines_of_other_steps_are_refused_with_what_to_pass(step):
    X, y = samples(150, 3)
    pipeline = make_pipeline(step, memorizing(n_draws=1)).fit(X, y)
    name = type(step).__name__
    with pytest.raises(TypeError, match=rf"no {name}\..*pipeline\[-1\].*transform"):
        to_torch(pipeline)
    module = to_torch(pipeline[-1])
    scores = module(torch.from_numpy(pipeline[:-1].transform(X)))
    assert (scores.argmax(dim=1).numpy() == pipeline.predict(X)).all()


def test_what_is_no_network_is_refused():
    X, y = samples(50, 3)
    for kind in (InterpolatingNeighborsClassifier, InterpolatingNeighborsRegressor):
        with pytest.raises(TypeError, match="cannot be exported: it builds no network"):
            to_torch(kind().fit(X, y))


def test_what_is_not_of_this_package_is_refused():
    X, y = samples(150, 3)
    neighbors = KNeighborsClassifier().fit(X, y)
    for estimator in (neighbors, make_pipeline(StandardScaler(), neighbors).fit(X, y)):
        with pytest.raises(TypeError, match="and no KNeighborsClassifier"):
            to_torch(estimator)
    with pytest.raises(NotFittedError):
        to_torch(make_pipeline(StandardScaler(), memorizing()))


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_numbers_of_more_bits_than_doubles_have_are_refused(name):
    X, y = samples(50, 3)
    estimator = new(name).fit(X, y)
    with pytest.raises(TypeError, match="cannot be exported"):
        to_torch(estimator)


def test_cells_of_too_many_hyperplanes_are_refused():
    X, y = samples(600, 2, n_features=100)
    estimator = NearbySetClassifier(cover_radius=0).fit(X, y)
    with pytest.raises(ValueError, match="cover_radius"):
        to_torch(estimator)
