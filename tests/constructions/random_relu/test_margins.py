"""The largest margin: systems of equations that are kept, and where the way ends."""

import numpy as np
import pytest

from sklearn_memorize.constructions.random_relu import _margins


def exact_solution(rows, signs, decay):
    """Minimize decay |v|^2 + |Phi v + c - s|^2 by orthogonal factors of one matrix."""
    n_features = rows.shape[1]
    ridge = np.hstack([np.sqrt(decay) * np.eye(n_features), np.zeros((n_features, 1))])
    design = np.vstack([np.column_stack([rows, np.ones(len(rows))]), ridge])
    right = np.concatenate([signs, np.zeros(n_features)])
    solution = np.linalg.lstsq(design, right)[0]
    return solution[:-1], solution[-1]


def test_kept_products_give_the_solution_for_any_rows_that_follow():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((200, 30)) + rng.standard_normal(30)
    signs = rng.choice([-1.0, 1.0], 200)
    systems = _margins._Systems(values)
    chosen = np.arange(200) < 100
    # More rows than features, fewer, and more again; few and many of them change.
    for n_changed in (0, 5, 90, 3, 2, 0, 4, 60, 3):
        changed = rng.choice(200, n_changed, replace=False)
        chosen[changed] = ~chosen[changed]
        for n_most in (200, 25, 20):
            rows = np.flatnonzero(chosen)[:n_most]
            found = systems.least_squares(rows, signs[rows], 1e-3)
            expected = exact_solution(values[rows], signs[rows], 1e-3)
            np.testing.assert_allclose(found[0], expected[0], rtol=1e-8, atol=1e-9)
            np.testing.assert_allclose(found[1], expected[1], rtol=1e-8, atol=1e-9)
            few = rows[:-2]
            found = systems.least_squares(few, signs[few], 1e-3)
            expected = exact_solution(values[few], signs[few], 1e-3)
            np.testing.assert_allclose(found[0], expected[0], rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e5])
def test_the_way_from_any_multiple_of_a_separator_ends_at_one_place(scale):
    rng = np.random.default_rng(0)
    values, truth = rng.standard_normal((80, 12)), rng.standard_normal(12)
    signs = np.where(values @ truth > 0, 1.0, -1.0)
    found, intercept = _margins._widened(values, signs, scale * truth, 0.0)
    margin = (signs * (values @ found + intercept)).min() / np.linalg.norm(found)
    other, at = _margins._widened(values, signs, truth, 0.0)
    same = (signs * (values @ other + at)).min() / np.linalg.norm(other)
    assert margin == pytest.approx(same, rel=1e-3)
    assert margin >= (signs * (values @ truth)).min() / np.linalg.norm(truth)


def test_a_decay_that_rounding_errors_hide_ends_the_way():
    # Two samples, many times: the products are of rank two, and far above the decay.
    values = np.repeat(1e9 * np.array([[1.0, 2.0, 0.5], [-1.0, 0.3, 2.0]]), 2, axis=0)
    signs = np.array([1.0, 1.0, -1.0, -1.0])
    truth = np.array([1.0, 0.5, -1.0])
    found, intercept = _margins._widened(values, signs, truth, 0.0)
    assert (signs * (values @ found + intercept) > 0).all()
