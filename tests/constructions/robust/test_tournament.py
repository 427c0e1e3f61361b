"""The largest and smallest of many numbers, by layers of ReLU nodes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sklearn_memorize.constructions.robust._tournament import (
    LARGEST,
    LARGEST_OF_POSITIVE,
    SMALLEST_OF_POSITIVE,
    rounds,
    widths_of_rounds,
)

RULES = {
    "largest": (LARGEST, np.maximum, -9),
    "largest of positive": (LARGEST_OF_POSITIVE, np.maximum, 0),
    "smallest of positive": (SMALLEST_OF_POSITIVE, np.minimum, 0),
}


@pytest.mark.parametrize("name", RULES)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5), seed=st.integers(0))
def test_each_group_is_read_off_the_last_layer(name, sizes, seed):
    rule, reduce, least = RULES[name]
    sizes = np.array(sizes)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    numbers = np.random.default_rng(seed).integers(least, 10, (7, len(groups)))
    identity = sparse.csr_array(sparse.eye_array(len(groups)))
    weights, read = rounds(identity, groups, rule)
    nodes = numbers.astype(float)
    for layer in weights:
        nodes = np.maximum(nodes @ layer.T.toarray(), 0)
    starts = np.cumsum(sizes) - sizes
    expected = reduce.reduceat(numbers, starts, axis=1)
    np.testing.assert_array_equal(nodes @ read.T.toarray(), expected)
    assert [layer.shape[0] for layer in weights] == widths_of_rounds(sizes, rule)
    assert len(weights) == int(np.ceil(np.log2(sizes.max())))
