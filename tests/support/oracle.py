"""What may come out of `fit`: all samples recalled, or the cause of failure named.

The judges resolve conflicts, sum weights and compare distances in exact arithmetic of
their own, and raise an AssertionError where an estimator says anything else.
"""

from __future__ import annotations

import re
import signal
import warnings
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
from sklearn.base import is_classifier, is_regressor

from sklearn_memorize import (
    MemorizingClassifier,
    RobustMemorizingClassifier,
    inspection,
)
from sklearn_memorize.exceptions import (
    ConflictingLabelsWarning,
    InterpolationError,
    InterpolationWarning,
)

RECALLED, WARNED, REFUSED = "recalled", "warned", "refused"
# Longest time that one small problem may take.
_SECONDS = 60
_SMALL = MemorizingClassifier(n_hyperplanes=30)


def resolved_labels(problem):
    """Return the label each row should get, by name, and the number of conflicts.

    Rows that count for nothing have no label.
    """
    weights = problem.sample_weight
    votes: dict[bytes, dict] = {}
    keys = [(row + 0.0).tobytes() for row in problem.dense()]
    for index, (key, label) in enumerate(zip(keys, list(problem.y), strict=True)):
        weight = Fraction(1 if weights is None else float(weights[index]))
        if weight:
            of_row = votes.setdefault(key, {})
            of_row[label] = of_row.get(label, 0) + weight
    winners = {
        key: min(of_row, key=lambda label: (-of_row[label], label))
        for key, of_row in votes.items()
    }
    n_conflicts = sum(len(of_row) > 1 for of_row in votes.values())
    return [winners.get(key) for key in keys], n_conflicts


def resolved_targets(problem):
    """Return the exact weighted mean of the targets of each row, or None."""
    y = np.asarray(problem.y, dtype=np.float64)
    y = y.reshape(len(y), -1)
    weights = problem.sample_weight
    groups: dict[bytes, list] = {}
    keys = [(row + 0.0).tobytes() for row in problem.dense()]
    for index, key in enumerate(keys):
        weight = Fraction(1 if weights is None else float(weights[index]))
        if weight:
            groups.setdefault(key, []).append((weight, y[index].tolist()))
    means = {}
    for key, members in groups.items():
        total = sum(weight for weight, _ in members)
        means[key] = [
            sum(weight * Fraction(target[k]) for weight, target in members) / total
            for k in range(y.shape[1])
        ]
    n_conflicts = sum(
        any(target != members[0][1] for _, target in members)
        for members in groups.values()
    )
    return [means.get(key) for key in keys], n_conflicts


@contextmanager
def in_time(seconds=_SECONDS):
    """Raise TimeoutError if the body takes that long (where the platform can tell).

    Seconds are those of the processor, for the machine may have much else to do.
    """

    def ring(signum, frame):
        raise TimeoutError(f"took more than {seconds} s")

    if not hasattr(signal, "SIGPROF"):
        yield
        return
    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def ignore_what_scikit_learn_warns_of():
    """Ignore the warnings that validation itself raises on the largest numbers."""
    warnings.filterwarnings("ignore", "The number of unique classes is greater")
    warnings.filterwarnings("ignore", "invalid value encountered in reduce")
    warnings.filterwarnings("ignore", "overflow encountered in (reduce|accumulate)")


def fitted_or_refused(estimator, problem):
    """Fit; return the warnings, or None if the data were refused with a reason.

    Any warning that is not one of the documented ones is an error.
    """
    before = dict(vars(estimator))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        ignore_what_scikit_learn_warns_of()
        warnings.simplefilter("always", ConflictingLabelsWarning)
        warnings.simplefilter("always", InterpolationWarning)
        try:
            estimator.fit(problem.X, problem.y, sample_weight=problem.sample_weight)
        except (InterpolationError, ValueError) as error:
            if isinstance(error, ValueError):
                assert reach_overflows(estimator, problem.dense()), error
            assert len(str(error)) > 40, "no reason is given"
            if isinstance(error, InterpolationError):
                check_refusal(estimator, str(error))
            assert not must_recall(estimator, error), error
            assert vars(estimator) == before, "a failed fit changed the estimator"
            return None
    return [warning.category for warning in caught]


# What a theorem needs of the samples, or what double precision cannot hold of them.
_ASSUMPTIONS = (
    "general position|be told from|assumes a distance|too close for double precision|"
    "[Dd]ouble precision|equal projections|max_bits|Scale the targets down"
)


def check_refusal(estimator, message):
    """Hold that a refusal names rows, an assumption, and an estimator that works."""
    if isinstance(estimator, MemorizingClassifier):
        return  # has a judge of its own
    assert re.search(_ASSUMPTIONS, message), f"no assumption in: {message}"
    if "max_bits" in message or "Scale the targets down" in message:
        return  # the number of samples is in the way, or the targets are
    assert re.search(r"\[\d+.*\]|Samples \d+ and \d+", message), f"no rows: {message}"
    if is_classifier(estimator):
        instead = "MemorizingClassifier" in message or "degenerate=" in message
        assert instead, f"no estimator that works in: {message}"


def must_recall(estimator, error) -> bool:
    """Say whether an error contradicts what the README promises of the estimator.

    With its default way of building, `MemorizingClassifier` recalls any samples, and so
    does `RobustMemorizingClassifier`.
    """
    if isinstance(estimator, RobustMemorizingClassifier):
        return True
    return (
        isinstance(estimator, MemorizingClassifier)
        and isinstance(error, InterpolationError)
        and estimator.n_hyperplanes == "auto"
        and estimator.separating_hyperplanes
        and estimator.activation == "threshold"
    )


def judge_classifier(estimator, problem, others=None) -> str:
    """Fit, and hold the outcome against labels that were resolved in plain Python."""
    with in_time(), warnings.catch_warnings():
        warnings.simplefilter("error")
        ignore_what_scikit_learn_warns_of()
        caught = fitted_or_refused(estimator, problem)
        if caught is None:
            return REFUSED
        expected, n_conflicts = resolved_labels(problem)
        assert estimator.n_conflicts_ == n_conflicts
        assert (ConflictingLabelsWarning in caught) == (n_conflicts > 0)
        predicted = estimator.predict(problem.X)
        pairs = zip(expected, predicted.tolist(), strict=True)
        n_missed = sum(label is not None and label != answer for label, answer in pairs)
        assert estimator.interpolates_ == (n_missed == 0), f"{n_missed} silent misfits"
        assert (InterpolationWarning in caught) == (n_missed > 0)
        _check_scores(estimator, problem.X, predicted)
        if others is not None:
            _check_scores(estimator, others, estimator.predict(others))
    return WARNED if n_missed else RECALLED


def _check_scores(estimator, X, predicted):
    assert np.isin(predicted, estimator.classes_).all()
    scores = estimator.decision_function(X)
    assert np.isfinite(scores).all(), "scores are not finite"
    n_classes = len(estimator.classes_)
    found = estimator.predict_proba(X)
    assert found.shape == (len(predicted), n_classes)
    assert (found > 0).all() and (abs(found.sum(axis=1) - 1) < 1e-13 * n_classes).all()
    likely = estimator.classes_[found.argmax(axis=1)]
    assert (likely == predicted).all(), "another class is as likely"
    shape = (len(predicted), n_classes) if n_classes > 2 else (len(predicted),)
    assert scores.shape == shape
    if n_classes == 1:
        return
    numbers = (scores > 0).astype(int) if n_classes == 2 else scores.argmax(axis=1)
    assert (estimator.classes_[numbers] == predicted).all(), "scores say otherwise"


def judge_regressor(estimator, problem, others=None) -> str:
    """Fit, and hold the outcome against exact means of the targets."""
    with in_time(), warnings.catch_warnings():
        warnings.simplefilter("error")
        ignore_what_scikit_learn_warns_of()
        caught = fitted_or_refused(estimator, problem)
        if caught is None:
            return REFUSED
        expected, n_conflicts = resolved_targets(problem)
        assert estimator.n_conflicts_ == n_conflicts
        assert (ConflictingLabelsWarning in caught) == (n_conflicts > 0)
        assert InterpolationWarning not in caught
        assert estimator.interpolates_
        predicted = estimator.predict(problem.X)
        assert predicted.shape == np.shape(problem.y)
        assert np.isfinite(predicted).all()
        _check_targets(expected, predicted.reshape(len(expected), -1))
        if others is not None:
            assert np.isfinite(estimator.predict(others)).all()
    return RECALLED


def _check_targets(expected, predicted):
    rows = [index for index, means in enumerate(expected) if means is not None]
    for k in range(predicted.shape[1]):
        means = [expected[row][k] for row in rows]
        # Rounding the mean to a double is not the network's error.
        allowed = Fraction(2) ** -40 * (max(means) - min(means))
        for row, mean in zip(rows, means, strict=True):
            error = abs(Fraction(float(predicted[row, k])) - Fraction(float(mean)))
            assert error <= allowed, f"row {row} is off by {float(error)}"


def reach_overflows(estimator, dense) -> bool:
    """Say whether the samples, or biases that reach so far, are close to overflow."""
    max_bias = max(1.0, getattr(estimator, "max_bias", 1.0))
    return float(np.abs(dense).max()) > 2.0**999 / max_bias


def judge_transformer(estimator, problem, others=None) -> str:
    """Fit, and hold some codes against rational arithmetic."""
    with in_time(), warnings.catch_warnings():
        warnings.simplefilter("error")
        ignore_what_scikit_learn_warns_of()
        try:
            codes = estimator.fit(problem.X).transform(problem.X)
        except ValueError as error:
            assert reach_overflows(estimator, problem.dense()), error
            return REFUSED
        _check_codes(estimator.hyperplanes_, problem.dense(), codes)
        if others is not None:
            _check_codes(
                estimator.hyperplanes_, np.asarray(others), estimator.transform(others)
            )
    return RECALLED


def _check_codes(layer, X, codes, n_rows=1):
    codes = codes.toarray() if hasattr(codes, "toarray") else np.asarray(codes)
    assert np.isin(codes, (0, 1)).all()
    for row in range(min(n_rows, len(X))):
        expected = [
            exact_value(direction, X[row], bias) > 0
            for direction, bias in zip(layer.directions, layer.biases, strict=True)
        ]
        assert (codes[row] == expected).all(), f"row {row} has wrong bits"


def exact_value(direction, point, bias) -> int:
    """Return <direction, point> + bias in units of 2**-2148, exactly."""
    products = zip(direction.tolist(), point.tolist(), strict=True)
    total = sum(in_units(w) * in_units(x) for w, x in products)
    return total + (in_units(float(bias)) << 1074)


def in_units(value: float) -> int:
    """Return a double in units of the smallest one, 2**-1074."""
    numerator, denominator = value.as_integer_ratio()
    return numerator << (1075 - denominator.bit_length())


def judge_inspection(problem, seed) -> str:
    """Ask for all that the geometry says; nothing may be infinite or not a number."""
    X, y = problem.X, problem.y
    with in_time(), warnings.catch_warnings():
        warnings.simplefilter("error")
        ignore_what_scikit_learn_warns_of()
        warnings.filterwarnings("ignore", ".*scores", ConflictingLabelsWarning)
        dense = problem.dense().astype(np.float64)
        try:
            radius = inspection.radius(X)
            width = inspection.gaussian_width(X, n_samples=10, random_state=seed)
            separation = inspection.separation(X, y)
            covering = inspection.mutual_covering(X, y, random_state=seed)
            scores = inspection.memorization_scores(
                X, y, estimator=_SMALL, n_draws=1, random_state=seed
            )
        except ValueError as error:
            of_labels = "class" in str(error) or "label" in str(error)
            allowed = of_labels or np.abs(dense).max() > 2.0**1000
            assert allowed and len(str(error)) > 40, error
            return REFUSED
        assert np.isfinite([radius, *width, *scores]).all()
        assert radius >= 0 and width.width >= 0 and np.isfinite(separation.distance)
        _check_separation(separation, dense, list(y))
        assert (covering.n_own > 0).all() and (covering.n_rest > 0).all()
    return RECALLED


def _check_separation(separation, X, y):
    rows = [[Fraction(value) for value in row] for row in X.tolist()]
    squared = {
        (i, j): sum((a - b) ** 2 for a, b in zip(rows[i], rows[j], strict=True))
        for j in range(len(X))
        for i in range(j)
        if y[i] != y[j]
    }
    i, j = separation.pair
    smallest = min(squared.values())
    assert squared[i, j] <= smallest * (1 + Fraction(2) ** -90)
    distance, rounding = Fraction(separation.distance), Fraction(2) ** -51
    error = distance * rounding + Fraction(2) ** -1074
    assert max(distance - error, 0) ** 2 <= smallest <= (distance + error) ** 2


def judge(estimator, problem, others=None) -> str:
    """Fit an estimator, and say what came of it."""
    if is_regressor(estimator):
        return judge_regressor(estimator, problem, others)
    if is_classifier(estimator):
        return judge_classifier(estimator, problem, others)
    return judge_transformer(estimator, problem, others)


def strangers(problem, seed):
    """Return samples of any size that were not in the training set, or None."""
    rng = np.random.default_rng(seed)
    shape = (4, problem.dense().shape[1])
    X = rng.standard_normal(shape) * 10.0 ** rng.integers(-300, 300, (4, 1))
    names = getattr(problem.X, "columns", None)
    if names is None:
        return X
    table = type(problem.X)
    if table.__module__.startswith("polars"):
        return table(X, schema=names)
    return table(X, columns=names)
