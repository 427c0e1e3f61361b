"""How estimators are stored and read: with the version, and checked when read."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.exceptions import InconsistentVersionWarning

from ..network import Network
from ..network._storage import FORMAT, from_plain, is_storable, to_plain
from ._messages import warn
from ._parameters import PlainParametersMixin, plain
from ._version import __version__

_VERSION = "_sklearn_memorize_version"
_FORMAT = "_sklearn_memorize_format"
# The kind of what is no object of this package.
_AS_IT_IS = "as it is"


class PersistentMixin(PlainParametersMixin):
    """Store networks as plain arrays; refuse what does not fit when it is read."""

    # The fitted attribute that holds what was built, and what it is.
    _built_name = "network_"
    _built_kind: Any = Network

    def __getstate__(self):
        state = {name: _stored(value) for name, value in super().__getstate__().items()}
        return {**state, _VERSION: __version__, _FORMAT: FORMAT}

    def __setstate__(self, state):
        name = type(self).__name__
        state = dict(state)
        version = state.pop(_VERSION, None)
        if state.pop(_FORMAT, None) != FORMAT:
            by = f"version {version}" if version else "another version"
            raise ValueError(
                f"This {name} was stored by {by} of sklearn_memorize, or by another "
                f"program; version {__version__} cannot read it. Read it with "
                "the version that stored it, or fit again."
            )
        if version != __version__:
            warn(
                InconsistentVersionWarning(
                    estimator_name=name,
                    current_sklearn_version=f"{__version__} of sklearn_memorize",
                    original_sklearn_version=f"{version} of sklearn_memorize",
                )
            )
        try:
            state = {key: _read(value) for key, value in state.items()}
            self._check_stored(state)
        except ValueError as error:
            raise ValueError(
                f"The stored {name} is damaged: {error}. Restore the file, or fit "
                "again."
            ) from error
        parameters = {name: plain(state[name]) for name in self._get_param_names()}
        super().__setstate__({**state, **parameters})

    def _check_stored(self, state: dict) -> None:
        """Raise a ValueError if fitted attributes are missing or do not fit."""
        missing = {name for name in self._get_param_names() if name not in state}
        if "interpolates_" in state:
            needed = {self._built_name, "n_conflicts_", "n_features_in_"}
            missing |= needed - state.keys()
        if missing:
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        name = self._built_name
        if name not in state:
            return
        built: Any = state[name]
        if not isinstance(built, self._built_kind):
            raise ValueError(f"{name} is not a {self._built_kind.__name__.lower()}")
        if built.n_inputs != state.get("n_features_in_"):
            raise ValueError(
                f"its network reads {built.n_inputs} features, and n_features_in_ "
                f"is {state.get('n_features_in_')}"
            )
        if "classes_" in state:
            _check_classes(state["classes_"], built._n_outputs)


def _looks_stored(value) -> bool:
    return isinstance(value, dict) and "kind" in value


def _stored(value):
    """Return what is stored in place of an attribute."""
    if is_storable(value):
        return to_plain(value)
    # A dictionary of the user's own that could be taken for a stored object.
    return {"kind": _AS_IT_IS, "value": value} if _looks_stored(value) else value


def _read(value):
    """Return the attribute for which a value was stored."""
    if not _looks_stored(value):
        return value
    if value["kind"] == _AS_IT_IS and "value" in value:
        return value["value"]
    return from_plain(value)


def _check_classes(classes, n_outputs: int) -> None:
    if not isinstance(classes, np.ndarray) or classes.ndim != 1 or not len(classes):
        raise ValueError("classes_ is not a vector of labels")
    # One output tells a constant, two classes, or any number of levels.
    if n_outputs not in (1, len(classes)):
        raise ValueError(f"it has {n_outputs} outputs for {len(classes)} classes_")
