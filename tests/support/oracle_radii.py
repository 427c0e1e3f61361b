"""What may come out of `certified_radius`: nothing within it gets another label."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np

from .oracle import (
    RECALLED,
    REFUSED,
    fitted_or_refused,
    ignore_what_scikit_learn_warns_of,
    in_time,
)
from .strategies import Problem

_N_STEPS = 8


def judge_radii(classifier, problem, seed) -> str:
    """Fit, and predict points at the radius from the samples and points near them."""
    dense = Problem(problem.dense(), problem.y, problem.sample_weight)
    with in_time(), warnings.catch_warnings():
        warnings.simplefilter("error")
        ignore_what_scikit_learn_warns_of()
        if fitted_or_refused(classifier, dense) is None:
            return REFUSED
        if not hasattr(classifier, "certified_radius"):
            return RECALLED
        rng = np.random.default_rng(seed)
        rows = dense.X.astype(np.float64)
        with np.errstate(over="ignore"):
            near = rows + np.abs(rows) * 1e-3 * rng.standard_normal(rows.shape)
        for metric in ("euclidean", "chebyshev"):
            _check_radii(classifier, rows, metric, rng)
            _check_radii(classifier, near[np.isfinite(near).all(axis=1)], metric, rng)
    return RECALLED


def _check_radii(classifier, rows, metric, rng):
    if len(rows) == 0:
        return
    radii = classifier.certified_radius(rows, metric=metric)
    assert (radii >= 0).all()
    labels = classifier.predict(rows)
    for step in _steps(rows, metric, rng):
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            reach = np.where(np.isfinite(radii), radii, 1.0)[:, np.newaxis]
            points = rows + reach * (1 - 1e-9) * step
        kept = [
            row
            for row in range(len(rows))
            if np.isfinite(points[row]).all()
            and is_within(rows[row], points[row], radii[row], metric)
        ]
        if kept:
            predicted = classifier.predict(points[kept])
            assert (predicted == labels[kept]).all(), "a label changed in the radius"


def _steps(rows, metric, rng):
    """Yield steps of length 1: along a feature, to a corner, and to other rows."""
    n_features = rows.shape[1]
    for number in range(_N_STEPS):
        if number % 3 == 0:
            step = np.zeros(rows.shape)
            columns = rng.integers(0, n_features, len(rows))
            step[np.arange(len(rows)), columns] = rng.choice([-1, 1], len(rows))
        elif number % 3 == 1:
            step = rng.choice([-1.0, 1.0], rows.shape)
        else:
            others = rows[rng.permutation(len(rows))]
            step = others / 2 - rows / 2
        largest = np.abs(step).max(axis=1, keepdims=True)
        step = step / np.where(largest > 0, largest, 1)
        if metric == "euclidean":
            step /= np.maximum(1, np.sqrt(np.square(step).sum(axis=1, keepdims=True)))
        yield step


def is_within(row, point, radius, metric) -> bool:
    """Return whether a point, which was rounded, is within a radius, exactly."""
    if not np.isfinite(radius):
        return True
    differences = [
        abs(Fraction(float(a)) - Fraction(float(b)))
        for a, b in zip(row, point, strict=True)
    ]
    limit = Fraction(float(radius))
    if metric == "chebyshev":
        return max(differences) <= limit
    return sum(difference**2 for difference in differences) <= limit**2
