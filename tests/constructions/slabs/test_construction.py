"""Slabs have the same room on both sides."""

import numpy as np

from sklearn_memorize.constructions.slabs import _construction as slabs
from sklearn_memorize.constructions.slabs._construction import thresholds


def test_slabs_end_halfway_to_the_strangers_or_at_the_next_double():
    one = np.nextafter(1.0, 2.0)
    values, errors = np.array([0.0, 1.0, 4.0]), np.zeros(3)
    lower, upper, _ = slabs.thresholds(values, errors, np.array([1]), np.array([0, 2]))
    assert (lower, upper) == (0.5, 2.5)
    values = np.array([1.0, one, np.nextafter(one, 2.0)])
    lower, upper, _ = slabs.thresholds(values, errors, np.array([1]), np.array([0, 2]))
    # lower < x holds for the member only, and upper < x for the stranger above.
    assert ((values > lower) & ~(values > upper)).tolist() == [False, True, False]


def test_slabs_have_the_same_room_on_both_sides():
    values = np.array([-4.0, -1.0, 0.5, 1.0, 4.5])
    errors, members = np.full(5, 0.25), np.array([1, 2, 3])
    lower, upper, _ = thresholds(values, errors, members, np.array([0, 4]))
    assert lower == (-3.75 - 1.25) / 2 and upper == (1.25 + 4.25) / 2
