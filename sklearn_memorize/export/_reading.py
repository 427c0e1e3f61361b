"""How the answers of an estimator are read off its network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sklearn.base import is_regressor
from sklearn.utils.validation import check_is_fitted

from .._estimator._probabilities import ONE_OBSERVATION, Rule
from ..constructions._record import builds_network
from ..constructions.nearby_set._construction import NearbySetNetwork
from ..constructions.random_hyperplanes._estimator import MemorizingClassifier
from ..constructions.random_hyperplanes._network import CoverNetwork
from ..constructions.small_relu._estimator import SmallReLUClassifier
from ..network import Network

Outputs = Literal["constant", "scores", "difference", "levels", "targets"]


@dataclass(frozen=True)
class Reading:
    """What the outputs of the network mean.

    "constant": nothing, as there is one class. "scores": one score for each class.
    "difference": one number, positive for the second class. "levels": one number, on
    one of `n_classes` levels from -1 to 1. "targets": those of a regressor, which has 0
    classes. A network of coverings is read by `n_votes` votes, or by the paper's rule
    if that is None; coverings of one class (`is_one_sided`) by the largest margin.
    `rule` says how the scores become probabilities.
    """

    network: Network
    outputs: Outputs
    n_classes: int
    n_votes: int | None = None
    is_one_sided: bool = False
    rule: Rule = ONE_OBSERVATION

    @classmethod
    def of(cls, estimator) -> Reading:
        """Return how a fitted classifier or regressor is read."""
        check_is_fitted(estimator)
        if not builds_network(type(estimator)):
            raise TypeError(
                f"{type(estimator).__name__} cannot be exported: it builds no network, "
                "but looks for the nearest samples. MemorizingClassifier builds one."
            )
        network = estimator.network_
        if is_regressor(estimator):
            return cls(network, "targets", 0)
        n_classes = len(estimator.classes_)
        if n_classes == 1:
            return cls(network, "constant", 1)
        rule = estimator._probability_rule
        if isinstance(estimator, SmallReLUClassifier):
            outputs: Outputs = "levels" if n_classes > 2 else "difference"
            return cls(network, outputs, n_classes, rule=rule)
        if isinstance(estimator, MemorizingClassifier):
            if estimator.one_sided:
                return cls(network, "difference", 2, None, True, rule)
            n_votes = estimator.n_votes_ if estimator.decision == "vote" else None
            return cls(network, "scores", n_classes, n_votes, False, rule)
        has_score_each = n_classes > 2 or isinstance(
            getattr(network, "network", network), NearbySetNetwork
        )
        outputs = "scores" if has_score_each else "difference"
        return cls(network, outputs, n_classes, rule=rule)

    @property
    def has_coverings(self) -> bool:
        """Whether the network consists of coverings."""
        return isinstance(self.network, CoverNetwork)
