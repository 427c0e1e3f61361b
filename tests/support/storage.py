"""States that pickle would hand over, and damages of them."""

import copy

import numpy as np

from .estimators import REGRESSORS, new


def restored(estimator, state):
    """Make an estimator of a state, as pickle does."""
    other = object.__new__(type(estimator))
    other.__setstate__(state)
    return other


def places(plain, path=()):
    """Yield where the arrays of a state are."""
    if isinstance(plain, dict):
        for key, part in plain.items():
            yield from places(part, (*path, key))
    elif isinstance(plain, list):
        for number, part in enumerate(plain[:2]):
            yield from places(part, (*path, number))
    elif isinstance(plain, np.ndarray):
        yield path


def value_at(plain, path):
    """Return what stands at a place of a state."""
    for key in path:
        plain = plain[key]
    return plain


def with_other(plain, path, change):
    """Return a copy of a state with one of its arrays changed."""
    changed = copy.deepcopy(plain)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = change(holder[path[-1]])
    return changed


SAMPLES = np.random.default_rng(0).standard_normal((60, 5))
LABELS = np.arange(60) % 3


def fitted(name, **options):
    """Return an estimator that has something to store."""
    targets = np.sin(SAMPLES[:, 0]) if name in REGRESSORS else LABELS
    return new(name, **options).fit(SAMPLES, targets)
