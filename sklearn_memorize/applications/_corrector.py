"""Any classifier, with every known error corrected."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils import Bunch, column_or_1d, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
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
from .._estimator._training_set import refuse_several_labels
from ..constructions.random_hyperplanes import MemorizingClassifier
from ..exceptions import InterpolationError
from ..kernels import standard_arithmetic
from ._memory import (
    acting,
    extended,
    forgotten_by,
    helps_elsewhere,
    n_errors,
    narrowed,
    verdicts_before,
    without,
)
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

# "auto" asks the known cases again when they are so many times as many.
_ASKED_AGAIN_AT = 2


def _base_has(name: str):
    """Return what says whether the model that is corrected has a method."""

    def check(corrector) -> bool:
        getattr(getattr(corrector, "estimator_", corrector.estimator), name)
        return True

    return check


class MemorizingCorrector(
    PersistentMixin, MetaEstimatorMixin, ClassifierMixin, DocumentedMixin, BaseEstimator
):
    """A classifier, with every known error corrected and no known answer moved.

    The base model answers, unless a correcting network acts. That network is the one of
    `MemorizingClassifier`: it memorizes, for each known case, whether the base model is
    right about it, or which class it should have named. So it fires for a class at the
    known errors where this class is right, and for the base model at all other known
    cases. It *acts* where neurons fire for exactly one class and none for the base
    model; everywhere else the base model's answer stands. One network that corrects
    another is an idea of [1]_; that a small one can memorize changed labels, of [2]_.

    `fit` ends by comparing its answers with all known cases, and so does `correct`,
    which takes more of them later on and leaves the base model alone.

    Parameters
    ----------
    estimator : classifier
        The base model. `fit` fits a clone of it; a model that is fitted already is
        handed over as `sklearn.frozen.FrozenEstimator(model)`, and stays as it is.
    transformer : transformer or None, default=None
        What makes of X the numbers that cases are told apart by; a clone is fitted in
        the first call. None takes the columns as they are, all of which have to be
        numbers. It has to give a row the same numbers in every batch, to the last bit.
    hyperplanes : {"random", "adapted"}, default="random"
        How the hyperplanes of the correcting network are drawn; see
        `MemorizingClassifier`.
    n_hyperplanes : int or "auto", default="auto"
        Number of hyperplanes of each draw; `MemorizingClassifier` calls it
        `min_hyperplanes`.
    n_draws : int, default=2
        Number of networks that have to agree. The more of them, the fewer samples
        besides the known cases get another answer.
    reach : {"auto", "wide", "narrow"}, default="auto"
        How far corrections act beyond known cases. "wide": as far as the other known
        cases allow. "narrow": as little as they can, which next to no other sample
        notices. "auto" asks the known cases: every other one is held out from a network
        of the rest, and "wide" is taken if corrections put at least as many of them
        right as they spoil. It is asked again when the known cases have doubled.
    conflicts : {"latest", "raise"}, default="latest"
        What to do about a case that contradicts another one: the same row (as the
        transformer shows it) with another answer. "latest" lets the case that came last
        hold, with a `ConflictingLabelsWarning` that names the rows; "raise" makes it an
        error.
    n_jobs : int, default=None
        Number of jobs that share the draws.
    random_state : int, RandomState instance or None, default=None
        Determines the hyperplanes, and the order in which cases are covered.

    Attributes
    ----------
    estimator_ : classifier
        The base model.
    transformer_ : transformer or None
        The fitted transformer.
    classes_ : ndarray of shape (n_classes,)
        The labels of the base model, and those of the known cases of `fit`.
    memory_ : MemorizingClassifier
        The correcting network, and the known cases that it memorizes. Its classes are
        0 where the base model is right, and k + 1 where it should have said
        `classes_[k]`.
    network_ : CoverNetwork
        The network that acts: that of `memory_`, its bounds lowered if the reach is
        narrow.
    reach_ : {"wide", "narrow"}
        How far corrections act.
    corrections_ : Bunch
        The corrections, one for each neuron of the network that speaks for a class:
        `case` is the number of the known case that it stands for, `label` the class it
        speaks for, `n_covered` the number of known cases at which it fires, and `draw`
        the draw that it belongs to. Cases are numbered from 0 on, in the order in which
        they were given, through all calls.
    n_cases_ : int
        Number of known cases that were given.
    n_errors_ : int
        Number of distinct known cases that the base model is wrong about.
    interpolates_ : bool
        Whether all known cases are answered right: True, for else the call fails.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, if all are strings.

    See Also
    --------
    MemorizingCorrectorRegressor : The same for regressors.

    Notes
    -----
    **What is proven.** Let the base model, and the transformer, give a row one answer,
    in whatever batch it comes. Then each known case is answered by its label: where the
    base model is right about it, a neuron that speaks for the base model fires at it,
    so that no correction acts; where not, only neurons of its class fire, in as many
    draws as needed. Which of the other samples get another answer is not proven but
    measured: see the user guide.

    Known cases are kept, to be certified with later ones: a pickle holds them.

    **Cost.** Beside the base model and the transformer, that of `MemorizingClassifier`
    for the known cases: of `fit` for all, of `partial_fit` for more, of `predict`.

    References
    ----------
    .. [1] A. N. Gorban, R. Burton, I. Romanenko, I. Y. Tyukin, "One-trial correction of
       legacy AI systems and stochastic separation theorems", Information Sciences 484,
       2019. https://arxiv.org/abs/1610.00494
    .. [2] J. Sohn, D. Kwon, S. An, K. Lee, "Memorization capacity for additive
       fine-tuning with small ReLU networks", UAI 2024.
       https://arxiv.org/abs/2408.00359

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn_memorize.applications import MemorizingCorrector
    >>> X, y = load_digits(return_X_y=True)
    >>> model = RidgeClassifier().fit(X[:900], y[:900])
    >>> round(model.score(X[:900], y[:900]), 3)
    0.958
    >>> patched = MemorizingCorrector(FrozenEstimator(model), random_state=0)
    >>> patched = patched.fit(X[:900], y[:900])
    >>> patched.score(X[:900], y[:900])
    1.0
    >>> patched.correct(X[900:], y[900:]).score(X, y)
    1.0
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict"])],
        "transformer": [HasMethods(["fit", "transform"]), None],
        "hyperplanes": [StrOptions({"adapted", "random"})],
        "n_hyperplanes": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "reach": [StrOptions({"auto", "wide", "narrow"})],
        "conflicts": [StrOptions({"raise", "latest"})],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator,
        *,
        transformer=None,
        hyperplanes="random",
        n_hyperplanes="auto",
        n_draws=2,
        reach="auto",
        conflicts="latest",
        n_jobs=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.transformer = transformer
        self.hyperplanes = hyperplanes
        self.n_hyperplanes = n_hyperplanes
        self.n_draws = n_draws
        self.reach = reach
        self.conflicts = conflicts
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None):
        """Fit the base model, unless it is frozen, and correct its errors on X.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Samples, as the base model takes them.
        y : array-like of shape (n_samples,)
            Their labels. Labels that the base model does not know become classes.
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
            all_rows = np.arange(len(y))
            self.estimator_ = fitted_base(self.estimator, X, y, weights)
            self.transformer_ = fitted_view(self.transformer, X, y)
            self._begin(y if weights is None else y[weights > 0])
            self._join(X, y, all_rows if weights is None else np.flatnonzero(weights))
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def correct(self, X, y):
        """Take more known cases, and correct the errors that the model makes on them.

        The base model and the transformer stay as they are. With a frozen estimator
        this may be the first call: what `fit` would do is then done.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            The cases.
        y : array-like of shape (n_samples,)
            What is right to say of them, in labels that `classes_` lists.

        Returns
        -------
        self : object
            The corrector. It is certified that all cases ever given, these and those
            before, are answered by their labels.

        Raises
        ------
        ValueError
            If the input is not valid, a label is not in `classes_`, or cases contradict
            each other, or earlier ones, and `conflicts="raise"`. A call that fails
            changes nothing.
        InterpolationError
            As in `fit`.
        """
        is_first = not hasattr(self, "memory_") and not hasattr(self, "estimator_")
        with unchanged_on_failure(self):
            X, y, _ = self._read(X, y, None, reset=is_first)
            if is_first:
                self.estimator_ = prefit_base(self)
                self.transformer_ = fitted_view(self.transformer, X, y)
                self._begin(y)
            unknown = np.setdiff1d(y, self.classes_)
            if len(unknown):
                raise ValueError(
                    f"y holds labels that the model does not know: "
                    f"{unknown[:10].tolist()}. fit takes new labels, and settles "
                    "classes_: hand it these cases, and those before."
                )
            self._join(X, y, np.arange(len(y)))
        return self

    def _read(self, X, y, sample_weight, reset: bool):
        def labels(y):
            refuse_several_labels(y, self)
            y = column_or_1d(y, warn=True)
            check_classification_targets(y)
            return y

        return read_cases(self, X, y, sample_weight, reset, labels)

    def _begin(self, y: np.ndarray) -> None:
        """Set the classes, and a memory without any case."""
        self.classes_ = np.unique(np.concatenate((self.estimator_.classes_, y)))
        self.n_cases_ = 0
        self.memory_ = MemorizingClassifier(
            hyperplanes=self.hyperplanes,
            min_hyperplanes=self.n_hyperplanes,
            n_draws=self.n_draws,
            n_votes=1,
            n_jobs=self.n_jobs,
            random_state=self.random_state,
        )
        # Where, among all cases, those stand that the memory was given.
        self._cases = np.empty(0, dtype=np.intp)
        # How many of them there were when the reach was chosen.
        self._n_asked = 0

    def _join(self, X, y: np.ndarray, kept: np.ndarray) -> None:
        """Memorize the verdicts on the rows `kept` of a call, and certify all cases."""
        n_given, X, y = len(y), rows_at(X, kept, len(y)), y[kept]
        with finite_for_certain():
            view = view_of(self.transformer_, X)
        check_transforms_alone(self.transformer_, X, view)
        numbers = np.searchsorted(self.classes_, y)
        said = self._numbers_of_base(X)
        verdicts = np.where(said == numbers, 0, numbers + 1)
        cases = self.n_cases_ + kept
        latest, changed = self._settle(view, verdicts, kept)
        n_verdicts = len(self.classes_) + 1
        if changed.shape[0]:
            self.memory_, left = without(self.memory_, changed, n_verdicts)
            self._cases = self._cases[left]
        self._cases = np.concatenate((self._cases, cases[latest]))
        self.memory_ = extended(
            self.memory_, view[latest], verdicts[latest], n_verdicts
        )
        self.n_cases_ += n_given
        self.n_errors_ = n_errors(self.memory_)
        self.reach_ = self._chosen_reach(n_verdicts)
        is_wide = self.reach_ == "wide"
        self.network_ = self.memory_.network_ if is_wide else narrowed(self.memory_)
        self._certify(rows_at(X, latest, len(y)), y[latest])

    def _chosen_reach(self, n_verdicts: int) -> str:
        """Return how far corrections act, asking the known cases if need be."""
        if self.reach != "auto":
            return self.reach
        if self._n_asked and len(self._cases) < _ASKED_AGAIN_AT * self._n_asked:
            return self.reach_
        self._n_asked = len(self._cases)
        return "wide" if helps_elsewhere(self.memory_, n_verdicts) else "narrow"

    def _settle(self, view, verdicts: np.ndarray, rows: np.ndarray):
        """Return the cases that later ones do not contradict, and views that change.

        The views are of cases given before, which those of this call contradict.
        """
        latest = verdicts == last_values(view, verdicts)
        changes = np.zeros(len(latest), dtype=bool)
        if len(self._cases):
            before = verdicts_before(self.memory_, view)
            changes = (before >= 0) & (before != verdicts)
        what = "and the answers that are right there, or those of the model, differ"
        settle_contradictions(rows[changes | ~latest], self.conflicts, what)
        return np.flatnonzero(latest), view[changes & latest]

    def _certify(self, X, y: np.ndarray) -> None:
        """Answer the new cases, and ask the network about all that are known."""
        missed = self._cases[forgotten_by(self.memory_, self.network_)]
        wrong = np.flatnonzero(self.predict(X) != y)
        if len(missed) or len(wrong):
            which = (
                f"cases {listed(missed)}" if len(missed) else f"rows {listed(wrong)}"
            )
            raise InterpolationError(
                f"Known {which} are not answered by their labels. The model, or the "
                "transformer, says something else of them alone than among others; a "
                "case that is not the same twice cannot be corrected."
            )
        self.interpolates_ = True

    def _numbers_of_base(self, X) -> np.ndarray:
        """Return the numbers of the classes that the base model names."""
        return np.searchsorted(self.classes_, self.estimator_.predict(X))

    def _verdicts(self, X) -> np.ndarray:
        """Return 0 where the base model's answer stands, else a class number plus 1."""
        return acting(self.network_, view_of(self.transformer_, X))

    def _checked(self, X):
        check_is_fitted(self)
        return recognized(self, X, reset=False)

    def predict(self, X):
        """Predict the class of each sample.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            The answer of the base model, or of a correction where one acts.
        """
        X = self._checked(X)
        numbers, verdicts = self._numbers_of_base(X), self._verdicts(X)
        return self.classes_[np.where(verdicts > 0, verdicts - 1, numbers)]

    def acts_on(self, X):
        """Tell where a correction acts.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        acts : ndarray of shape (n_samples,), bool
            Whether a correction decides the answer, and not the base model.
        """
        X = self._checked(X)
        return self._verdicts(X) > 0

    @available_if(_base_has("predict_proba"))
    def predict_proba(self, X):
        """Return a probability for each class and sample.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Those of the base model, in the order of `classes_`. Where a correction
            acts, its class and the most probable one have changed places.
        """
        X = self._checked(X)
        given = self.estimator_.predict_proba(X)
        whole = np.zeros((len(given), len(self.classes_)), dtype=given.dtype)
        whole[:, np.searchsorted(self.classes_, self.estimator_.classes_)] = given
        return _with_leaders(whole, self._verdicts(X) - 1)

    @available_if(_base_has("predict_proba"))
    def predict_log_proba(self, X):
        """Return the logarithm of the probability of each class and sample.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        logarithms : ndarray of shape (n_samples, n_classes)
            Natural logarithms of what `predict_proba` returns.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    @available_if(_base_has("decision_function"))
    def decision_function(self, X):
        """Score each class for each sample.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Those of the base model, in the order of `classes_`; with two classes one
            score, positive for `classes_[1]`. Where a correction acts, its class and
            the one of the largest score have changed places. A class that the base
            model does not know has a score of one less than the lowest of the others.
        """
        X = self._checked(X)
        given, verdicts = self.estimator_.decision_function(X), self._verdicts(X)
        known = self.estimator_.classes_
        if given.ndim == 1 and len(self.classes_) == 2:
            size = np.maximum(np.abs(given), np.finfo(given.dtype).tiny)
            signed = np.where(verdicts == 2, size, -size)
            return np.where(verdicts > 0, signed, given)
        if given.ndim == 1:
            given = np.stack((-given, given), axis=1)[:, -len(known) :]
        if given.shape[1] != len(known):
            raise ValueError(
                f"decision_function of the model has {given.shape[1]} columns for "
                f"{len(known)} classes, and only scores of classes can be corrected. "
                'With SVC, set decision_function_shape="ovr".'
            )
        lowest = given.min(axis=1, keepdims=True) - 1.0
        whole = np.repeat(lowest, len(self.classes_), axis=1)
        whole[:, np.searchsorted(self.classes_, known)] = given
        return _with_leaders(whole, verdicts - 1)

    @property
    def corrections_(self):
        """The corrections: the case behind each, its label, how many it covers."""
        network = self.network_
        of_neurons = [
            (np.repeat(np.arange(len(c.widths)), c.widths), np.full(c.n_neurons, draw))
            for draw, c in enumerate(network.coverings)
        ]
        verdicts, draws = map(np.concatenate, zip(*of_neurons, strict=True))
        corrects = np.flatnonzero(verdicts)
        return Bunch(
            case=self._cases[self.memory_.sample_indices_[corrects]],
            label=self.classes_[verdicts[corrects] - 1],
            n_covered=self.memory_.coverage_[corrects],
            draw=draws[corrects],
        )

    def _check_stored(self, state: dict) -> None:
        fitted = "estimator_", "memory_", "network_", "reach_", "classes_", "_cases"
        check_stored(self, state, {*fitted, "_n_asked"})

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        of_base = get_tags(self.estimator)
        tags.input_tags.sparse = of_base.input_tags.sparse
        tags.classifier_tags.poor_score = of_base.classifier_tags.poor_score
        tags.classifier_tags.multi_class = of_base.classifier_tags.multi_class
        return tags


@standard_arithmetic
def _with_leaders(values: np.ndarray, leaders: np.ndarray) -> np.ndarray:
    """Let the largest value of a row, and that of its leader, change places.

    Rows whose leader is negative stay as they are. Others that are as large and come
    first are lowered to the next smaller number, so that the leader is found by argmax.
    """
    rows = np.flatnonzero(leaders >= 0)
    columns, most = leaders[rows], values[rows].argmax(axis=1)
    largest = values[rows, most]
    values[rows, most] = values[rows, columns]
    values[rows, columns] = largest
    chosen = values[rows]
    rival = chosen == largest[:, np.newaxis]
    rival &= np.arange(values.shape[1]) < columns[:, np.newaxis]
    values[rows] = np.where(rival, np.nextafter(chosen, -np.inf), chosen)
    return values
