"""The data sets that the papers experiment on."""

from ._generators import make_parallel_lines, make_two_moons
from ._mnist import fetch_mnist

__all__ = ["fetch_mnist", "make_parallel_lines", "make_two_moons"]
