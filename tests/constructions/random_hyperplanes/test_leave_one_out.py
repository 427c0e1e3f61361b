"""What is said of samples that are left out, beside networks built without them."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine, make_classification, make_moons

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.constructions.random_hyperplanes._covers import (
    cover_in_drawing_order,
)
from sklearn_memorize.constructions.random_hyperplanes._leave_one_out import (
    VOTES,
    LeftOutCodes,
    _fit,
    _votes_without,
    places_left_out,
)


class Recorded(MemorizingClassifier):
    """Keeps the draws and the samples that leaving one out is computed from."""

    def _attributes(self, draws, training, ball, rules):
        self.recorded = list(draws), training
        return super()._attributes(draws, training, ball, rules)


def votes_without(draw, samples, places, most):
    """Return the votes of all classes where each of some samples is left out.

    They are among the `most` samples that it is asked for.
    """
    covering = draw.covering
    evidence = LeftOutCodes.of(
        samples, most, draw.codes, covering.masks, covering.bounds, covering.starts
    )
    evidence = replace(evidence, words=samples.words(draw.codes, places))
    rows, labels = samples.rows[places], samples.labels[places]
    return _votes_without(covering, draw.centers, evidence, rows, labels)


def small_data():
    X, y = make_classification(
        90, 6, n_informative=4, n_classes=3, n_clusters_per_class=1, random_state=1
    )
    return X, y


@pytest.mark.parametrize("most", [13, 90])
@pytest.mark.parametrize("hyperplanes", ["adapted", "random"])
def test_margins_are_those_of_neurons_made_without_the_sample(hyperplanes, most):
    """For each sample: recount all bounds without it, and drop the neuron it made."""
    X, y = small_data()
    clf = Recorded(hyperplanes=hyperplanes, n_draws=2, random_state=0).fit(X, y)
    draws, samples = clf.recorded
    places = places_left_out(samples.n_samples, 13)
    assert 4 * len(places) <= samples.n_samples == 90
    for draw in draws:
        votes = votes_without(draw, samples, places, most)
        codes = draw.codes.bits(samples.layout.positions())
        covering = draw.covering
        masks, labels = covering.mask_matrix(), samples.labels
        counts = masks.astype(int) @ codes.T.astype(int)
        neurons = np.repeat(np.arange(3), covering.widths)
        for place, row in enumerate(places):
            others = np.arange(samples.n_samples) != row
            stays = draw.centers != samples.rows[row]
            for c in range(3):
                rivals = others & (labels != c)
                own = stays & (neurons == c)
                bounds = counts[own][:, rivals].min(axis=1)
                margins = np.sort(bounds - counts[own, row])[::-1]
                for number, n_votes in enumerate(VOTES):
                    n = covering.hyperplanes.n_hyperplanes
                    expected = margins[:n_votes].mean() / n
                    assert votes[place, c, number] == pytest.approx(expected)


def test_the_score_is_near_that_of_networks_fitted_again():
    X, y = small_data()
    options = {"n_draws": 8, "random_state": 0}
    left_out = (
        MemorizingClassifier(hyperplanes="adapted", **options).fit(X, y).loo_score_
    )
    everyone = np.arange(len(y))
    again = [
        MemorizingClassifier(hyperplanes="adapted", **options)
        .fit(X[everyone != i], y[everyone != i])
        .predict(X[[i]])[0]
        == y[i]
        for i in everyone
    ]
    assert abs(left_out - np.mean(again)) < 0.06


@pytest.mark.parametrize("load", [load_iris, load_wine])
def test_the_score_does_not_know_the_answers(load):
    """Labels without meaning are recalled, and yet not guessed when left out."""
    X, y = load(return_X_y=True)
    y = np.random.default_rng(0).permutation(y)
    clf = MemorizingClassifier(hyperplanes="adapted", random_state=0)
    with pytest.warns(match="several labels") if load is load_iris else _nothing():
        clf.fit(X, y)
    assert clf.interpolates_
    assert clf.loo_score_ < 0.5


def _nothing():
    from contextlib import nullcontext

    return nullcontext()


def test_a_sample_of_weight_two_is_a_sample_that_comes_twice():
    X, y = small_data()
    weights = np.random.default_rng(1).integers(0, 4, len(y))
    weighted = MemorizingClassifier(hyperplanes="adapted", random_state=0).fit(
        X, y, sample_weight=weights
    )
    repeated = MemorizingClassifier(hyperplanes="adapted", random_state=0).fit(
        X.repeat(weights, axis=0), y.repeat(weights)
    )
    assert weighted.loo_score_ == repeated.loo_score_
    assert weighted.n_votes_ == repeated.n_votes_
    probabilities = weighted.predict_proba(X), repeated.predict_proba(X)
    assert np.array_equal(*probabilities)


@pytest.mark.parametrize("unit", [1e-300, 0.01, 1e300])
def test_units_of_weights_do_not_matter(unit):
    X, y = small_data()
    X, y = np.concatenate((X, X[:9])), np.append(y, (y[:9] + 1) % 3)
    weights = np.random.default_rng(1).uniform(0.5, 2.0, len(y))
    with pytest.warns(match="several labels"):
        one, other = (
            MemorizingClassifier(hyperplanes="adapted", n_draws=4, random_state=0).fit(
                X, y, sample_weight=factor * weights
            )
            for factor in (1.0, unit)
        )
    assert one.n_votes_ == other.n_votes_
    assert one.loo_score_ == pytest.approx(other.loo_score_)
    assert np.allclose(one.predict_proba(X), other.predict_proba(X))


def test_rows_that_come_often_are_right_where_the_others_say_so():
    X = np.arange(6.0).repeat(10)[:, np.newaxis]
    y = (np.arange(6) % 2).repeat(10)
    assert (
        MemorizingClassifier(hyperplanes="adapted", random_state=0).fit(X, y).loo_score_
        == 1.0
    )


def test_scores_of_all_samples_show_wrong_labels():
    rng = np.random.default_rng(0)
    X, true = make_classification(
        300, 6, n_informative=4, n_classes=3, class_sep=2.0, random_state=1
    )
    y = true.copy()
    wrong = rng.choice(300, 30, replace=False)
    y[wrong] = (y[wrong] + rng.integers(1, 3, 30)) % 3
    clf = MemorizingClassifier(hyperplanes="adapted", n_left_out=300, random_state=0)
    clf.fit(X, y)
    assert clf.loo_indices_.tolist() == list(range(300))
    assert clf.loo_decision_function_.shape == (300, 3)
    own = y[clf.loo_indices_]
    answers = clf.loo_decision_function_.argmax(axis=1)
    assert clf.loo_score_ == pytest.approx((answers == own).mean())
    scores = (
        clf.loo_decision_function_ - clf.loo_decision_function_.max(axis=1)[:, None]
    )
    suspects = clf.loo_indices_[np.argsort(scores[np.arange(300), own])[:30]]
    assert np.isin(suspects, wrong).mean() > 0.8


def test_a_few_samples_are_left_out_where_few_are_asked_for():
    X, y = small_data()
    clf = MemorizingClassifier(hyperplanes="adapted", n_left_out=20, random_state=0)
    clf.fit(X, y)
    assert len(clf.loo_indices_) == len(clf.loo_decision_function_) <= 20
    assert len(set(clf.loo_indices_)) == len(clf.loo_indices_)
    clf = clone(clf).partial_fit(X[::-1], y[::-1], classes=[0, 1, 2])
    assert len(clf.loo_indices_) == len(clf.loo_decision_function_) <= 20
    clf.set_params(n_votes=3).fit(X, y)
    assert not hasattr(clf, "loo_indices_")


def test_scale_and_offsets_are_at_the_minimum_of_the_loss():
    rng = np.random.default_rng(0)
    votes, labels = rng.standard_normal((3, 200)), rng.integers(0, 3, 200)
    votes[labels, np.arange(200)] += 1.0
    weights = np.eye(3)[labels].T
    fit = _fit(votes, weights, None)
    centered = (votes - votes.mean(axis=0)) / fit.unit

    def loss(parameters):
        scores = parameters[0] * centered + parameters[1:, np.newaxis]
        shares = scores - np.log(np.exp(scores).sum(axis=0))
        return -(weights * shares).sum() + (parameters**2).sum() / 2

    assert loss(fit.parameters) == pytest.approx(fit.loss)
    for nudge in 1e-2 * rng.standard_normal((20, 4)):
        assert loss(fit.parameters + nudge) > fit.loss


def test_samples_of_random_hyperplanes_are_left_out_on_request():
    X, y = small_data()
    options = {"hyperplanes": "random", "random_state": 0}
    plain = MemorizingClassifier(**options).fit(X, y)
    assert plain.n_votes_ == 3 and plain.network_.calibration is None
    clf = MemorizingClassifier(n_votes="leave_one_out", **options).fit(X, y)
    assert clf.interpolates_ and 0.3 < clf.loo_score_ <= 1.0
    assert clf.n_votes_ in VOTES and clf.network_.calibration is not None
    pairs = zip(plain.network_.coverings, clf.network_.coverings, strict=True)
    assert all(np.array_equal(a.masks, b.masks) for a, b in pairs)
    probabilities = clf.predict_proba(X)
    answers = clf.classes_[probabilities.argmax(axis=1)]
    assert np.array_equal(answers, clf.predict(X))


@pytest.mark.parametrize(
    "options", [{"activation": "relu"}, {"decision": "network"}, {"one_sided": True}]
)
def test_what_cannot_be_left_out_is_refused(options):
    X, y = make_moons(50, random_state=0)
    clf = MemorizingClassifier(n_votes="leave_one_out", random_state=0, **options)
    with pytest.raises(ValueError, match="Set n_votes='auto' or a number"):
        clf.fit(X, y)


def test_scores_of_an_earlier_fit_are_forgotten():
    X, y = small_data()
    clf = MemorizingClassifier(n_draws=2, random_state=0).fit(X, y)
    assert hasattr(clf, "loo_score_")
    clf.fit(X, np.zeros(len(y)))
    for name in ("loo_score_", "loo_indices_", "loo_decision_function_"):
        assert not hasattr(clf, name)


def test_nothing_is_left_out_where_the_number_of_votes_is_given():
    X, y = make_moons(200, noise=0.1, random_state=0)
    clf = MemorizingClassifier(hyperplanes="adapted", n_votes=5, random_state=0).fit(
        X, y
    )
    assert clf.n_votes_ == 5
    assert not hasattr(clf, "loo_score_")
    assert clf.network_.calibration is None


def test_the_order_in_which_neurons_are_computed_does_not_show():
    """However far ahead a cover looks, it is the same."""
    X, y = small_data()
    draws, samples = Recorded(n_draws=1, random_state=0).fit(X, y).recorded
    codes, tiles = draws[0].codes, samples.layout.tiles[0]
    order = np.random.default_rng(0).permutation(int(samples.sizes[0]))
    cover = cover_in_drawing_order(codes, tiles, order)
    covered, centers = np.zeros(samples.sizes[0], dtype=bool), []
    for sample in order:
        mask = codes.masks(tiles.start * 64 + np.array([sample]))
        bound = codes.largest_bounds(mask, tiles)
        if covered[sample] or bound[0] == 0:
            continue
        centers.append(sample)
        words = codes.covers(mask, bound, tiles)
        bits = np.unpackbits(words.view(np.uint8), bitorder="little")
        covered |= bits[: len(covered)].astype(bool)
    assert cover.centers.tolist() == centers


@pytest.mark.parametrize("size", [5e-324, 1e-200, 2.0**40, 1e200, 1.7e308])
def test_weights_may_be_as_large_and_as_small_as_numbers_are(size):
    X, y = small_data()
    X, y = np.concatenate((X, X)), np.concatenate((y, y))
    for weights in (np.full(len(y), size), np.where(np.arange(len(y)) % 7, size, 1.0)):
        clf = MemorizingClassifier(hyperplanes="adapted", random_state=0)
        clf.fit(X, y, sample_weight=weights)
        assert np.array_equal(clf.predict(X), y)
        assert 0.0 <= clf.loo_score_ <= 1.0
        assert np.isfinite(clf.predict_proba(X)).all()
