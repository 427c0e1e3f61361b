"""Batch after batch behind the scikit-learn interface."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.parallel import Parallel, delayed

from ..._estimator._messages import advice_on_memory, unchanged_on_failure
from ..._estimator._sklearn import _fit_context
from ..._estimator._training_set import TrainingSet, canonical_csr
from ._construction import Rules
from ._drawing import Ball, enclosing_ball, enlarged_ball
from ._growing import GrowingCover, Samples, memorize_more
from ._seen_samples import SeenSamples

if TYPE_CHECKING:
    from ..._estimator._base import BaseMemorizingClassifier as _Classifier
else:
    _Classifier = object

__all__ = ["PartialFitMixin"]

# So many training samples at the most are encoded a second time to check their codes:
# by `fit`, and by each call to `partial_fit`.
_N_CHECKED_ONCE, _N_CHECKED_EACH_TIME = 1024, 256
# Parameters that the codes and the number of draws depend on.
_SETTLED = ("activation", "n_draws")


@dataclass(frozen=True)
class _State:
    """What `partial_fit` keeps from one call to the next.

    Parameters
    ----------
    seen : SeenSamples
        All samples so far.
    samples : Samples
        Where their codes stand.
    ball : Ball
        A ball that holds them.
    draws : tuple of GrowingCover or int
        What covers them; with a single class nothing but seeds.
    settled : dict
        The parameters that are not to change.
    """

    seen: SeenSamples
    samples: Samples
    ball: Ball
    draws: tuple[GrowingCover | int, ...]
    settled: dict


class PartialFitMixin(_Classifier):
    """Adds `partial_fit` to a classifier that covers its training samples."""

    # What the classifier brings.
    center: bool
    n_jobs: int | None
    _seeds: Callable[..., list[int]]
    _rules: Callable[..., Rules]
    _attributes: Callable[..., tuple]
    _build_constant: Callable[..., tuple]

    # None before the first call, and after `fit`.
    _state: _State | None = None

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Memorize one more batch, and certify that all so far are recalled.

        Neurons that a new sample of another class would set off get a lower bound,
        samples that no neuron covers (any more) get one, and hyperplanes are added
        where samples are not separated. The network is one that `fit` might have built
        from all batches together: only the order in which it draws the samples behind
        the second layer is not random, for those of the batches before come first.

        All distinct rows are kept, and for each draw one bit for each row and
        hyperplane (8 bytes with `activation="relu"`). `fit` keeps nothing of the kind:
        `partial_fit` after `fit` warns and starts afresh, and so does `fit` after
        `partial_fit`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that any batch holds. Needed in the first call, and the same or
            None in later ones.
        sample_weight : array-like of shape (n_samples,), default=None
            Samples of weight zero are ignored. The other weights vote among identical
            rows, of all batches, that carry different labels.

        Returns
        -------
        self : object
            The estimator, fitted to all batches so far.

        Raises
        ------
        InterpolationError
            If the network ought to recall all batches and does not.
        ValueError
            If the input is not valid, if `activation` or `n_draws` changed between
            calls, or if `conflicts="raise"` and identical rows carry different labels.
            A failed call leaves the estimator as it was.
        MemoryError
            If the network, or what it is built from, does not fit into memory.
        """
        with unchanged_on_failure(self), advice_on_memory(self):
            state = self._state
            if state is not None:
                self._check_settled(state)
            X, labels, weights, kept = self._read_batch(X, y, classes, sample_weight)
            before = SeenSamples.none(X) if state is None else state.seen
            seen, n_conflicts = before.joined_by(X, labels, weights, kept)
            self._report_conflicts(n_conflicts)
            samples = Samples.of(seen.X, seen.labels, len(self.classes_))
            training = TrainingSet(
                X=seen.X,
                rows=samples.rows,
                labels=seen.labels[samples.rows],
                n_classes=len(self.classes_),
                n_conflicts=seen.ballots.n_conflicts(),
            )
            evidence = self._grow(state, seen, samples, training)
            self._certify(training, evidence)
        return self

    @property
    def _n_checked(self) -> int:
        return _N_CHECKED_ONCE if self._state is None else _N_CHECKED_EACH_TIME

    def _check_settled(self, state: _State) -> None:
        for name, before in state.settled.items():
            now = getattr(self, name)
            if now != before:
                raise ValueError(
                    f"{name} was {before!r} in the calls of partial_fit so far, and is "
                    f"{now!r} now. Set it back, or give all batches to a new estimator."
                )

    def _read_batch(self, X, y, classes, sample_weight):
        """Validate one batch; return rows, class numbers, weights, and who has any."""
        is_first = self._state is None
        if is_first and hasattr(self, "classes_"):
            warnings.warn(
                "fit keeps no samples, so partial_fit starts afresh and forgets what "
                "fit memorized. Give all batches to partial_fit, the first one too.",
                stacklevel=3,
            )
        self._declare(classes, is_first)
        X, y = self._validate_samples(X, y=y, reset=is_first)
        check_classification_targets(y)
        if sparse.issparse(X):
            X = canonical_csr(X)
        return X, self._class_numbers(y), *self._validate_weights(X, sample_weight)

    def _declare(self, classes, is_first: bool) -> None:
        """Set the classes, or compare them with those declared before."""
        if classes is None:
            if not hasattr(self, "classes_"):
                raise ValueError(
                    "classes must be passed on the first call to partial_fit: all "
                    "labels that any batch holds."
                )
            return
        classes = unique_labels(classes)
        if not is_first and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"classes={classes!r} differ from those declared in the first call to "
                f"partial_fit, {self.classes_!r}. Declare all of them there."
            )
        self.classes_ = classes

    def _class_numbers(self, y) -> np.ndarray:
        numbers = {label: k for k, label in enumerate(self.classes_.tolist())}
        present, inverse = np.unique(y, return_inverse=True)
        unknown = [label for label in present.tolist() if label not in numbers]
        if unknown:
            raise ValueError(
                f"y holds labels that classes does not declare: {unknown[:10]}. Pass "
                "all labels as classes in the first call to partial_fit."
            )
        return np.array([numbers[label] for label in present.tolist()])[inverse]

    def _grow(self, state, seen: SeenSamples, samples: Samples, training):
        """Update every draw; set the fitted attributes and the state."""
        if state is None:
            ball = enclosing_ball(seen.X, samples.rows, self.center)
            draws = tuple(self._seeds())
        else:
            ball, draws = state.ball, state.draws
            new = np.arange(state.samples.n_samples, samples.n_samples)
            if len(new):
                ball = enlarged_ball(ball, seen.X, new)
        if training.n_classes == 1:
            attributes, evidence = self._build_constant(ball)
        else:
            rules = self._rules(training)
            before = None if state is None else state.samples
            pairs = Parallel(n_jobs=self.n_jobs, prefer="threads")(
                delayed(memorize_more)(draw, before, samples, ball, rules)
                for draw in draws
            )
            draws, networks = zip(*pairs, strict=True)
            attributes, evidence = self._attributes(
                networks, samples.layout, ball.radius, rules.classes
            )
            indices = attributes["sample_indices_"]
            attributes["sample_indices_"] = seen.arrivals[indices]
        for name, value in attributes.items():
            setattr(self, name, value)
        settled = {name: getattr(self, name) for name in _SETTLED}
        self._state = _State(seen, samples, ball, draws, settled)
        return evidence

    def _read(self, X, y, sample_weight) -> TrainingSet:
        self.__dict__.pop("_state", None)  # `fit` starts afresh
        return super()._read(X, y, sample_weight)
