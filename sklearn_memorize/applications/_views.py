"""What correctors ask of the model that they correct, and how they see samples."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import check_is_fitted, has_fit_parameter, validate_data

from .._estimator._messages import listed, warn
from .._estimator._sklearn import _check_sample_weight, _safe_indexing
from .._estimator._training_set import canonical_csr, distinct_rows
from ..exceptions import ConflictingLabelsWarning

# This many rows of each call are transformed one at a time, to see whether they come
# out the same.
_N_TRANSFORMED_ALONE = 8


def recognized(corrector, X, reset: bool):
    """Return X as rows that can be indexed; set or check the number of features.

    What is in it, the model will check: it may take text.
    """
    if sparse.issparse(X):
        X = X.tocsr()
    if not hasattr(X, "shape") and not isinstance(X, (list, tuple)):
        X = np.asarray(X)
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "biuf":
        check_array(X)  # explains how to reshape it
    validate_data(corrector, X, skip_check_array=True, reset=reset)
    return X


def read_cases(corrector, X, y, sample_weight, reset: bool, read_answers):
    """Check the sizes of a call, and what `read_answers(y)` makes of the answers.

    The model checks what is in X. Returns rows, answers and weights.
    """
    if y is None:
        raise ValueError(
            f"This {type(corrector).__name__} requires y to be passed, but the target "
            "y is None."
        )
    X, y = recognized(corrector, X, reset), read_answers(y)
    check_consistent_length(X, y)
    if len(y) == 0:
        raise ValueError("There are 0 samples, and at least one case is needed.")
    if sample_weight is not None:
        sample_weight = _check_sample_weight(
            sample_weight, y, dtype=np.float64, ensure_non_negative=True
        )
    return X, y, sample_weight


def fitted_base(estimator, X, y, sample_weight):
    """Return a fitted clone; one that is frozen is the same and not fitted again."""
    base = clone(estimator)
    if sample_weight is None:
        return base.fit(X, y)
    if not has_fit_parameter(base, "sample_weight"):
        raise ValueError(
            f"sample_weight was given, and {type(estimator).__name__}.fit does not "
            "take it. Leave it out, or correct a model that was fitted with weights: "
            "FrozenEstimator(model)."
        )
    return base.fit(X, y, sample_weight=sample_weight)


def prefit_base(corrector):
    """Return the model that `correct` is to correct where there was no `fit` before."""
    base = clone(corrector.estimator)  # one that is frozen stays as it is
    try:
        check_is_fitted(base)
    except NotFittedError as error:
        raise NotFittedError(
            f"This {type(corrector).__name__} is not fitted yet, and its estimator is "
            "no fitted model that is frozen. Call fit first, or hand it a fitted "
            "model: FrozenEstimator(model)."
        ) from error
    return base


def fitted_view(transformer, X, y):
    """Return a fitted clone of the transformer; None if there is none."""
    return None if transformer is None else clone(transformer).fit(X, y)


def view_of(transformer, X):
    """Return the numbers that cases are told apart by, (n_samples, n_columns)."""
    seen = X if transformer is None else transformer.transform(X)
    try:
        seen = check_array(
            seen, accept_sparse="csr", dtype=[np.float64, np.float32], input_name="X"
        )
    except ValueError as error:
        if transformer is not None or "convert string" not in str(error):
            raise
        raise ValueError(
            f"{error}. A corrector tells cases apart by numbers. Set transformer= to "
            "what makes numbers of these columns, for instance the first steps of the "
            "model that it corrects."
        ) from error
    return canonical_csr(seen) if sparse.issparse(seen) else seen


def check_transforms_alone(transformer, X, view) -> None:
    """Raise a ValueError if rows are transformed to something else on their own.

    A known case must look the same in every batch, or it is not found again.
    """
    if transformer is None:
        return
    n_samples = view.shape[0]
    step = -(-n_samples // _N_TRANSFORMED_ALONE)
    for row in range(0, n_samples, step):
        alone = view_of(transformer, _safe_indexing(X, [row]))
        if not np.array_equal(_dense(alone), _dense(view[row : row + 1])):
            raise ValueError(
                f"The transformer gives row {row} other numbers alone than together "
                "with the others, so that a known case cannot be found again. Take one "
                "whose result is a function of the row, to the last bit: scaling, "
                "imputing and encoding are; products of matrices, as in PCA, are not."
            )


def _dense(rows) -> np.ndarray:
    return rows.toarray() if sparse.issparse(rows) else rows


def settle_contradictions(rows, conflicts: str, what: str) -> None:
    """Raise a ValueError, or warn, that rows of a call contradict cases."""
    if not len(rows):
        return
    problem = (
        f"Rows {listed(rows)} look the same as other cases, of this call or of earlier "
        f"ones, {what}; no function of the rows can be right about all of them."
    )
    if conflicts == "raise":
        raise ValueError(
            f"{problem} Correct these cases; let transformer= show what tells the rows "
            'apart; or set conflicts="latest", so that the case that came last holds.'
        )
    warn(
        f'{problem} The case that came last holds. Set conflicts="raise" to make this '
        "an error.",
        ConflictingLabelsWarning,
    )


def check_stored(corrector, state: dict, fitted: set[str]) -> None:
    """Raise a ValueError if a stored corrector lacks parameters or what it learned."""
    missing = set(corrector._get_param_names()) - state.keys()
    if "interpolates_" in state:
        missing |= (fitted | {"n_cases_", "transformer_"}) - state.keys()
    if missing:
        raise ValueError(f"it lacks {', '.join(sorted(missing))}")


def rows_at(X, rows: np.ndarray, n_rows: int):
    """Return rows of X, X itself if they are all."""
    return X if len(rows) == n_rows else _safe_indexing(X, rows)


def last_values(view, values: np.ndarray) -> np.ndarray:
    """Return, for each row, the value of the last row that is equal to it."""
    _, inverse = distinct_rows(view)
    last = np.empty(len(inverse), dtype=np.intp)
    last[inverse] = np.arange(len(inverse))  # the last one that is written stays
    return values[last[inverse]]
