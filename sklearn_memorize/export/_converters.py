"""The converters that skl2onnx calls: what they declare, and what they compute."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx._parse import _apply_zipmap
from skl2onnx._supported_operators import get_model_alias
from skl2onnx.common.data_types import (
    BooleanTensorType,
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from sklearn.base import is_classifier, is_regressor

from ..constructions.nearby_set._construction import NearbySetNetwork
from ..constructions.random_hyperplanes._estimator import MemorizingClassifier
from ..constructions.random_hyperplanes._transformer import RandomThresholdTransformer
from ..network import SelectedColumns
from ._cover_arrays import CoverArrays
from ._graph import Graph
from ._reading import Reading

_DTYPES = {DoubleTensorType: np.float64, FloatTensorType: np.float32}


def parse(scope, model, inputs, custom_parsers=None):
    """Declare the outputs of an estimator; skl2onnx calls this a parser."""
    operator = scope.declare_local_operator(get_model_alias(type(model)), model)
    operator.inputs = inputs
    real = _type_of_reals(scope, model)
    if not is_classifier(model):
        operator.outputs.append(scope.declare_local_variable("variable", real()))
        return operator.outputs
    options = scope.get_options(model, {"zipmap": True, "raw_scores": False})
    operator.labels_are_keys = options["zipmap"] is not False
    label, _ = _labels(model.classes_, operator.labels_are_keys)
    # ONNX has maps of single precision only.
    numbers = FloatTensorType if options["zipmap"] is True else real
    second = "scores" if options["raw_scores"] else "probabilities"
    for name, kind in (("label", label), (second, numbers)):
        operator.outputs.append(scope.declare_local_variable(name, kind()))
    if options["zipmap"] is False:
        return operator.outputs
    return _apply_zipmap(
        options["zipmap"], scope, model, inputs[0].type, operator.outputs
    )


def set_types(operator) -> None:
    """Set the shapes of the outputs of an estimator, and the type of its labels."""
    model = operator.raw_operator
    n_rows = operator.inputs[0].get_first_dimension()
    if is_classifier(model):
        width = len(model.classes_)
        label, _ = _labels(model.classes_, _labels_are_keys(operator))
        operator.outputs[0].set_type(label([n_rows]))
    elif is_regressor(model):
        width = model.n_outputs_
    else:
        width = model.hyperplanes_.n_hyperplanes
    operator.outputs[-1].type.shape = [n_rows, width]


def convert(scope, operator, container) -> None:
    """Write the nodes of an estimator."""
    model = operator.raw_operator
    is_single = _type_of_reals(container, model) is FloatTensorType
    graph = Graph(scope, container, "float32" if is_single else "float64")
    parts = [graph.cast(part.full_name, graph.real) for part in operator.inputs]
    X = parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=1)
    if isinstance(model, RandomThresholdTransformer):
        outputs = [graph.layers(X, [model.hyperplanes_])]
    elif is_regressor(model):
        outputs = [_outputs(graph, X, Reading.of(model))]
    else:
        raw = container.get_options(model, {"raw_scores": False})["raw_scores"]
        _, labels = _labels(model.classes_, _labels_are_keys(operator))
        outputs = _answers(graph, X, model, labels, raw)
    # Meta-estimators declare the outputs themselves, in the precision of the input.
    outputs[-1] = graph.cast(outputs[-1], _DTYPES[type(operator.outputs[-1].type)])
    for value, output in zip(outputs, operator.outputs, strict=True):
        container.add_node(
            "Identity",
            [value],
            [output.full_name],
            name=scope.get_unique_operator_name("Identity"),
        )


def _labels_are_keys(operator) -> bool:
    """Return whether labels become keys of maps; not so within meta-estimators."""
    return getattr(operator, "labels_are_keys", False)


def _answers(graph: Graph, X: str, model, labels, raw_scores: bool) -> list[str]:
    """Return the labels, and the probabilities or scores, of a classifier."""
    reading = Reading.of(model)
    scores = _scores(graph, _outputs(graph, X, reading), reading)
    numbers = graph.add("ArgMax", scores, axis=1, keepdims=1)
    flat = graph.add("Reshape", numbers, graph.constant(np.array([-1])))
    label = graph.add("Gather", graph.constant(labels), flat)
    if not raw_scores:
        rule, n_classes = reading.rule, reading.n_classes
        return [label, graph.probabilities(scores, numbers, rule, n_classes)]
    if reading.n_classes != 2:
        return [label, scores]
    # As skl2onnx has it: minus the decision function, and the decision function.
    first, second = (
        graph.add("Gather", scores, graph.constant(np.array([k])), axis=1)
        for k in (0, 1)
    )
    decision = graph.add("Sub", second, first)
    return [label, graph.add("Concat", graph.add("Neg", decision), decision, axis=1)]


def _type_of_reals(options, model):
    """Return the type of what is computed, given what knows the options."""
    if not options.get_options(model, {"single_precision": False})["single_precision"]:
        return DoubleTensorType
    _check_single(model)
    return FloatTensorType


def _check_single(model) -> None:
    if isinstance(model, RandomThresholdTransformer):
        return
    if not isinstance(model, MemorizingClassifier) or model.activation != "threshold":
        raise ValueError(
            "single_precision=True is for MemorizingClassifier(activation='threshold') "
            f"and RandomThresholdTransformer; {type(model).__name__} adds up numbers "
            "that need double precision. Set single_precision=False."
        )


def check_integers(labels) -> None:
    """Raise a ValueError if whole numbers have more bits than those of ONNX."""
    labels = np.asarray(labels)
    if labels.dtype.kind in "uf" and labels.size and int(labels.max()) >= 2**63:
        raise ValueError(
            f"the label {labels.max()} is not below 2**63, and labels in ONNX are "
            "signed integers of 64 bits; use smaller ones, or strings."
        )


def _labels(classes: np.ndarray, are_keys: bool = False):
    """Return the type of the labels in ONNX, and the labels as such.

    Keys of maps are texts or integers; skl2onnx refuses real numbers that are none.
    """
    kind = classes.dtype.kind
    if kind in "iu" or (are_keys and kind in "bf"):
        check_integers(classes)
        return Int64TensorType, classes.astype(np.int64)
    if kind == "b":
        return BooleanTensorType, classes
    if kind == "f":
        return DoubleTensorType, classes.astype(np.float64)
    if all(isinstance(label, str) for label in classes):
        return StringTensorType, classes.astype(object)
    raise ValueError(
        f"labels of type {classes.dtype} have no counterpart in ONNX; use strings, "
        "integers, real numbers or booleans."
    )


def _outputs(graph: Graph, X: str, reading: Reading) -> str:
    """Evaluate the network."""
    network = reading.network
    if isinstance(network, SelectedColumns):
        X = graph.add("Gather", X, graph.constant(network.columns), axis=1)
        network = network.network
    if reading.has_coverings:
        return _covers(graph, X, reading)
    if isinstance(network, NearbySetNetwork):
        return graph.cells(X, network.layers, network.center_labels)
    return graph.layers(X, network._stages)


def _covers(graph: Graph, X: str, reading: Reading) -> str:
    network: Any = reading.network  # a CoverNetwork
    n_votes = reading.n_votes or 1
    arrays = [CoverArrays(covering, n_votes) for covering in network.coverings]
    fires, margins = zip(*(graph.cover(X, part) for part in arrays), strict=True)
    if reading.is_one_sided:
        return margins[0] if len(margins) == 1 else graph.add("Max", *margins)
    if reading.n_votes is None:
        any_fires = graph.add("Max", *fires) if len(fires) > 1 else fires[0]
        return graph.cast(any_fires, graph.real)
    return graph.vote(fires, margins, network)


def _scores(graph: Graph, outputs: str, reading: Reading) -> str:
    """Return one score for each class, the largest one for the predicted class."""
    if reading.outputs == "constant":
        return graph.add("Mul", outputs, graph.number(0.0))
    if reading.outputs == "difference":
        half = graph.add("Mul", outputs, graph.number(0.5))
        return graph.add("Concat", graph.add("Neg", half), half, axis=1)
    if reading.outputs == "levels":
        # (output + 1) / 2 * (n - 1), rounded as in `predict`
        positions = graph.add("Add", outputs, graph.number(1.0))
        positions = graph.add("Div", positions, graph.number(2.0))
        highest = graph.number(reading.n_classes - 1.0)
        positions = graph.add("Mul", positions, highest)
        numbers = graph.number(np.arange(reading.n_classes))
        distances = graph.add("Abs", graph.add("Sub", positions, numbers))
        return graph.add("Neg", distances)
    return outputs
