"""What the package takes from scikit-learn that is private there, and its seeds."""

from contextlib import nullcontext

import numpy as np
from sklearn import config_context
from sklearn.base import _fit_context
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
    validate_params,
)
from sklearn.utils.validation import (
    _check_feature_names,
    _check_sample_weight,
    validate_data,
)

__all__ = [
    "HasMethods",
    "Interval",
    "StrOptions",
    "_check_sample_weight",
    "_fit_context",
    "_safe_indexing",
    "check_feature_names",
    "checked_samples",
    "draw_seeds",
    "finite_for_certain",
    "has_callbacks",
    "validate_params",
]


def finite_for_certain():
    """Let scikit-learn look for missing values within a context, whatever was assumed.

    A row that does not equal itself cannot be recalled; what it would do to the others
    differs from one construction to the next.
    """
    return config_context(assume_finite=False)


def checked_samples(estimator, X, **options):
    """Validate rows, and labels if any; those to be memorized are finite for certain.

    The options are those of `validate_data`. Rows to be predicted are taken to be
    finite under `assume_finite=True`.
    """
    learns = "y" in options or options.get("reset", True)
    # scikit-learn adds up all numbers first, which may overflow to both sides.
    ignored = np.errstate(invalid="ignore")
    with ignored, finite_for_certain() if learns else nullcontext():
        return validate_data(
            estimator,
            X,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            **options,
        )


def check_feature_names(estimator, X) -> None:
    """Raise a ValueError if columns of X have other names than those of `fit`."""
    if hasattr(X, "columns") and hasattr(estimator, "feature_names_in_"):
        _check_feature_names(estimator, X, reset=False)


def has_callbacks(estimator) -> bool:
    """Return whether callbacks are set on the estimator, or propagated to it."""
    return bool(getattr(estimator, "_skl_callbacks", ()))


def draw_seeds(random_state, n_seeds: int) -> list[int]:
    """Draw seeds from a `random_state` parameter, to be handed on to the workers."""
    generator = check_random_state(random_state)
    return generator.randint(np.iinfo(np.int32).max, size=n_seeds).tolist()
