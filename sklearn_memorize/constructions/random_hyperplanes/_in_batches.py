"""Memorize batches, one after the other, and forget samples of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from scipy import sparse

from ..._estimator._base import BaseMemorizingClassifier
from ..._estimator._messages import advice_on_memory, unchanged_on_failure
from ..._estimator._sklearn import _fit_context, draw_seeds
from ..._estimator._training_set import canonical_csr
from ...kernels import standard_arithmetic
from ._drawing import Ball
from ._forgetting import memorize_set
from ._growing import grow_draws
from ._partial_fit import Batches, ball_of, read_batch, samples_to_forget
from ._sample_set import Moves, SampleSet
from ._samples import SamplesInMemory
from ._seen_samples import SeenSamples

# Each call encodes as many of the training samples a second time, if there are as many.
_N_CHECKED = 256


class MemorizesBatches(BaseMemorizingClassifier):
    """What `MemorizingClassifier` does with batches: `partial_fit` and `forget`."""

    hyperplanes: str
    ball: Any
    center: bool
    keep: str
    n_jobs: int | None
    random_state: Any
    _n_draws: Callable
    _given_ball: Callable[[int], Ball | None]
    _survey: Callable
    _rules: Callable
    _attributes: Callable
    _constant: Callable
    _check_codes: Callable
    _certify_samples: Callable
    _batches: Batches | None

    @_fit_context(prefer_skip_nested_validation=True)
    @standard_arithmetic
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Memorize one more batch, and certify that all so far are recalled.

        Neurons that a new sample of another class would set off get a lower bound,
        samples that no neuron covers (any more) get one, and hyperplanes are added
        where samples are not separated. The network is one that `fit` might have built
        from all batches together: only the order in which it draws the samples behind
        the second layer is not random, for those of the batches before come first.

        Adapted hyperplanes are drawn from the samples so far, as soon as these are of
        two classes. They are drawn anew, and all samples covered by them, when there
        are twice as many samples as the last time, until that was done for 4,096
        samples or more; from then on they stay. `n_votes_`, the calibration and
        `loo_score_` are renewed by every call. The number of draws, and with
        `min_hyperplanes="auto"` that of hyperplanes, is the one for as many samples as
        there are when they are drawn.

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
            before = self._batches
            batch = read_batch(self, before, X, y, classes, sample_weight)
            moves = Moves.none()
            if self._is_settled:
                seen = SampleSet.none(batch[0]) if before is None else before.seen
                seen, n_conflicts, moves = seen.joined_by(*batch)
            else:
                seen = SeenSamples.none(batch[0]) if before is None else before.seen
                seen, n_conflicts = seen.joined_by(*batch)
            self._report_conflicts(n_conflicts)
            self._memorize_seen(before, seen, moves)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    @standard_arithmetic
    def forget(self, indices=None, *, X=None, rebuild=False):
        """Forget some of the samples that `partial_fit` memorized.

        Afterwards the estimator is the one that never saw them: with a given `ball` and
        random hyperplanes, its network, and all that it keeps for later calls, are
        those of one call of `partial_fit` with the samples that are left, to the last
        bit, and whatever their order. Only neurons that a forgotten sample had a part
        in are computed again. A pickle holds nothing of a forgotten sample.

        Where the ball comes from the samples, or hyperplanes are "adapted", center,
        radius and hyperplanes depend on samples that are to be forgotten. So nothing
        can be kept, and `rebuild=True` is to say that all is built again from the
        samples that are left, as one call of `partial_fit` would.

        Parameters
        ----------
        indices : int or array-like of shape (n_forgotten,), default=None
            Numbers of samples, counted from 0 on through all calls of `partial_fit`.
            What is left is numbered anew, as if the others had never come.
        X : array-like or sparse matrix of shape (n_rows, n_features), default=None
            Or rows: all samples equal to one of them are forgotten.
        rebuild : bool, default=False
            Whether to build all again where that is needed.

        Returns
        -------
        self : object
            The estimator, fitted to the samples that are left, which are certified to
            be recalled. `classes_` are still those that were declared.

        Raises
        ------
        ValueError
            If there was no `partial_fit`, if samples are not among those memorized, if
            none would be left, or if `rebuild=True` is needed. A failed call leaves the
            estimator as it was.
        InterpolationError
            If the network ought to recall what is left and does not.
        """
        if (indices is None) == (X is None):
            raise ValueError("forget takes either indices or X, the rows to forget.")
        before = self._batches
        if before is None:
            raise ValueError(
                "forget needs the samples that partial_fit keeps; fit keeps none. Fit "
                "what is left, or give the samples to partial_fit from the start on."
            )
        with unchanged_on_failure(self), advice_on_memory(self):
            before.check_settled(self)
            if X is not None:
                X = self._validate_samples(X, reset=False)
                X = canonical_csr(X) if sparse.issparse(X) else X
            seen = before.seen
            gone = samples_to_forget(seen, indices, X)
            if np.isin(seen.log.numbers, gone).all():
                raise ValueError(
                    "No sample would be left. sklearn.base.clone(estimator) is an "
                    "estimator that has seen none."
                )
            if isinstance(seen, SampleSet):
                self._memorize_seen(before, *seen.without(gone))
                return self
            if not rebuild:
                raise ValueError(
                    "The hyperplanes depend on samples that are to be forgotten. Set "
                    "rebuild=True to build all again from what is left; or, from "
                    'the first partial_fit on, ball={...} and hyperplanes="random".'
                )
            self._memorize_seen(None, seen.without(gone), Moves.none(), before.seeds)
        return self

    @property
    def _is_settled(self) -> bool:
        """Whether `partial_fit` leads to a function of the set of samples."""
        return self.ball is not None and self.hyperplanes == "random"

    def _memorize_seen(
        self, before: Batches | None, seen, moves: Moves, seeds: list[int] | None = None
    ) -> None:
        """Memorize all samples of the batches, and certify that they are recalled."""
        training = SamplesInMemory.of(
            seen.X,
            seen.labels,
            len(self.classes_),
            seen.ballots.n_conflicts(),
            seen.ballots,
        )
        was_certified = before is not None and self.interpolates_
        codes, changes = self._grow(before, seen, training, moves, seeds)
        if was_certified and changes is not None and not any(map(len, changes)):
            # All that is left was recalled before, and nothing new is in its way.
            self._check_codes(training, training.labels, _N_CHECKED)
            self._record_certificate(training, 0)
        else:
            self._certify_samples(training, codes, _N_CHECKED, seen.arrivals)

    def _grow(
        self,
        before: Batches | None,
        seen,
        training: SamplesInMemory,
        moves: Moves,
        seeds: list[int] | None,
    ) -> tuple[list | None, list[np.ndarray] | None]:
        """Update each draw and the fitted attributes; return codes as `_build` does.

        Also returns, for each draw, the rows that are missed, or that neurons of other
        classes fire at, if nothing but what has changed had to be asked about them.
        """
        changes: list[np.ndarray] | None = None
        ball = ball_of(before, seen, self.center, self._given_ball(seen.X.shape[1]))
        if before is None:
            draws: Sequence = self._seeds_of_draws(training.n_samples, seeds)
        else:
            draws, survey = before.draws, before.survey
            n_surveyed = before.n_surveyed
        is_adapted = self.hyperplanes == "adapted"
        if before is not None and is_adapted and before.outgrown(training.n_samples):
            draws, before = before.seeds, None  # the draws start afresh
        if before is None:
            survey = self._survey(training, ball, draws)
            n_surveyed = training.n_samples if is_adapted else 0
        if len(training.sizes) == 1:
            attributes, codes = self._constant(ball), None
        else:
            rules = self._rules(training, survey, len(draws))
            if isinstance(seen, SampleSet):
                earlier: Any = None if before is None else before.seen
                found = memorize_set(
                    draws, earlier, seen, moves, training, ball, rules, self.n_jobs
                )
                draws, networks, set_off = zip(*found, strict=True)
                is_whole = self.keep == "all" or len(draws) == 1
                if is_whole and all(rows is not None for rows in set_off):
                    changes = [*set_off, *(network.missed for network in networks)]
            else:
                labels = None if before is None else before.seen.labels
                pairs = grow_draws(draws, labels, training, ball, rules, self.n_jobs)
                draws, networks = zip(*pairs, strict=True)
            attributes, codes = self._attributes(networks, training, ball, rules)
            for name in ("sample_indices_", "loo_indices_"):
                if name in attributes:
                    attributes[name] = seen.arrivals[attributes[name]]
        for name, value in attributes.items():
            setattr(self, name, value)
        self._batches = Batches.of(self, seen, ball, draws, survey, n_surveyed)
        return codes, changes

    def _seeds_of_draws(self, n_samples: int, before: list[int] | None) -> list[int]:
        """Draw the seeds; the same as before where `random_state` gives others."""
        n_draws = self._n_draws(n_samples)
        is_fixed = isinstance(self.random_state, Integral)
        if before is not None and not is_fixed and len(before) >= n_draws:
            return before[:n_draws]
        return draw_seeds(self.random_state, n_draws)
