"""How far a row may move before its predicted class can change, for certain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..kernels import standard_arithmetic
from ._dask import is_dask_array, lazily
from ._sklearn import StrOptions, validate_params

if TYPE_CHECKING:

    class _Base(Protocol):
        classes_: np.ndarray

        def _validate_samples(self, X, **options): ...

        def _predict_class_numbers(self, X) -> np.ndarray: ...
else:
    _Base = object


class CertifiedRadiusMixin(_Base):
    """Adds `certified_radius`; a subclass writes `_radii`."""

    def _radii(self, X, numbers: np.ndarray, metric: str) -> np.ndarray:
        """Return lower bounds of the distance to any other prediction.

        `numbers` are the predicted classes of the rows; there are at least two classes.
        """
        raise NotImplementedError

    @validate_params(
        {"metric": [StrOptions({"euclidean", "chebyshev"})]},
        prefer_skip_nested_validation=True,
    )
    @standard_arithmetic
    def certified_radius(self, X, metric="euclidean"):
        """Return a radius around each sample in which its predicted class is certain.

        No point at that distance or nearer gets another class from `predict`. This is
        proven, and what is rounded is rounded downwards; the class may stay the same
        much farther out. The notes of the class say how the bound comes about.

        Parameters
        ----------
        X : array-like, sparse matrix or dask array of shape (n_samples, n_features)
            Samples.
        metric : {"euclidean", "chebyshev"}, default="euclidean"
            The distance: the root of the sum of squared differences (l2), or the
            largest difference of a feature (l-infinity).

        Returns
        -------
        radii : ndarray of shape (n_samples,)
            Nonnegative numbers, infinite if there is one class only. A row gets the
            same radius in any batch. A dask array, not computed yet, if X is one.
        """
        check_is_fitted(self)
        if is_dask_array(X):
            return lazily(self, "certified_radius", X, metric=metric)
        X = self._validate_samples(X, reset=False)
        if len(self.classes_) == 1:
            return np.full(X.shape[0], np.inf)
        numbers = np.asarray(self._predict_class_numbers(X), dtype=np.intp)
        return self._radii(X, numbers, metric)
