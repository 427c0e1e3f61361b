"""The private scikit-learn names that the package relies on, in one place."""

from sklearn.base import _fit_context
from sklearn.utils import _safe_indexing
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
    "has_callbacks",
    "validate_params",
]


def has_callbacks(estimator) -> bool:
    """Return whether callbacks are set on the estimator, or propagated to it."""
    return bool(getattr(estimator, "_skl_callbacks", ()))
