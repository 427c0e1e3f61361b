"""Fitted estimators as PyTorch modules."""

from __future__ import annotations

from numbers import Real

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils.validation import check_is_fitted

from .._estimator._base import BaseMemorizer
from ..network._network import torch_modules
from ._reading import Reading

# What can be done to columns ahead of a network.
_STEPS = "StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler or SimpleImputer"


def to_torch(estimator):
    """Return the network of a fitted estimator as a PyTorch module.

    In double precision the class of the largest score is the one that `predict` says.
    All weights and biases are trainable parameters: a network that memorizes can be
    the starting point of fine-tuning.

    Parameters
    ----------
    estimator : estimator of this package, or Pipeline
        A fitted classifier or regressor; or a pipeline that ends with one, behind steps
        that move and scale columns: `StandardScaler`, `MinMaxScaler`, `MaxAbsScaler`,
        `RobustScaler`, `SimpleImputer` (without indicators).

    Returns
    -------
    module : torch.nn.Module
        Its `forward` takes a tensor of shape (n_samples, n_features) and returns one
        score for each class, of shape (n_samples, n_classes); with two classes, the
        second score minus the first is `decision_function`. For a regressor, it
        returns the targets, of shape (n_samples, n_outputs). `probabilities` takes the
        same tensor and returns, for a classifier, what `predict_proba` does, up to
        rounding. Its `network` is what `to_torch` of the network returns, but for
        coverings of one class alone. The module of a pipeline computes in double
        precision what its steps do, and holds that of the last step as `module`.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    TypeError
        If it is no classifier or regressor of this package, or a pipeline with another
        kind of step.
    ValueError
        If the network is too large to be written out; see `network_.layers`.

    Examples
    --------
    The extra `torch` brings what this needs::

        module = to_torch(classifier)
        scores = module(torch.from_numpy(X))
        labels = classifier.classes_[scores.argmax(dim=1).numpy()]
        probabilities = module.probabilities(torch.from_numpy(X))
    """
    if isinstance(estimator, Pipeline):
        check_is_fitted(estimator)
        steps = [part for _, step in estimator.steps[:-1] for part in _columnwise(step)]
        module = to_torch(estimator[-1])
        return torch_modules().PipelineModule(steps, module)
    if not isinstance(estimator, BaseMemorizer):
        raise TypeError(
            "to_torch takes a classifier or regressor of this package, or a pipeline "
            f"that ends with one, and no {type(estimator).__name__}."
        )
    modules = torch_modules()
    reading = Reading.of(estimator)
    if reading.is_one_sided:
        network = modules.LargestMarginModule(reading.network)
    elif reading.has_coverings:
        network = reading.network.to_torch(reading.n_votes)
    else:
        network = reading.network.to_torch()
    return modules.ReadModule(network, reading.outputs, reading.n_classes, reading.rule)


def _columnwise(step) -> list[tuple[str, np.ndarray]]:
    """Return what a step does to each column, in the order in which it does so."""
    if step is None or step == "passthrough":
        return []
    # A subclass may do anything.
    if type(step) is StandardScaler:
        parts = [("subtract", step.mean_), ("divide", step.scale_)]
    elif type(step) is RobustScaler:
        parts = [("subtract", step.center_), ("divide", step.scale_)]
    elif type(step) is MaxAbsScaler:
        parts = [("divide", step.scale_)]
        if getattr(step, "clip", False):
            ones = np.ones_like(step.scale_)
            parts += [("at least", -ones), ("at most", ones)]
    elif type(step) is MinMaxScaler:
        parts = [("multiply", step.scale_), ("add", step.min_)]
        if step.clip:
            low, high = (np.full_like(step.scale_, end) for end in step.feature_range)
            parts += [("at least", low), ("at most", high)]
    elif _is_plain_imputer(step):
        parts = [("in place of NaN", step.statistics_)]
    else:
        raise TypeError(
            f"to_torch knows pipelines of {_STEPS}, and no {type(step).__name__}. Pass "
            "the last step, `pipeline[-1]`, and give the module rows as "
            "`pipeline[:-1].transform` returns them."
        )
    return [(operation, numbers) for operation, numbers in parts if numbers is not None]


def _is_plain_imputer(step) -> bool:
    """Tell whether a step puts numbers in place of NaN, column by column."""
    return (
        type(step) is SimpleImputer
        and not step.add_indicator
        and isinstance(step.missing_values, float)
        and np.isnan(step.missing_values)
        and all(isinstance(number, Real) for number in step.statistics_)
        and not np.isnan(step.statistics_.astype(float)).any()
    )
