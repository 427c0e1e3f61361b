"""Provable memorization by neural networks, behind the scikit-learn interface."""

import sys
from types import ModuleType

from . import exceptions
from ._estimator._version import __version__
from .constructions import all_estimators
from .constructions._registry import *  # noqa: F403

__all__ = ["__version__", "exceptions"]
__all__ += sorted(estimator.__name__ for estimator in all_estimators())

# Where files of storage format 1 look for what they hold. These modules are gone; left
# to itself, pickle would say so, and not what to do.
_FORMER_MODULES = {
    "_bit_extraction": ["BitExtractionClassifier"],
    "_deep_threshold": ["DeepThresholdClassifier"],
    "_hyperplanes": ["MemorizingClassifier"],
    "_nearby_set": ["NearbySetClassifier"],
    "_random_relu": ["RandomReLUClassifier"],
    "_relu": ["SmallReLUClassifier", "SmallReLURegressor"],
    "_residual": ["ResidualMemorizingClassifier"],
    "_slab": ["SlabClassifier"],
    "_threshold_transformer": ["RandomThresholdTransformer"],
    "network._bit_network": ["BitExtractionNetwork"],
    "network._codes": ["BitCodes"],
    "network._cover_network": ["Covering", "CoverNetwork"],
    "network._hyperplane_layer": ["HyperplaneLayer"],
    "network._relu_codes": ["ReLUCodes"],
    "network._residual_network": ["ResidualNetwork"],
    "network._small_relu_network": ["SmallReLUNetwork"],
}


class _StoredBefore:
    """Stands in for a class whose module is gone; refuses to be made."""

    def __new__(cls, *args, **kwargs):
        raise ValueError(
            f"This {cls.__name__} was stored by another version of sklearn_memorize; "
            f"version {__version__} cannot read it. Read it with the version that "
            "stored it, or fit again."
        )


for _module, _names in _FORMER_MODULES.items():
    _former = ModuleType(f"{__name__}.{_module}")
    vars(_former).update((name, type(name, (_StoredBefore,), {})) for name in _names)
    sys.modules[_former.__name__] = _former
