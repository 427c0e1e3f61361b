"""Networks as nodes of an ONNX graph."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from onnx import TensorProto
from onnx.numpy_helper import from_array
from scipy import sparse

from .._estimator._probabilities import LEAST_EXPONENT, Rule, Softmax
from ..constructions.random_hyperplanes._hyperplane_layer import HyperplaneLayer
from ..constructions.random_hyperplanes._network import CoverNetwork
from ..kernels._memory import check_room
from ..network import Layer
from ._cover_arrays import CoverArrays, around_shift

_TYPES = {
    "float64": TensorProto.DOUBLE,
    "float32": TensorProto.FLOAT,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "uint8": TensorProto.UINT8,
    "bool": TensorProto.BOOL,
}
# Below this, the exponential has no full precision in single precision.
_LEAST_SINGLE_EXPONENT = -87.0
# Below the margin of every neuron.
_LOWEST_BOUND = -(2**30)


class Graph:
    """Writes nodes and constants into what skl2onnx hands to a converter.

    `real` ("float64" or "float32") is what real numbers are computed in.
    """

    def __init__(self, scope, container, real: str):
        self._scope = scope
        self._container = container
        self.real = np.dtype(real)

    def add(self, operation: str, *inputs: str, n_outputs: int = 1, **attributes):
        """Add a node; return the name of its output, or the names of several."""
        name = self._scope.get_unique_variable_name
        outputs = [name(f"{operation.lower()}_out") for _ in range(n_outputs)]
        self._container.add_node(
            operation,
            list(inputs),
            outputs,
            name=self._scope.get_unique_operator_name(operation),
            **attributes,
        )
        return outputs[0] if n_outputs == 1 else outputs

    def constant(self, array) -> str:
        """Return the name of a constant."""
        name = self._scope.get_unique_variable_name("constant")
        array = np.asarray(array, order="C")
        if array.dtype == object:
            texts = [str(text).encode() for text in array]
            self._container.add_initializer(
                name, TensorProto.STRING, array.shape, texts
            )
        else:
            tensor = from_array(array, name)
            self._container.add_initializer(name, tensor.data_type, None, tensor)
        return name

    def number(self, value) -> str:
        """Return the name of a real constant."""
        return self.constant(np.asarray(value, dtype=self.real))

    def cast(self, value: str, dtype) -> str:
        """Convert to another type."""
        return self.add("Cast", value, to=_TYPES[np.dtype(dtype).name])

    def sum(self, value: str, axis: int, keepdims: bool = False) -> str:
        """Sum over an axis."""
        axes = self.constant(np.array([axis]))
        return self.add("ReduceSum", value, axes, keepdims=int(keepdims))

    def largest(self, value: str, n_largest: int) -> list[str]:
        """Return the largest entries of the last axis, and where the first ones are."""
        size = self.constant(np.array([n_largest]))
        return self.add("TopK", value, size, n_outputs=2, axis=-1)

    def affine(self, X: str, weights, biases) -> str:
        """Return `X @ weights.T + biases`."""
        if sparse.issparse(weights):
            check_room(8 * math.prod(weights.shape), "The weights of a dense layer")
            weights = weights.toarray()
        product = self.add("MatMul", X, self.number(weights.T))
        return self.add("Add", product, self.number(biases))

    def layer(self, X: str, layer: Layer) -> str:
        """Evaluate a layer."""
        potential = self.affine(X, layer.weights, layer.biases)
        if layer.activation == "threshold":
            return self.cast(self.is_positive(potential), self.real)
        return self.relu(potential) if layer.activation == "relu" else potential

    def layers(self, X: str, stages) -> str:
        """Evaluate layers, or hyperplanes with thresholds, one after the other."""
        for stage in stages:
            if isinstance(stage, HyperplaneLayer):
                X = self.cast(self.is_positive(self.potential(X, stage)), self.real)
            else:
                X = self.layer(X, stage)
        return X

    def is_positive(self, value: str) -> str:
        """Return [value > 0]."""
        return self.add("Greater", value, self.number(0.0))

    def relu(self, value: str) -> str:
        """Return max(value, 0)."""
        return self.add("Relu", value)

    def potential(self, X: str, hyperplanes: HyperplaneLayer) -> str:
        """Return `<w, x> + b` for each hyperplane."""
        layer, shift = around_shift(hyperplanes, "threshold")
        points = X if shift is None else self.add("Sub", X, self.number(shift))
        weights: Any = layer.weights
        if sparse.issparse(weights):  # features that they do not look at are left out
            used = np.unique(weights.indices)
            points = self.add("Gather", points, self.constant(used), axis=1)
            weights = weights[:, used]
        potential = self.affine(points, weights, layer.biases)
        axis = hyperplanes.axis
        if len(axis) == 0:
            return potential
        # Comparisons with the thresholds: the sign of a difference is exact.
        features = self.constant(axis.features.astype(np.int64))
        values = self.add("Gather", X, features, axis=1)
        distances = self.add("Sub", values, self.number(axis.thresholds))
        scaled = self.add("Mul", distances, self.number(axis.weights))
        return self.add("Concat", potential, scaled, axis=1)

    def cells(self, X: str, layers, labels) -> str:
        """Score the classes by the cells of a nearby set, written out."""
        hyperplanes, cells = layers[0], layers[1]
        terms = self.layer(X, hyperplanes)
        terms = self.add("Mul", terms, self.number(cells.weights.data))
        scores, first, start = [], 0, 0
        for n_cells in np.bincount(labels).tolist():
            n_rivals = len(labels) - n_cells
            stop = start + n_cells * n_rivals
            bounds = [self.constant(np.array([end])) for end in (start, stop, 1)]
            part = self.add("Slice", terms, *bounds)
            shape = self.constant(np.array([0, n_cells, n_rivals]))
            values = self.sum(self.add("Reshape", part, shape), 2)
            biases = self.number(cells.biases[first : first + n_cells])
            values = self.add("Add", values, biases)
            largest = self.largest(values, 1)[0]
            total = self.sum(self.relu(values), 1, keepdims=True)
            inside = self.is_positive(largest)
            scores.append(self.add("Where", inside, total, largest))
            first, start = first + n_cells, stop
        return self.add("Concat", *scores, axis=1)

    def cover(self, X: str, arrays: CoverArrays) -> tuple[str, str]:
        """Return which classes fire (int32) and their margins, for one covering."""
        margins = self._neuron_margins(X, arrays)
        seats = self.constant(arrays.seats)
        by_class = self.add("Gather", margins, seats, axis=1)
        largest = self.largest(by_class, arrays.counted.shape[1])[0]
        number = self.real if arrays.is_relu else np.dtype(np.int32)
        zero = self.constant(np.zeros((), dtype=number))
        counted = self.constant(arrays.counted)
        sums = self.sum(self.add("Where", counted, largest, zero), 2)
        quotients = self.add(
            "Div", self.cast(sums, self.real), self.number(arrays.divisors)
        )
        scores = self.add(
            "Where",
            self.constant(arrays.counted[:, 0]),
            quotients,
            self.number(arrays.lowest),
        )
        best = self.add("Gather", largest, self.constant(np.int64(0)), axis=2)
        fires = self.cast(self.add("Greater", best, zero), np.int32)
        return fires, scores

    def _neuron_margins(self, X: str, arrays: CoverArrays) -> str:
        """Return m - <u, Phi(x)>, in integers or units, and a last one below all."""
        covering = arrays.covering
        masks = covering.mask_matrix()
        masks = np.vstack([masks, np.zeros((1, masks.shape[1]), dtype=bool)])
        potential = self.potential(X, covering.hyperplanes)
        if not arrays.is_relu:
            codes = self.cast(self.is_positive(potential), np.uint8)
            weights = self.constant(masks.T.astype(np.uint8))
            counts = self.add("MatMulInteger", codes, weights)
            bounds = np.append(covering.bounds, _LOWEST_BOUND).astype(np.int32)
            return self.add("Sub", self.constant(bounds), counts)
        # Rounded up to the unit; all that follows is a sum of integers below 2**53.
        units = self.add("Mul", self.relu(potential), self.number(1.0 / arrays.unit))
        codes = self.add("Min", self.add("Ceil", units), self.number(arrays.cap))
        counts = self.add("MatMul", codes, self.number(masks.T))
        bounds = np.append(covering.bounds.astype(np.float64), -np.inf)
        return self.add("Sub", self.number(bounds), counts)

    def vote(self, fires, margins, network: CoverNetwork) -> str:
        """Add up margins; raise the score of a class that fires alone above all.

        The rule is that of `CoverNetwork`, whose docstring gives the reason.
        """
        scores, quorum, n_classes = (
            self._total(margins),
            network.quorum,
            network.widths[2],
        )
        if network.calibration is not None:
            scale, offsets = network.calibration.scale, network.calibration.offsets
            scores = self.add("Mul", scores, self.number(scale))
            scores = self.add("Add", scores, self.number(offsets))
        n_times = self._total(fires)
        most, numbers = self.largest(n_times, 1)
        zero, one = (self.constant(np.int32(value)) for value in (0, 1))
        firing = self.cast(self.add("Greater", n_times, zero), np.int32)
        n_firing = self.sum(firing, 1, keepdims=True)
        alone = self.add("Equal", n_firing, one)
        enough = self.add("Greater", most, self.constant(np.int32(quorum - 1)))
        highest, leaders = self.largest(scores, 1)
        beaten = self.add("Not", self.add("Equal", leaders, numbers))
        beaten = self.add("And", beaten, self.add("And", alone, enough))
        columns = self.constant(np.arange(n_classes, dtype=np.int64))
        chosen = self.add("And", beaten, self.add("Equal", columns, numbers))
        return self.add("Where", chosen, self._next_after(highest), scores)

    def probabilities(self, scores: str, numbers: str, rule: Rule, n_classes: int):
        """Return the shares of the classes by a rule; see `_estimator/_probabilities`.

        The predicted classes are `numbers`, of shape (n_samples, 1).
        """
        columns = self.constant(np.arange(n_classes, dtype=np.int64))
        if isinstance(rule, Softmax):
            weights = self._softmax_weights(scores, rule.scale)
        else:
            predicted = self.add("Equal", columns, numbers)
            weights = self.add("Where", predicted, self.number(2.0), self.number(1.0))
        return self._shares(weights, numbers, columns)

    def _softmax_weights(self, scores: str, scale: float) -> str:
        single = self.real == np.float32
        least = _LEAST_SINGLE_EXPONENT if single else LEAST_EXPONENT
        largest = self.largest(scores, 1)[0]
        exponents = self.add("Sub", scores, largest)
        exponents = self.add("Mul", exponents, self.number(scale))
        return self.add("Exp", self.add("Max", exponents, self.number(least)))

    def _shares(self, weights: str, numbers: str, columns: str) -> str:
        """Divide by the sum of each row; the predicted class leads, as in `shares`."""
        most = self.add("GatherElements", weights, numbers, axis=1)
        weights = self.add("Min", weights, most)
        parts = self.add("Div", weights, self.sum(weights, 1, keepdims=True))
        most = self.add("GatherElements", parts, numbers, axis=1)
        # x - (epsilon / 2) x, rounded, is the next smaller number than x.
        step = self.add("Mul", most, self.number(np.finfo(self.real).epsneg))
        lowered = self.add("Min", parts, self.add("Sub", most, step))
        return self.add("Where", self.add("Less", columns, numbers), lowered, parts)

    def _total(self, parts: list[str]) -> str:
        """Add in order: the rounded sum depends on it."""
        total = parts[0]
        for part in parts[1:]:
            total = self.add("Add", total, part)
        return total

    def _next_after(self, value: str) -> str:
        """Return the next larger number: value + (u (1 + 2 u) |value| + tiny), rounded.

        S. M. Rump, P. Zimmermann, S. Boldo, G. Melquiond, "Computing predecessor and
        successor in rounding to nearest", BIT 49, 2009; u is half the epsilon. After 0
        comes 2**-126: lesser numbers are rounded to single precision, and taken for 0,
        where onnxruntime looks for additions that can be left out.
        """
        unit = np.finfo(self.real).epsneg
        factor, tiny = unit * (1 + 2 * unit), 2.0**-126
        step = self.add("Mul", self.add("Abs", value), self.number(factor))
        return self.add("Add", value, self.add("Add", step, self.number(tiny)))
