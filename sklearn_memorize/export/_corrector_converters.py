"""Converters of corrected models: the model as skl2onnx converts it, and corrections.

The parser has skl2onnx convert the model and the transformer, whose outputs the
corrector takes as inputs: labels, probabilities where there are any, and the view.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx._parse import _apply_zipmap, _parse_sklearn
from skl2onnx._supported_operators import get_model_alias
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from sklearn.base import is_classifier
from sklearn.frozen import FrozenEstimator

from ..applications import MemorizingCorrector, MemorizingCorrectorRegressor
from ..kernels._memory import check_room
from ._converters import _DTYPES, _labels
from ._cover_arrays import CoverArrays
from ._graph import Graph


def parse(scope, model, inputs, custom_parsers=None):
    """Declare the outputs of a corrector, and convert what it is made of."""
    base, transformer = _thawed(model.estimator_), _thawed(model.transformer_)
    if is_classifier(model):
        scope.add_options(id(base), {"zipmap": False})
    said = _parse_sklearn(scope, base, inputs, custom_parsers=custom_parsers)
    view = inputs
    if transformer is not None:
        view = _parse_sklearn(scope, transformer, inputs, custom_parsers=custom_parsers)
    operator = scope.declare_local_operator(get_model_alias(type(model)), model)
    if not is_classifier(model):
        operator.inputs = [said[0], *view]
        operator.outputs.append(
            scope.declare_local_variable("variable", DoubleTensorType())
        )
        return operator.outputs
    n_said = 2 if hasattr(model, "predict_proba") else 1
    operator.inputs = [*said[:n_said], *view]
    label, _ = _labels(model.classes_)
    operator.outputs.append(scope.declare_local_variable("label", label()))
    if n_said == 1:
        return operator.outputs
    zipmap = scope.get_options(model, {"zipmap": True})["zipmap"]
    numbers = FloatTensorType if zipmap is True else DoubleTensorType
    operator.outputs.append(scope.declare_local_variable("probabilities", numbers()))
    if zipmap is False:
        return operator.outputs
    return _apply_zipmap(zipmap, scope, model, inputs[0].type, operator.outputs)


def _thawed(estimator):
    while isinstance(estimator, FrozenEstimator):
        estimator = estimator.estimator
    return estimator


def set_types(operator) -> None:
    """Set the shapes of the outputs of a corrector."""
    model = operator.raw_operator
    n_rows = operator.inputs[0].get_first_dimension()
    if not is_classifier(model):
        operator.outputs[0].type.shape = [n_rows, 1]
        return
    label, _ = _labels(model.classes_)
    operator.outputs[0].set_type(label([n_rows]))
    if len(operator.outputs) > 1:
        operator.outputs[1].type.shape = [n_rows, len(model.classes_)]


def convert(scope, operator, container) -> None:
    """Write the nodes of a corrector."""
    model = operator.raw_operator
    graph = Graph(scope, container, "float64")
    n_said = len(operator.outputs)
    said = [part.full_name for part in operator.inputs[:n_said]]
    parts = [graph.cast(p.full_name, graph.real) for p in operator.inputs[n_said:]]
    view = parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=1)
    if is_classifier(model):
        outputs = _classified(graph, model, view, said)
    else:
        outputs = [_predicted(graph, model, view, said[0])]
    if n_said > 1:
        dtype = _DTYPES[type(operator.outputs[1].type)]
        outputs[1] = graph.cast(outputs[1], dtype)
    for value, output in zip(outputs, operator.outputs, strict=True):
        container.add_node(
            "Identity",
            [value],
            [output.full_name],
            name=scope.get_unique_operator_name("Identity"),
        )


def _classified(
    graph: Graph, model: MemorizingCorrector, view: str, said: list[str]
) -> list[str]:
    """Return the labels, and the probabilities if the model has any."""
    verdicts = _verdicts(graph, view, model.network_)
    acts = graph.add("Greater", verdicts, graph.constant(np.int64(0)))
    numbers = graph.add("Sub", verdicts, graph.constant(np.int64(1)))
    numbers = graph.add("Max", numbers, graph.constant(np.int64(0)))
    _, labels = _labels(model.classes_)
    right = graph.add("Gather", graph.constant(labels), numbers)
    flat = graph.add("Reshape", said[0], graph.constant(np.array([-1])))
    if labels.dtype.kind != "O":
        flat = graph.cast(flat, labels.dtype)
    label = graph.add("Where", acts, right, flat)
    if len(said) == 1:
        return [label]
    shares = graph.cast(said[1], graph.real)
    places = np.searchsorted(model.classes_, model.estimator_.classes_)
    columns = np.full(len(model.classes_), len(places), dtype=np.int64)
    columns[places] = np.arange(len(places))
    # A class that the model does not know has the probability 0.
    zeros = graph.add("Mul", graph.sum(shares, 1, keepdims=True), graph.number(0.0))
    whole = graph.add("Concat", shares, zeros, axis=1)
    whole = graph.add("Gather", whole, graph.constant(columns), axis=1)
    leaders, act = (
        graph.add("Unsqueeze", part, graph.constant(np.array([1])))
        for part in (numbers, acts)
    )
    swapped = _swapped(graph, whole, leaders, len(model.classes_))
    return [label, graph.add("Where", act, swapped, whole)]


def _verdicts(graph: Graph, view: str, network: Any) -> str:
    """Return the verdict with which the network acts, or 0; see `_memory`."""
    fires = [graph.cover(view, CoverArrays(c, 1))[0] for c in network.coverings]
    n_times = fires[0]
    for part in fires[1:]:
        n_times = graph.add("Add", n_times, part)
    zero, one = (graph.constant(np.int32(value)) for value in (0, 1))
    firing = graph.cast(graph.add("Greater", n_times, zero), np.int32)
    alone = graph.add("Equal", graph.sum(firing, 1), one)
    most = graph.add("ReduceMax", n_times, graph.constant(np.array([1])), keepdims=0)
    enough = graph.add("Greater", most, graph.constant(np.int32(network.quorum - 1)))
    winners = graph.add("ArgMax", n_times, axis=1, keepdims=0)
    acts = graph.add("And", alone, enough)
    return graph.add("Where", acts, winners, graph.constant(np.int64(0)))


def _swapped(graph: Graph, values: str, leaders: str, n_columns: int) -> str:
    """Let the largest value of a row, and that of its leader, change places.

    Values that are as large and come first are lowered, by a step of single precision,
    so that the leader is found also if they are rounded to that.
    """
    largest, most = graph.largest(values, 1)
    theirs = graph.add("GatherElements", values, leaders, axis=1)
    columns = graph.constant(np.arange(n_columns, dtype=np.int64))
    step = graph.add("Mul", largest, graph.number(np.finfo(np.float32).eps))
    equal = graph.add("Not", graph.add("Less", values, largest))
    rival = graph.add("And", equal, graph.add("Less", columns, leaders))
    lowered = graph.add("Where", rival, graph.add("Sub", largest, step), values)
    is_most = graph.add("Equal", columns, most)
    moved = graph.add("Where", is_most, theirs, lowered)
    is_leader = graph.add("Equal", columns, leaders)
    return graph.add("Where", is_leader, largest, moved)


def _predicted(
    graph: Graph, model: MemorizingCorrectorRegressor, view: str, said: str
) -> str:
    """Return the targets; the reaches of corrections do not meet."""
    said = graph.cast(said, graph.real)
    said = graph.add("Reshape", said, graph.constant(np.array([-1, 1])))
    found = model.corrections_
    if not len(found.case):
        return said
    points = model._reaches.points[model._reaches.corrects]
    check_room(8 * points.size, "The known cases in a graph")
    places = graph.add("Unsqueeze", view, graph.constant(np.array([1])))
    apart = graph.add("Abs", graph.add("Sub", places, graph.number(points)))
    apart = graph.add("ReduceMax", apart, graph.constant(np.array([2])), keepdims=0)
    here = graph.add("Equal", apart, graph.number(0.0))
    near = graph.add("Or", here, graph.add("Less", apart, graph.number(found.reach)))
    acts = graph.cast(near, graph.real)
    nearest = graph.add("ArgMax", acts, axis=1, keepdims=1)
    shift = graph.add("Gather", graph.number(found.shift), nearest)
    target = graph.add("Gather", graph.number(found.target), nearest)
    at_case = graph.is_positive(_over_cases(graph, graph.cast(here, graph.real)))
    is_near = graph.is_positive(_over_cases(graph, acts))
    moved = graph.add("Where", at_case, target, graph.add("Add", said, shift))
    return graph.add("Where", is_near, moved, said)


def _over_cases(graph: Graph, value: str) -> str:
    return graph.add("ReduceMax", value, graph.constant(np.array([1])), keepdims=1)
