"""Any regressor, with every known target put right."""

from __future__ import annotations

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin
from sklearn.utils import Bunch, column_or_1d, get_tags
from sklearn.utils.validation import check_is_fitted

from .._estimator._documentation import DocumentedMixin
from .._estimator._messages import listed, unchanged_on_failure
from .._estimator._sklearn import (
    HasMethods,
    Interval,
    StrOptions,
    _fit_context,
    finite_for_certain,
)
from .._estimator._storage import PersistentMixin
from ..exceptions import InterpolationError
from ._reaches import KnownTargets, Reaches, as_points
from ._views import (
    check_stored,
    check_transforms_alone,
    fitted_base,
    fitted_view,
    last_values,
    prefit_base,
    read_cases,
    recognized,
    rows_at,
    settle_contradictions,
    view_of,
)


class MemorizingCorrectorRegressor(
    PersistentMixin, MetaEstimatorMixin, RegressorMixin, DocumentedMixin, BaseEstimator
):
    """A regressor, with every known target put right and no known answer moved.

    Where the base model misses the target of a known case by more than `tolerance`, its
    answers are shifted by what is missing, within a given reach of the case, and
    nowhere else. The reach is chosen from the data: no more than half the distance to
    the next known case, so that no other case is ever within it.

    Distances are the largest difference in any column. They are computed without
    rounding to zero, so that the smallest difference tells two cases apart.

    Parameters
    ----------
    estimator : regressor
        The base model. `fit` fits a clone of it; a model that is fitted already is
        handed over as `sklearn.frozen.FrozenEstimator(model)`, and stays as it is.
    transformer : transformer or None, default=None
        What makes of X the numbers that distances are measured in; a clone is fitted in
        the first call. None takes the columns as they are, all of which have to be
        numbers: of columns of different scales, the largest decide. It has to give a
        row the same numbers in every batch, to the last bit.
    tolerance : float, default=0.0
        Known cases that the base model misses by no more than this are left to it.
    reach : float or "auto", default="auto"
        The largest reach of a correction. "auto" is half the median distance of known
        cases from the next one.
    conflicts : {"latest", "raise"}, default="latest"
        What to do about a case that contradicts another one: the same row (as the
        transformer shows it) with another target. "latest" lets the case that came last
        hold, with a `ConflictingLabelsWarning` that names the rows; "raise" makes it an
        error.

    Attributes
    ----------
    estimator_ : regressor
        The base model.
    transformer_ : transformer or None
        The fitted transformer.
    corrections_ : Bunch
        The corrections: `case` is the number of the known case that each stands for,
        `target` what is right there, `shift` what is added to the answers of the base
        model, and `reach` how far. Cases are numbered from 0 on, in the order in which
        they were given, through all calls.
    n_cases_ : int
        Number of known cases that were given.
    n_errors_ : int
        Number of distinct known cases that are corrected.
    interpolates_ : bool
        Whether all known cases are answered within the tolerance: True, for else the
        call fails.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, if all are strings.

    See Also
    --------
    MemorizingCorrector : The same for classifiers.

    Notes
    -----
    Let the base model, and the transformer, give a row one answer, in whatever batch it
    comes. Then each known case is answered by its target exactly, if it is corrected,
    and else by the base model, which misses it by no more than `tolerance`.

    Known cases are kept, for the reach of later ones: a pickle holds them.

    **Cost.** Beside the base model and the transformer, a search for the nearest known
    case, in a tree or among all: at most O(K d) operations a row for K cases of d
    features, in prediction and for each case in `fit`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import RidgeCV
    >>> from sklearn_memorize.applications import MemorizingCorrectorRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> patched = MemorizingCorrectorRegressor(RidgeCV()).fit(X[:300], y[:300])
    >>> bool((patched.predict(X[:300]) == y[:300]).all())
    True
    >>> patched.correct(X[300:], y[300:]).score(X, y)
    1.0
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict"])],
        "transformer": [HasMethods(["fit", "transform"]), None],
        "tolerance": [Interval(Real, 0, None, closed="left")],
        "reach": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "conflicts": [StrOptions({"raise", "latest"})],
    }

    def __init__(
        self,
        estimator,
        *,
        transformer=None,
        tolerance=0.0,
        reach="auto",
        conflicts="latest",
    ):
        self.estimator = estimator
        self.transformer = transformer
        self.tolerance = tolerance
        self.reach = reach
        self.conflicts = conflicts

    _known: KnownTargets | None = None

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None):
        """Fit the base model, unless it is frozen, and put right what it misses on X.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Samples, as the base model takes them.
        y : array-like of shape (n_samples,)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Handed on to the base model. Samples of weight zero are no known cases.

        Returns
        -------
        self : object
            The corrector; all samples are known cases.

        Raises
        ------
        ValueError
            If the input is not valid, or if cases contradict each other, and
            `conflicts="raise"`; the message names the rows.
        InterpolationError
            If known cases are not answered right, since the base model or the
            transformer gives a row one answer now, and another one then.
        """
        with unchanged_on_failure(self):
            X, y, weights = self._read(X, y, sample_weight, reset=True)
            self.estimator_ = fitted_base(self.estimator, X, y, weights)
            self.transformer_ = fitted_view(self.transformer, X, y)
            self._known = None
            self.n_cases_ = 0
            kept = np.arange(len(y)) if weights is None else np.flatnonzero(weights)
            self._join(X, y, kept)
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def correct(self, X, y):
        """Take more known cases, and put right what the model misses on them.

        The base model and the transformer stay as they are. With a frozen estimator
        this may be the first call: what `fit` would do is then done.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            The cases.
        y : array-like of shape (n_samples,)
            What is right to say of them.

        Returns
        -------
        self : object
            The corrector. It is certified that all cases ever given are answered right.

        Raises
        ------
        ValueError
            If the input is not valid, or if cases contradict each other, or earlier
            ones, and `conflicts="raise"`. A call that fails changes nothing.
        InterpolationError
            As in `fit`.
        """
        is_first = self._known is None
        with unchanged_on_failure(self):
            X, y, _ = self._read(X, y, None, reset=is_first)
            if is_first:
                self.estimator_ = prefit_base(self)
                self.transformer_ = fitted_view(self.transformer, X, y)
                self._known, self.n_cases_ = None, 0
            self._join(X, y, np.arange(len(y)))
        return self

    def _read(self, X, y, sample_weight, reset: bool):
        def targets(y):
            y = column_or_1d(y, warn=True, dtype=np.float64)
            if not np.isfinite(y).all():
                raise ValueError("Input y contains NaN or infinity.")
            return y

        return read_cases(self, X, y, sample_weight, reset, targets)

    def _join(self, X, y: np.ndarray, kept: np.ndarray) -> None:
        """Memorize the rows `kept` of a call as cases, and certify all."""
        n_given, X, y = len(y), rows_at(X, kept, len(y)), y[kept]
        with finite_for_certain():
            view = view_of(self.transformer_, X)
        check_transforms_alone(self.transformer_, X, view)
        batch = KnownTargets(as_points(view), y, self._said(X), self.n_cases_ + kept)
        known = self._known
        known = batch if known is None else known.joined_by(batch)
        n_before = len(known.targets) - len(y)
        holds = known.targets == last_values(known.points, known.targets)
        contradicts = ~holds[n_before:] | known.contradicts(n_before)
        what = "and the targets that are right there differ"
        settle_contradictions(kept[contradicts], self.conflicts, what)
        self._known = known.at(np.flatnonzero(holds)).distinct()
        self.n_cases_ += n_given
        self._reaches = Reaches.of(self._known, self.tolerance, self.reach)
        self.n_errors_ = int(np.count_nonzero(self._reaches.corrects))
        latest = np.flatnonzero(holds[n_before:])
        self._certify(rows_at(X, latest, len(y)), batch.at(latest))

    def _certify(self, X, batch: KnownTargets) -> None:
        """Answer the new cases, and all that are known by what the model said then."""
        known = self._known
        assert known is not None
        answers = self._reaches.answers(known, known.points, known.said)
        missed = known.cases[~(np.abs(answers - known.targets) <= self.tolerance)]
        wrong = ~(np.abs(self.predict(X) - batch.targets) <= self.tolerance)
        which = np.union1d(missed, batch.cases[wrong])
        if len(which):
            raise InterpolationError(
                f"Known cases {listed(which)} are not answered by their targets. The "
                "model, or the transformer, says something else of them alone than "
                "among others; a case that is not the same twice cannot be corrected."
            )
        self.interpolates_ = True

    def _said(self, X) -> np.ndarray:
        """Return the answers of the base model, one for each row."""
        said = np.asarray(self.estimator_.predict(X), dtype=np.float64)
        if said.ndim == 2 and said.shape[1] == 1:
            said = said[:, 0]
        if said.ndim != 1:
            raise ValueError(
                f"The model predicts {said.shape[1]} targets for each row, and "
                f"{type(self).__name__} corrects one. Wrap it in MultiOutputRegressor."
            )
        return said

    def _checked(self, X):
        check_is_fitted(self)
        return recognized(self, X, reset=False)

    def _points(self, X) -> np.ndarray:
        return as_points(view_of(self.transformer_, X))

    def predict(self, X):
        """Predict the target of each sample.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        targets : ndarray of shape (n_samples,)
            The answer of the base model, shifted where a correction acts.
        """
        X = self._checked(X)
        said = self._said(X)
        return self._reaches.answers(self._known, self._points(X), said)

    def acts_on(self, X):
        """Tell where a correction acts.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        acts : ndarray of shape (n_samples,), bool
            Whether a correction moves the answer of the base model.
        """
        return self._reaches.acting(self._points(self._checked(X)))[0]

    @property
    def corrections_(self):
        """The corrections: the case behind each, its target, the shift, the reach."""
        reaches, known = self._reaches, self._known
        corrects = np.flatnonzero(reaches.corrects)
        return Bunch(
            case=known.cases[corrects],
            target=known.targets[corrects],
            shift=(known.targets - known.said)[corrects],
            reach=reaches.reach[corrects],
        )

    def _check_stored(self, state: dict) -> None:
        check_stored(self, state, {"estimator_", "_known", "_reaches"})

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        of_base = get_tags(self.estimator)
        tags.input_tags.sparse = of_base.input_tags.sparse
        tags.regressor_tags.poor_score = of_base.regressor_tags.poor_score
        return tags
