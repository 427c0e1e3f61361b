"""Fitted estimators as PyTorch modules."""

from __future__ import annotations

from .._estimator._base import BaseMemorizer
from ..network._network import torch_modules
from ._reading import Reading


def to_torch(estimator):
    """Return the network of a fitted estimator as a PyTorch module.

    In double precision the class of the largest score is the one that `predict` says.
    All weights and biases are trainable parameters: a network that memorizes can be
    the starting point of fine-tuning.

    Parameters
    ----------
    estimator : estimator of this package
        A fitted classifier or regressor.

    Returns
    -------
    module : torch.nn.Module
        Its `forward` takes a tensor of shape (n_samples, n_features) and returns one
        score for each class, of shape (n_samples, n_classes); with two classes, the
        second score minus the first is `decision_function`. For a regressor, it
        returns the targets, of shape (n_samples, n_outputs). `probabilities` takes the
        same tensor and returns, for a classifier, what `predict_proba` does, up to
        rounding. Its `network` is what
        `to_torch` of the network returns, but for coverings of one class alone.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    TypeError
        If it is no classifier or regressor of this package: a pipeline, for instance.
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
    if not isinstance(estimator, BaseMemorizer):
        raise TypeError(
            f"to_torch takes a classifier or regressor of this package, and no "
            f"{type(estimator).__name__}. Of a pipeline pass the last step, "
            "`pipeline[-1]`, and give the module rows as `pipeline[:-1].transform` "
            "returns them."
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
