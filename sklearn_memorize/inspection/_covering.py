"""Greedy mutual coverings: how many small balls the classes consist of."""

from dataclasses import dataclass, field, replace
from numbers import Real

import numpy as np
from sklearn.utils import check_random_state

from .._estimator._sklearn import Interval, validate_params
from ..exact._closest_pairs import nearest_distances
from ..exact._distances import PointSet, Scaling, squared_distances
from ._geometry import check_labelled, radius

# That many candidates for centers are compared with all points of their side at a time,
# unless these are so many distances.
_N_CANDIDATES = 64
_BLOCK_DISTANCES = 1 << 22
# Radii are this much smaller than they may be, which is more than rounding.
_CAUTION = 1 - 1e-6


@dataclass(frozen=True, eq=False)
class Cover:
    """Balls that cover one side of a mutual covering.

    Parameters
    ----------
    centers : ndarray of shape (n_balls,)
        Indices of the samples that are centers.
    radii : ndarray of shape (n_balls,)
        Radius of each ball, in the units of the data.
    members : tuple of ndarray
        For each ball the indices of all samples of its side that lie in it.
    """

    centers: np.ndarray
    radii: np.ndarray
    members: tuple[np.ndarray, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.centers)


@dataclass(frozen=True, eq=False)
class OneVsRestCovering:
    """The mutual covering of one class and of all other samples.

    Parameters
    ----------
    own : Cover
        Balls around samples of the class, M- of them.
    rest : Cover
        Balls around samples of the other classes, M+ of them.
    largest_ratio : float
        The largest quotient of a radius and the bound on it, taken to the *centers* of
        the other side, as the definition does; the condition holds if it is at most 1.
    """

    own: Cover
    rest: Cover
    largest_ratio: float


@dataclass(frozen=True, eq=False)
class MutualCovering:
    """A mutual covering of each class and the rest.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The labels.
    coverings : tuple of OneVsRestCovering
        One for each class.
    radius : float
        R, the radius of the data.
    constant : float
        The constant in the condition on the radii.
    """

    classes: np.ndarray
    coverings: tuple[OneVsRestCovering, ...] = field(repr=False)
    radius: float
    constant: float

    @property
    def n_own(self) -> np.ndarray:
        """M- of each class: the balls that cover it; bounds the second layer."""
        return np.array([len(covering.own) for covering in self.coverings])

    @property
    def n_rest(self) -> np.ndarray:
        """M+ of each class: the balls that cover the other classes."""
        return np.array([len(covering.rest) for covering in self.coverings])

    @property
    def holds(self) -> bool:
        """Whether the balls of every class obey the condition of the definition."""
        return all(covering.largest_ratio <= 1 for covering in self.coverings)


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        "constant": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def mutual_covering(X, y, *, constant=1.0, random_state=None):
    r"""Cover each class, and the rest, by balls that keep away from each other.

    Let R be the radius of the data. A ball around a sample may have the radius

    .. math:: r = \frac{C \, t}{\sqrt{\log(e R / t)}},

    t being the distance of its center to the nearest center of the other side. Centers
    are drawn from the samples that no ball covers yet, until there are none. The theory
    of [1]_ then bounds the second layer of a network of random hyperplanes by the
    number of balls, M-, however many samples there are, *up to constants*.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The samples.
    y : array-like of shape (n_samples,)
        Their labels, of at least two classes. With two classes, the coverings of both
        are the same one, seen from either side.
    constant : float, default=1.0
        C above; the theory leaves it open.
    random_state : int, RandomState instance or None, default=None
        Determines the order in which samples become centers.

    Returns
    -------
    covering : MutualCovering
        For each class and the rest: centers, radii, members of each ball; the numbers
        `n_own` (M-) and `n_rest` (M+); and `holds`, whether the radii obey the
        condition, measured on the result.

    Raises
    ------
    ValueError
        If there is one class only, if identical samples carry different labels, or if
        the input is not valid.

    Notes
    -----
    The radii are chosen by the distance to the nearest *sample* of the other side. That
    is no more than the distance to its nearest center, and the bound increases with
    the distance, so the condition holds. R is taken around the mean of the samples: the
    covering does not change if the data are moved, turned, or scaled.

    References
    ----------
    .. [1] S. Dirksen, P. Finke, M. Genzel, "Memorization with neural nets: going beyond
       the worst case", JMLR 25(347), 2024. https://arxiv.org/abs/2310.00327

    Examples
    --------
    >>> from sklearn_memorize.inspection import mutual_covering
    >>> X = [[0.0, 0.0], [0.1, 0.0], [0.0, 5.0], [0.1, 5.0]]
    >>> covering = mutual_covering(X, [0, 0, 1, 1], random_state=0)
    >>> covering.n_own, covering.n_rest, covering.holds
    (array([1, 1]), array([1, 1]), True)
    """
    X, names, labels = check_labelled(X, y)
    if len(names) < 2:
        raise ValueError("y has one class only; a mutual covering needs two or more.")
    priority = check_random_state(random_state).permutation(len(X))
    scaling = Scaling.of(X)
    data = _Side(PointSet(scaling.scaled(X), scaling), priority, float(constant))
    coverings = tuple(data.cover(labels == label) for label in range(len(names)))
    return MutualCovering(names, coverings, radius(X), float(constant))


class _Side:
    """The samples, in the order in which they are tried as centers."""

    def __init__(self, everything: PointSet, priority: np.ndarray, constant: float):
        self.everything = everything
        self.priority = priority
        self.constant = constant
        self.radius = radius(everything.points)

    def limit(self, distances: np.ndarray) -> np.ndarray:
        """Return the largest radius at a distance: C t / sqrt(log(e R / t))."""
        logarithm = 1.0 + np.log(self.radius / distances)
        return self.constant * distances / np.sqrt(logarithm)

    def cover(self, is_own: np.ndarray) -> OneVsRestCovering:
        """Cover a class and the rest."""
        own, rest = np.flatnonzero(is_own), np.flatnonzero(~is_own)
        own_cover = self._greedy(own, rest)
        rest_cover = self._greedy(rest, own)
        ratios = self._ratio(own_cover, rest_cover), self._ratio(rest_cover, own_cover)
        scale = self.everything.scaling.exponent
        own_cover, rest_cover = (
            replace(cover, radii=np.ldexp(cover.radii, scale))
            for cover in (own_cover, rest_cover)
        )
        return OneVsRestCovering(own_cover, rest_cover, max(ratios))

    def _ratio(self, cover: Cover, other: Cover) -> float:
        distances = nearest_distances(self.everything, cover.centers, other.centers)
        return float((cover.radii / self.limit(distances)).max())

    def _greedy(self, members: np.ndarray, others: np.ndarray) -> Cover:
        members = members[np.argsort(self.priority[members])]
        distances = nearest_distances(self.everything, members, others)
        if distances.min() == 0:
            raise ValueError(
                f"sample {members[np.argmin(distances)]} is identical to a sample of "
                "another label, as far as double precision can tell; no ball keeps "
                "away from it. Give identical samples one label, and remove outliers "
                "beside which differences vanish."
            )
        radii = self.limit(distances) * _CAUTION
        targets = self.everything.take(members)
        left = np.ones(len(members), dtype=bool)
        centers: list[int] = []
        balls: list[np.ndarray] = []
        size = max(1, min(_N_CANDIDATES, _BLOCK_DISTANCES // len(members)))
        while left.any():
            block = np.flatnonzero(left)[:size]
            near = squared_distances(targets.take(block), targets)
            near = near <= np.square(radii[block])[:, np.newaxis]
            for candidate, ball in zip(block, near, strict=True):
                if left[candidate]:
                    left &= ~ball
                    centers.append(int(candidate))
                    balls.append(np.sort(members[ball]))
        return Cover(members[centers], radii[centers], tuple(balls))
