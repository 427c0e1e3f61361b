"""What the package takes from scikit-learn that is private there, and its seeds."""

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
    validate_params,
)
from sklearn.utils.validation import _check_sample_weight

__all__ = [
    "HasMethods",
    "Interval",
    "StrOptions",
    "_check_sample_weight",
    "_fit_context",
    "_safe_indexing",
    "draw_seeds",
    "has_callbacks",
    "validate_params",
]


def has_callbacks(estimator) -> bool:
    """Return whether callbacks are set on the estimator, or propagated to it."""
    return bool(getattr(estimator, "_skl_callbacks", ()))


def draw_seeds(random_state, n_seeds: int) -> list[int]:
    """Draw seeds from a `random_state` parameter, to be handed on to the workers."""
    generator = check_random_state(random_state)
    return generator.randint(np.iinfo(np.int32).max, size=n_seeds).tolist()
