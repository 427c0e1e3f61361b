"""The slopes of a small ReLU network: one for each group and second-layer node."""

import numpy as np

from ...exceptions import InterpolationError
from ...kernels._reference import two_sum
from ._layers import Block

# A node is saturated at the neighbours of its own sample if |slope| * gap >= 2; the
# slopes are chosen for this much instead.
_SATURATION = 2.5

REMEDY = (
    "Remove rows that nearly coincide, or raise n_projections (to find a line on which "
    "they lie farther apart) or n_layers (for smaller blocks)."
)


def zigzag(grouped: np.ndarray) -> np.ndarray:
    """Reverse every other group: from order on the line to order of nodes, or back."""
    grouped = grouped.copy()
    grouped[1::2] = grouped[1::2, ::-1]
    return grouped


def fit_block(anchors, values, left, right) -> Block:
    """Choose one slope for each group and node.

    Node k is a continuous, piecewise linear function of the position, with slope
    m_lk in the zone of group l. It equals y_lk at z_lk, so that at the border b_l
    between the groups l and l + 1

        y_lk + m_lk (b_l - z_lk) = y_{l+1,k} - m_{l+1,k} (z_{l+1,k} - b_l).
    """
    z, y = zigzag(anchors), zigzag(values)
    gaps = _gaps(anchors, left, right)
    # Whatever overflows is found by the check of the slopes.
    with np.errstate(all="ignore"):
        first_slopes = _first_slopes(z, y, zigzag(gaps), left)
        steepness = 2.0 / (right - left)
        starts = y[0] - first_slopes * (z[0] - left[0])[:, np.newaxis]
        # Where node l is not saturated, hardtanh(t) + 1 = steepness * (z - left).
        reach = steepness[:, np.newaxis] * (z - left[:, np.newaxis])
        block = Block(left, right, _weights(y, reach, starts), starts)
        _check_saturation(slopes_on_line(block), gaps)
    return block


def slopes_on_line(block: Block) -> np.ndarray:
    """Return the slope along the line at each sample, in order on the line."""
    return zigzag(block.weights * block.steepness[:, np.newaxis, np.newaxis])


def _gaps(anchors, left, right) -> np.ndarray:
    """Return how near to each sample all of its group's other nodes take over.

    The outer samples of the block count the distance to its ends, so that outside the
    block every node is saturated and the sum of all nodes is 0.
    """
    p, q = anchors.shape
    gaps = np.full((p, q + 1), np.inf)
    gaps[:, 1:-1] = np.diff(anchors, axis=1)
    gaps[0, 0] = anchors[0, 0] - left[0]
    gaps[-1, -1] = right[-1] - anchors[-1, -1]
    return np.minimum(gaps[:, :-1], gaps[:, 1:])


def _first_slopes(z, y, gaps, left) -> np.ndarray:
    """Return the slopes in the first group, as small as saturation allows.

    The borders' equations give m_lk = h_lk (m_0k + r_lk), where h is the product of
    the factors -(b_l - z_lk) / (z_{l+1,k} - b_l), and r adds up the steps of y.
    """
    after, before = left[1:, np.newaxis] - z[:-1], z[1:] - left[1:, np.newaxis]
    growth = np.ones_like(z)
    growth[1:] = np.exp(np.cumsum(np.log(after) - np.log(before), axis=0))
    growth[1::2] *= -1.0
    drift = np.zeros_like(y)
    steps = np.diff(y, axis=0) / (before * growth[1:])[..., np.newaxis]
    drift[1:] = np.cumsum(steps, axis=0)
    needed = _SATURATION / (gaps * np.abs(growth))
    magnitude = (needed[..., np.newaxis] + np.abs(drift)).max(axis=0)
    magnitude[1::2] *= -1.0
    return magnitude


def _weights(y, reach, starts) -> np.ndarray:
    """Solve the borders' equations from left to right.

    The potential at the left end of a zone is starts + 2 * (sum of the weights to its
    left). It is added up in doubled precision from the rounded weights, so that the
    rounding errors of the weights do not accumulate.
    """
    weights = np.empty_like(y)
    high, low = starts, np.zeros_like(starts)
    for group in range(len(y)):
        missing = (y[group] - high) - low
        weights[group] = missing / reach[group][:, np.newaxis]
        high, error = two_sum(high, 2.0 * weights[group])
        low = low + error
    return weights


def _check_saturation(slopes: np.ndarray, gaps: np.ndarray) -> None:
    """Check that the signs alternate and that each node knows its own sample only."""
    p, q, _ = slopes.shape
    # Along the line + - + - ..., in every group.
    signs = np.where(np.arange(q) % 2 == 0, 1.0, -1.0)[:, np.newaxis]
    saturated = slopes * signs * gaps[..., np.newaxis] >= 2.0
    if not (saturated.all() and np.isfinite(slopes).all()):
        raise InterpolationError(
            "Double precision cannot hold the slopes that separate neighbouring "
            f"samples; the smallest distance on the line is {gaps.min():.3g}. {REMEDY}"
        )
