"""Robust memorization by nearest centers.

Let D_i be the distance of sample i to the nearest sample of another class, and rho the
robustness, 0 < rho < 1. The points within rho D_i / 2 of sample i are to get its label,

    B_i = {x : |x - x_i| <= rho D_i / 2}.

Centers are chosen out of the samples so that each sample i has a center c of its class
with |x_i - c| <= (1 - rho) D_i. Then for x in B_i and any center q of another class

    |x - c| <= |x - x_i| + |x_i - c| <= rho D_i / 2 + (1 - rho) D_i = (1 - rho / 2) D_i
    |x - q| >= |x_i - q| - |x - x_i| >= D_i - rho D_i / 2           = (1 - rho / 2) D_i

so that c is nearer than q (strictly: reaches are a little less, and D_i > 0), and the
class of the nearest center is that of sample i on all of B_i. This holds in any metric.
"""

from __future__ import annotations

import numpy as np

from ...exact._nearest import nearest_points
from ...exact._pairs import METRICS
from ...kernels._threads import one_blas_thread, run_in_threads
from ._network import NearestCenterNetwork

# Candidates for centers are compared in blocks of this many.
_BLOCK_CENTERS = 128
# Reaches are a little less, so that rounding never makes a difference.
_SLACK = 1e-8


def build_robust_network(
    points: np.ndarray,
    labels: np.ndarray,
    robustness: float,
    metric: str,
    n_threads: int = 1,
) -> tuple[NearestCenterNetwork, np.ndarray, np.ndarray]:
    """Choose centers out of the points, which are distinct and sorted by label.

    Threads share the points. Returns the network, the positions of the centers, and the
    distance of each point to the nearest one of another label.
    """
    everything = nearest_points(points, labels, metric)
    others, _ = everything.nearest_others(points, labels, n_threads)
    with np.errstate(over="ignore"):
        distances = METRICS[metric].rounded(others)
    # What has no distance in double precision is infinitely far, and is no center's.
    finite = np.isfinite(distances)
    distances[~finite] = np.inf
    factor = (1 - robustness) * (1 - _SLACK)
    reaches = factor * np.where(finite, distances, 0.0)

    def cover(members):
        return members[cover_by_reaches(points[members], reaches[members], metric)]

    classes = np.split(np.arange(len(labels)), np.flatnonzero(np.diff(labels)) + 1)
    with one_blas_thread():
        centers = np.concatenate(run_in_threads(cover, classes, n_threads))
    network = NearestCenterNetwork(points[centers], labels[centers], metric)
    return network, centers, distances


def cover_by_reaches(points: np.ndarray, reaches: np.ndarray, metric: str):
    """Choose centers such that each point has one within its own reach.

    Points are taken by their reaches, the smallest first (of equal ones the first
    point); one that has no center within reach becomes one. So of two centers neither
    is within the larger one of their reaches. Returns positions, which increase.
    """
    search = nearest_points(points, np.zeros(len(points), dtype=np.intp), metric)
    left = np.argsort(reaches, kind="stable")
    chosen = []
    while len(left):
        block, left = left[:_BLOCK_CENTERS], left[_BLOCK_CENTERS:]
        # near[a, b]: whether candidate a lies within the reach of point b.
        near = search.are_within(block, reaches)
        among = near[:, block]
        places: list[int] = []
        for place in range(len(block)):
            if not among[places, place].any():
                places.append(place)
        chosen.append(block[places])
        left = left[~near[places].any(axis=0)[left]]
    return np.sort(np.concatenate(chosen))
