"""Networks as PyTorch modules, whose weights can be trained further.

Thresholds have no gradient. Where one is asked for, that of a smooth step of the same
height stands in (a surrogate, or straight-through, gradient): the answers stay those of
the network, and training moves them. ReLU networks need no such help, but for outputs
that are 0 or 1.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import sparse
from torch import nn

from .._estimator._probabilities import LEAST_EXPONENT, Rule, Softmax
from ..constructions.random_hyperplanes._hyperplane_layer import HyperplaneLayer
from ..constructions.random_hyperplanes._network import Covering, CoverNetwork
from ..kernels._memory import check_room
from ._cover_arrays import CoverArrays, around_shift


class _Step(torch.autograd.Function):
    """1 for t > 0, else 0; with the gradient of 1/2 + t / (2 (width + |t|))."""

    @staticmethod
    def forward(ctx, potential, width):
        ctx.save_for_backward(potential)
        ctx.width = width
        return (potential > 0).to(potential.dtype)

    @staticmethod
    def backward(ctx, gradient):
        (potential,) = ctx.saved_tensors
        return gradient * ctx.width / (2 * (ctx.width + potential.abs()) ** 2), None


class Neurons(nn.Module):
    """One layer, `s(X @ weights.T + biases)`.

    Thresholds have a surrogate gradient, that of `1/2 + t / (2 (width + |t|))`, whose
    `width` is an attribute; it starts at the root of the mean square of the biases.
    """

    def __init__(self, weights, biases, activation):
        super().__init__()
        if sparse.issparse(weights):
            check_room(8 * math.prod(weights.shape), "The weights of a dense layer")
            weights = weights.toarray()
        self.weights = nn.Parameter(_tensor(weights))
        self.biases = nn.Parameter(_tensor(biases))
        self.activation = activation
        size = math.sqrt(float(np.mean(np.square(np.asarray(biases, dtype=float)))))
        self.width = size if 0 < size < math.inf else 1.0

    def forward(self, X):
        """Return the activations."""
        return self.activate(self.potential(X))

    def potential(self, X):
        """Return what goes into the activation."""
        return X @ self.weights.T + self.biases

    def activate(self, potential):
        """Return the activations, given the potentials."""
        if self.activation == "threshold":
            return _Step.apply(potential, self.width)
        return torch.relu(potential) if self.activation == "relu" else potential

    def extra_repr(self):
        """Say the sizes."""
        n_neurons, n_inputs = self.weights.shape
        return f"{n_inputs}, {n_neurons}, {self.activation}"


class _Hyperplanes(Neurons):
    """A layer of hyperplanes; inputs far from the origin are shifted first.

    Axis-parallel ones compare features with thresholds, so that their signs are exact.
    """

    def __init__(self, hyperplanes: HyperplaneLayer, activation):
        layer, shift = around_shift(hyperplanes, activation)
        super().__init__(layer.weights, layer.biases, activation)
        self.register_buffer("shift", None if shift is None else _tensor(shift))
        axis = hyperplanes.axis
        self.has_axis = len(axis) > 0
        if self.has_axis:
            self.register_buffer("features", torch.tensor(axis.features.tolist()))
            self.axis_weights = nn.Parameter(_tensor(axis.weights))
            self.thresholds = nn.Parameter(_tensor(axis.thresholds))

    def potential(self, X):
        """Return `<w, x> + b`."""
        drawn = super().potential(X if self.shift is None else X - self.shift)
        if not self.has_axis:
            return drawn
        distances = X[:, self.features] - self.thresholds
        return torch.cat((drawn, distances * self.axis_weights), dim=1)


class LayersModule(nn.Module):
    """Layers one after the other; hyperplanes are followed by thresholds."""

    def __init__(self, layers):
        super().__init__()
        self.layers = nn.ModuleList(
            _Hyperplanes(layer, "threshold")
            if isinstance(layer, HyperplaneLayer)
            else Neurons(layer.weights, layer.biases, layer.activation)
            for layer in layers
        )

    def forward(self, X):
        """Return the outputs of the last layer, (n_samples, n_outputs)."""
        X = X.to(self.layers[0].weights.dtype)
        for layer in self.layers:
            X = layer(X)
        return X


class ColumnsModule(nn.Module):
    """A module that reads some of the columns of its input."""

    def __init__(self, columns, module):
        super().__init__()
        self.register_buffer("columns", torch.tensor(columns, dtype=torch.int64))
        self.module = module

    def forward(self, X):
        """Return what the module says of the columns."""
        return self.module(X[:, self.columns])


class CellsModule(nn.Module):
    """The cells around the centers of a nearby set, and the score of each class.

    The score of a class is the sum of its positive cells; where there are none, the
    largest value of a cell before its ReLU. `layers` are hyperplanes and cells, written
    out; `labels` are the class numbers of the cells, in increasing order.
    """

    def __init__(self, layers, labels):
        super().__init__()
        hyperplanes, cells = layers[0], layers[1]
        self.hyperplanes = Neurons(
            hyperplanes.weights, hyperplanes.biases, hyperplanes.activation
        )
        # The hyperplanes come cell by cell, as many for each cell of a class.
        self.slopes = nn.Parameter(_tensor(cells.weights.data))
        self.biases = nn.Parameter(_tensor(cells.biases))
        self.cells_of = np.bincount(labels).tolist()
        self.rivals_of = [len(labels) - n_cells for n_cells in self.cells_of]

    def forward(self, X):
        """Return the scores of the classes, (n_samples, n_classes)."""
        X = X.to(self.biases.dtype)
        terms = self.hyperplanes(X) * self.slopes
        sizes = [n * m for n, m in zip(self.cells_of, self.rivals_of, strict=True)]
        scores = []
        for part, biases, n_rivals in zip(
            terms.split(sizes, dim=1),
            self.biases.split(self.cells_of),
            self.rivals_of,
            strict=True,
        ):
            cells = part.unflatten(1, (-1, n_rivals)).sum(dim=2) + biases
            largest = cells.max(dim=1).values
            scores.append(torch.where(largest > 0, torch.relu(cells).sum(1), largest))
        return torch.stack(scores, dim=1)


class _Cover(nn.Module):
    """The first two layers of a covering, and the margins of its classes."""

    def __init__(self, covering: Covering, n_votes: int):
        super().__init__()
        arrays = CoverArrays(covering, n_votes)
        self.first = _Hyperplanes(covering.hyperplanes, covering.activation)
        self.second = Neurons(
            -covering.mask_matrix().astype(np.float64),
            covering.bounds * covering.bound_unit,
            covering.activation,
        )
        self.is_relu = arrays.is_relu
        self.unit, self.cap, self.lowest = arrays.unit, arrays.cap, arrays.lowest
        self.register_buffer("seats", torch.from_numpy(arrays.seats))
        self.register_buffer("counted", torch.from_numpy(arrays.counted))
        self.register_buffer("divisors", _tensor(arrays.divisors * arrays.unit))

    def potential(self, X):
        """Return m - <u, Phi(x)> for each neuron of the second layer."""
        codes = self.first(X)
        if self.is_relu:  # rounded up to the unit; the gradient is that of the ReLU
            units = torch.clamp(codes.detach() / self.unit, max=self.cap)
            codes = torch.ceil(units) * self.unit + (codes - codes.detach())
        return self.second.potential(codes)

    def votes(self, X):
        """Return which classes fire, and their margins; (n_samples, n_classes) each."""
        potential = self.potential(X)
        nobody = potential.new_full((len(potential), 1), -torch.inf)
        by_class = torch.cat((potential, nobody), dim=1)[:, self.seats]
        largest = by_class.topk(self.counted.shape[1], dim=2).values
        sums = torch.where(self.counted, largest, 0.0).sum(dim=2)
        margins = torch.where(self.counted[:, 0], sums / self.divisors, self.lowest)
        return largest[:, :, 0] > 0, margins


class CoverModule(nn.Module):
    """Coverings side by side: `forward` of the network, or `vote` with `n_votes`."""

    def __init__(self, network: CoverNetwork, n_votes: int | None = None):
        super().__init__()
        self.n_votes = n_votes
        self.quorum = network.quorum
        calibration = network.calibration
        self.scale = None if calibration is None else calibration.scale
        offsets = None if calibration is None else _tensor(calibration.offsets)
        self.register_buffer("offsets", offsets)
        self.coverings = nn.ModuleList(
            _Cover(covering, n_votes or 1) for covering in network.coverings
        )
        if n_votes is None:
            third = network.layers[2]
            self.third = Neurons(third.weights, third.biases, third.activation)

    def forward(self, X):
        """Return the scores of the classes, (n_samples, n_classes)."""
        X = X.to(self.coverings[0].second.biases.dtype)
        if self.n_votes is not None:
            return self._vote(X)
        fires = [cover.second.activate(cover.potential(X)) for cover in self.coverings]
        return self.third(torch.cat(fires, dim=1))

    def _vote(self, X):
        """Return the scores by the rule that the docstring of `CoverNetwork` gives."""
        n_times, scores = 0, 0.0
        for cover in self.coverings:
            fires, margins = cover.votes(X)
            n_times, scores = n_times + fires.long(), scores + margins
        if self.offsets is not None:
            scores = scores * self.scale + self.offsets
        most, numbers = n_times.max(dim=1)
        alone = ((n_times > 0).sum(dim=1) == 1) & (most >= self.quorum)
        highest, leaders = scores.detach().max(dim=1)
        beaten = alone & (leaders != numbers)
        columns = torch.arange(scores.shape[1], device=scores.device)
        raised = beaten[:, None] & (columns == numbers[:, None])
        above = torch.nextafter(highest, torch.full_like(highest, torch.inf))
        # The value is raised; the gradient stays that of the margin.
        lifted = above[:, None] + (scores - scores.detach())
        return torch.where(raised, lifted, scores)


class LargestMarginModule(nn.Module):
    """The largest margin over all coverings of one class, (n_samples, 1)."""

    def __init__(self, network: CoverNetwork):
        super().__init__()
        self.coverings = nn.ModuleList(_Cover(part, 1) for part in network.coverings)

    def forward(self, X):
        """Return the margins."""
        X = X.to(self.coverings[0].second.biases.dtype)
        margins = [cover.votes(X)[1] for cover in self.coverings]
        return torch.stack(margins).amax(dim=0)


class ReadModule(nn.Module):
    """A score for each class, or targets, from the outputs that a `Reading` names."""

    def __init__(self, network: nn.Module, outputs, n_classes: int, rule: Rule):
        super().__init__()
        self.rule = rule
        self.network = network
        self.outputs = outputs
        self.n_classes = n_classes

    def forward(self, X):
        """Return the scores, (n_samples, n_classes), or the targets."""
        outputs = self.network(X)
        if self.outputs == "constant":
            return 0.0 * outputs
        if self.outputs == "difference":
            return torch.cat((-outputs / 2, outputs / 2), dim=1)
        if self.outputs == "levels":
            numbers = torch.arange(self.n_classes, device=outputs.device)
            positions = (outputs + 1.0) / 2.0 * (self.n_classes - 1)
            return -(positions - numbers).abs()
        return outputs

    def probabilities(self, X):
        """Return the probabilities of the classes, (n_samples, n_classes)."""
        if self.outputs == "targets":
            raise TypeError("a regressor has targets, and no probabilities of classes")
        scores = self(X)
        numbers = scores.argmax(dim=1, keepdim=True)
        return _shares(self._weights(scores, numbers), numbers)

    def _weights(self, scores, numbers):
        """Return positive weights by the rule; see `_estimator/_probabilities`."""
        if isinstance(self.rule, Softmax):
            least = LEAST_EXPONENT if scores.dtype == torch.float64 else -87.0
            largest = scores.max(dim=1, keepdim=True).values
            return torch.exp((self.rule.scale * (scores - largest)).clamp(min=least))
        return torch.ones_like(scores).scatter(1, numbers, 2.0)


class PipelineModule(nn.Module):
    """A network behind the steps of a pipeline that move and scale columns.

    `steps` are pairs of an operation and its numbers, one for each column: what
    scikit-learn computes, in its order, so that doubles come out the same.
    """

    _OPERATIONS = {
        "add": torch.add,
        "subtract": torch.sub,
        "multiply": torch.mul,
        "divide": torch.div,
        "at least": torch.maximum,
        "at most": torch.minimum,
        "in place of NaN": lambda X, numbers: torch.where(X.isnan(), numbers, X),
    }

    def __init__(self, steps, module: nn.Module):
        super().__init__()
        self.operations = [operation for operation, _ in steps]
        for place, (_, numbers) in enumerate(steps):
            self.register_buffer(f"numbers_{place}", _tensor(numbers))
        self.module = module

    def forward(self, X):
        """Return what the network says of the rows."""
        return self.module(self.transform(X))

    def probabilities(self, X):
        """Return the probabilities of the classes, (n_samples, n_classes)."""
        return self.module.probabilities(self.transform(X))

    def transform(self, X):
        """Return the rows as the network reads them."""
        for place, operation in enumerate(self.operations):
            numbers = getattr(self, f"numbers_{place}")
            X = self._OPERATIONS[operation](X.to(numbers.dtype), numbers)
        return X

    def extra_repr(self):
        """Say what is done to the columns."""
        return ", ".join(self.operations)


def _shares(weights, numbers):
    """Divide by the sum of each row; the predicted class leads, as in `shares`."""
    weights = torch.minimum(weights, weights.gather(1, numbers))
    parts = weights / weights.sum(dim=1, keepdim=True)
    most = parts.gather(1, numbers)
    lowered = torch.minimum(parts, most * (1.0 - torch.finfo(parts.dtype).eps / 2))
    columns = torch.arange(weights.shape[1], device=weights.device)
    return torch.where(columns < numbers, lowered, parts)


def _tensor(array) -> torch.Tensor:
    return torch.tensor(np.asarray(array, dtype=np.float64))
