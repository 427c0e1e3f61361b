"""ReLU networks with about 2 sqrt(N) nodes in each hidden layer.

The construction of C. Yun, S. Sra, A. Jadbabaie, *Small ReLU networks are powerful
memorizers: a tight analysis of memorization capacity*, NeurIPS 2019, with exact
accounting of rounding errors, and with several blocks for deeper networks.

The samples are projected on a line, sorted, and cut into groups of q consecutive
ones. Node j of the first hidden layer, a hard-tanh, maps the zone of its group onto
[-1, 1]. Node k of the second one is responsible for one sample in each group, and
reads its value there. At each sample all other second-layer nodes are saturated, and
their signs add up to the same constant, 1.

A network of L layers consists of L - 2 such blocks, one for each run of consecutive
groups; block b sits in the hidden layers b and b + 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isqrt

import numpy as np

from ...exceptions import InterpolationError
from .._directions import draw_directions, feature_ranges, project
from ._layers import Block, assemble_layers
from ._network import LineFunction, SmallReLUNetwork
from ._slopes import REMEDY, fit_block, slopes_on_line, zigzag

# The layers are evaluated at this many training samples, those of the steepest nodes.
_CHECKED_SAMPLES = 4096


def build_small_relu_network(
    X,
    targets: np.ndarray,
    rng: np.random.Generator,
    *,
    tolerance: np.ndarray | float,
    n_projections: int = 10,
    n_layers: int = 3,
) -> SmallReLUNetwork:
    """Build a ReLU network that returns `targets` at the distinct rows of `X`.

    The targets are of shape (n_samples, n_outputs). The layers, evaluated one after the
    other in double precision, may miss them by `tolerance`; the network's own `forward`
    does not. The best of `n_projections` random directions is taken.

    With `n_layers=3` (the output layer included) there are about 2 sqrt(n_samples)
    nodes in each of the two hidden layers; at any depth, about
    `4 * n_samples * n_outputs` weights between hidden layers.

    Raises an InterpolationError if double precision cannot tell the rows apart on a
    line, or cannot hold the slopes that it takes.
    """
    offset, scale = _unit_scale(targets)
    _check_finite(scale, targets)
    values = (targets - offset) / np.where(scale > 0, scale, 1.0)
    line = _best_line(X, values, rng, n_projections, n_layers - 2)
    with np.errstate(all="ignore"):  # the check below looks at the outputs
        layers = assemble_layers(line.direction, line.blocks, n_layers, offset, scale)
    _check_finite(layers[-1].biases, targets)
    network = SmallReLUNetwork(layers, line.direction, line.function, offset, scale)
    _check_size(network, n_layers, *targets.shape)
    _check_layers(network, X, targets, tolerance, line.steepest_first)
    return network


def _check_finite(numbers, targets) -> None:
    if not np.isfinite(numbers).all():
        raise InterpolationError(
            f"Targets as large as {np.abs(targets).max():.3g} leave no room in double "
            "precision for the sums of the output layer. Scale the targets down."
        )


def _check_size(network, n_layers: int, n_samples: int, n_outputs: int) -> None:
    # Theorem: 4 floor(d1/4) floor(d2/(4 d_y)) >= N suffices; here less than one group
    # of padding more is used.
    if n_layers == 3:
        d1, d2, _ = network.widths
        q = d2 // (2 * n_outputs)
        assert 4 * (d1 // 4) * (d2 // (4 * n_outputs)) < n_samples + q


def _check_layers(network, X, targets, tolerance, order) -> None:
    """Evaluate the layers at the samples of the steepest nodes."""
    checked = order[:_CHECKED_SAMPLES]
    with np.errstate(all="ignore"):
        outputs = X[checked]
        for layer in network.layers:
            outputs = layer.forward(outputs)
        missed = np.abs(outputs - targets[checked])
        missed[np.isnan(missed)] = np.inf  # the layers overflow
        held = (missed <= tolerance).all()
    if not held:
        raise InterpolationError(
            f"Slopes of {network.largest_slope:.3g} separate samples that lie within "
            f"{network.smallest_gap:.3g} of each other on the line; evaluated layer by "
            f"layer in double precision, the network misses targets by "
            f"{missed.max():.3g}. {REMEDY}"
        ).about(checked[(missed > tolerance).any(axis=1)])


def group_shape(n_samples: int, n_outputs: int = 1, n_blocks: int = 1):
    """Choose the number p of groups and their size q.

    q is even, and p * q exceeds the number of samples by less than q. Among the
    narrowest networks, an even p and layers of like width are preferred. Each output
    has second-layer nodes of its own, and the blocks share the groups.

    >>> from sklearn_memorize.constructions.small_relu._construction import group_shape
    >>> group_shape(2000)
    (44, 46)
    """
    balanced = isqrt(ceil(n_samples / (n_blocks * n_outputs)))
    reach = 2 * isqrt(balanced) + 4
    shapes = []
    for q in range(max(2, balanced - reach) & ~1, balanced + reach + 1, 2):
        p = -(-n_samples // q)
        shapes += [(p, q), (p + 1, q)] if (p + 1) * q - n_samples < q else [(p, q)]

    def width(shape):
        return shape[0] / n_blocks + n_outputs * shape[1]

    narrowest = min(map(width, shapes))
    shapes = [shape for shape in shapes if width(shape) <= narrowest + 2]

    def preference(shape):
        p, q = shape
        return p % 2, abs(p / n_blocks - n_outputs * q), -q

    return min(shapes, key=preference)


@dataclass(frozen=True)
class _Line:
    """A direction, and the function of the position that memorizes the values."""

    direction: np.ndarray  # what is projected on, (n_features,)
    blocks: list[Block]  # the nodes
    function: LineFunction  # the same function, sample by sample
    order: np.ndarray  # the samples from left to right

    @property
    def largest_slope(self) -> float:
        return float(np.abs(self.function.slopes).max())

    @property
    def steepest_first(self) -> np.ndarray:
        """The samples by decreasing slope of the nodes responsible for them.

        A node's rounding error, at any of its samples, is a multiple of its largest
        slope.
        """
        steepest = []
        for block in self.blocks:
            by_node = np.abs(zigzag(slopes_on_line(block))).max(axis=(0, 2))
            steepest.append(zigzag(np.tile(by_node, (len(block.left), 1))).ravel())
        steepness = np.concatenate(steepest)[: len(self.order)]
        return self.order[np.argsort(-steepness, kind="stable")]


def _best_line(X, values, rng, n_projections: int, n_blocks: int) -> _Line:
    """Try random directions, and return the line with the smallest slopes.

    Slopes decide how exact the layers are. The smallest gap between samples bounds
    them from below only: they also grow from group to group, by chance.
    """
    directions = draw_directions(X, rng, n_projections)
    positions = project(X, directions)
    low, high = feature_ranges(X)
    # Slopes count in units of what the terms of a projection add up to, at most.
    reach = (np.abs(directions) * np.maximum(np.abs(low), np.abs(high))).sum(axis=1)
    found: list[tuple[float, _Line]] = []
    for number, direction in enumerate(directions):
        try:
            line = _lay_out(direction, positions[:, number], values, n_blocks)
            found.append((line.largest_slope * reach[number], line))
        except InterpolationError as problem:
            failure = problem
    if not found:
        raise failure
    return min(found, key=lambda candidate: candidate[0])[1]


def _lay_out(direction, positions, values, n_blocks: int) -> _Line:
    """Place groups and blocks along a direction, and choose their slopes."""
    n_samples, n_outputs = values.shape
    order = np.argsort(positions, kind="stable")
    p, q = group_shape(n_samples, n_outputs, n_blocks)
    anchors = _padded(positions[order], p * q).reshape(p, q)
    gaps = np.diff(positions[order])
    nearest = np.flatnonzero(gaps == gaps.min()) if len(gaps) else np.zeros(1, int)
    in_question = order[np.append(nearest, nearest + (len(gaps) > 0))]
    if not (np.diff(anchors.ravel()) > 0).all():
        raise InterpolationError(
            "Some distinct rows have equal projections, in double precision, on each "
            f"of the random directions. {REMEDY}"
        ).about(in_question)
    padded = np.pad(values[order], ((0, p * q - n_samples), (0, 0)))
    left, right = _zones(anchors)
    grouped = padded.reshape(p, q, n_outputs)
    try:
        blocks = [
            fit_block(anchors[part], grouped[part], left[part], right[part])
            for part in _parts(p, n_blocks)
        ]
    except InterpolationError as problem:
        raise problem.about(in_question) from None
    slopes = np.concatenate([slopes_on_line(block) for block in blocks])
    slopes = slopes.reshape(p * q, n_outputs)
    return _Line(
        direction,
        blocks,
        LineFunction(anchors.ravel(), padded, slopes, _borders(right, q)),
        order,
    )


def _unit_scale(targets: np.ndarray):
    """Return offset and scale such that (t - offset) / scale is in [-1, 1], exactly.

    The scale is a power of two, or 0 for constant targets. The offset is 0, unless
    t/2 <= offset <= 2t for all targets t: then t - offset is a floating-point number
    (Sterbenz).
    """
    low, high = targets.min(axis=0), targets.max(axis=0)
    far = (low > 0) & (high / 2 <= low) | (high < 0) & (low / 2 >= high)
    with np.errstate(over="ignore"):
        offset = np.where(far, low + (high - low) / 2, 0.0)
    largest = np.abs(targets - offset).max(axis=0)
    fraction, exponent = np.frexp(largest)
    with np.errstate(over="ignore"):
        scale = np.ldexp(1.0, np.where(fraction == 0.5, exponent - 1, exponent))
    return offset, np.where(largest > 0, scale, 0.0)


def _padded(positions: np.ndarray, size: int) -> np.ndarray:
    """Append anchors to the right, at the mean distance of the others."""
    step = _mean_gap(positions)
    padding = np.arange(1, size - len(positions) + 1) * step
    return np.append(positions, positions[-1] + padding)


def _mean_gap(positions: np.ndarray) -> float:
    if len(positions) == 1:
        return 1.0
    return (positions[-1] - positions[0]) / (len(positions) - 1)


def _zones(anchors: np.ndarray):
    """Return left and right ends of the zones of the groups, shape (p,) each."""
    step = _mean_gap(anchors.ravel())
    last, first = anchors[:-1, -1], anchors[1:, 0]
    borders = last + (first - last) / 2
    left = np.append(anchors[0, 0] - step, borders)
    return left, np.append(borders, anchors[-1, -1] + step)


def _borders(right: np.ndarray, q: int) -> np.ndarray:
    borders = np.full(len(right) * q, np.nan)
    borders[q - 1 :: q] = right
    return borders[:-1]


def _parts(n_groups: int, n_blocks: int) -> list[slice]:
    """Cut the groups into runs, one for each block, of nearly equal length."""
    n_blocks = min(n_blocks, n_groups)
    cuts = [n_groups * block // n_blocks for block in range(n_blocks + 1)]
    return [slice(*ends) for ends in zip(cuts[:-1], cuts[1:], strict=True)]
