"""What the folder of a construction says about itself.

Reports, tables, benchmarks and tests take their lists from these records; a record
knows its paper, its estimators, and how large its theorem says a network gets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np


@dataclass(frozen=True)
class Paper:
    """Where a theorem was published."""

    authors: str
    title: str
    venue: str
    link: str


@dataclass(frozen=True)
class Prediction:
    """What a theorem says about a data set.

    `assumption`: what the theorem needs. `met`: whether the data are like that, None
    if that has not been decided. `evidence`: how it is known. `kind`: how the sizes are
    meant; they are None where the theorem names none. `depth` and `bits_per_weight`
    are known where the sizes are a formula without open constants.
    """

    assumption: str
    met: bool | None
    evidence: str
    kind: Literal["at most", "up to constants"]
    n_neurons: float | None
    n_parameters: float | None
    depth: int | None = None
    bits_per_weight: float = 64.0


@dataclass(frozen=True)
class LowerBound:
    """What no network of a kind can do.

    Parameters
    ----------
    quantity : str
        Of what there are too few: "neurons" or "parameters". Where the network that is
        built takes its size from the labels, "neurons for any labels" and "parameters
        for any labels" say what one for any labels would need. "width to generalize"
        is about new samples.
    value : int
        The fewest that are not ruled out.
    holds_for : {"these labels", "any labels", "some samples"}
        No network with fewer recalls these labels of these samples; or no architecture
        with fewer recalls any labels that these samples might have; or there are as
        many samples, somewhere else, that none with fewer recalls.
    reason, source : str
        Why, and who says so.
    """

    quantity: Literal[
        "neurons",
        "parameters",
        "neurons for any labels",
        "parameters for any labels",
        "width to generalize",
    ]
    value: int
    holds_for: Literal["these labels", "any labels", "some samples"]
    reason: str
    source: str


def nothing_impossible(geometry: "Geometry", estimator) -> tuple[LowerBound, ...]:
    """Rule nothing out."""
    return ()


class Geometry(Protocol):
    """What a theorem may ask about a data set; identical samples count once."""

    n_given: int  # number of samples, identical ones included
    n_samples: int  # number of distinct samples
    n_features: int
    n_classes: int
    class_sizes: np.ndarray  # number of distinct samples of each class
    distance: float  # the smallest one between samples of different label
    delta: float  # the same in units of the largest distance from the mean, R
    # Of a mutual covering of each class and the rest: the numbers of balls that cover
    # the class, M-, and the samples of all other classes, M+, and the largest Gaussian
    # width of the samples in a ball, over R.
    n_own_balls: np.ndarray
    n_rest_balls: np.ndarray
    omega: float
    rank: int  # dimension of the affine hull of the samples
    changes_on_lines: int  # how often labels change on a line of one feature, at most


@dataclass(frozen=True)
class Construction:
    """One folder: its paper, what it builds, and what its theorem predicts.

    `lower_bounds` says what is impossible, on these data or in the worst case; each of
    these holds of the network that is built.
    `code` names the functions and classes in which the formulas stand. The statement of
    the theorem, for the documentation, is the docstring of the folder's `__init__.py`.
    """

    name: str
    estimators: tuple[type, ...]
    network: str
    paper: Paper
    code: tuple[Callable, ...]
    predict_size: Callable[[Geometry, object], Prediction]
    lower_bounds: Callable[[Geometry, object], tuple[LowerBound, ...]] = (
        nothing_impossible
    )

    def __repr__(self) -> str:
        return f"Construction({self.name!r})"

    @property
    def builds_network(self) -> bool:
        """Whether its predictors are networks."""
        return builds_network(self.estimators[0])


def builds_network(kind: type) -> bool:
    """Return whether an estimator class builds a network."""
    return getattr(kind, "_built_name", None) == "network_"


def n_outputs(geometry: Geometry) -> int:
    """Return the number of output neurons: one tells two classes apart."""
    return 1 if geometry.n_classes == 2 else geometry.n_classes


def classes_apart(geometry: Geometry) -> tuple[bool, str]:
    """Say whether the classes are at a distance, and at which."""
    return geometry.delta > 0, f"delta = {geometry.delta:.3g} R"


def general_position(geometry: Geometry, estimator) -> tuple[bool | None, str]:
    """Say whether each group of d samples has a hyperplane that holds no other sample.

    A fitted estimator knows. Before that only data in one hyperplane are recognized.
    """
    d, rank = geometry.n_features, geometry.rank
    if rank < min(d, geometry.n_samples - 1):
        return False, f"all samples lie in {rank} of {d} dimensions"
    if hasattr(estimator, "n_split_"):
        n_split = estimator.n_split_
        return n_split == 0, f"{n_split} groups had to be split"
    return None, "no common hyperplane"
