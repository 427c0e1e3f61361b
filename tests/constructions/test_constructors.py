"""Constructors accept what fits together, and refuse it once one argument does not."""

import numpy as np
import pytest

from sklearn_memorize.constructions.bit_extraction._chains import ChainShape
from sklearn_memorize.constructions.bit_extraction._chains_network import (
    ChainedKeys,
    ChainsNetwork,
    LabelStepsNetwork,
)
from sklearn_memorize.constructions.bit_extraction._network import Line, PackedKeys
from sklearn_memorize.constructions.consistent._interpolant import (
    Interpolant,
    Labels,
    Targets,
)
from sklearn_memorize.constructions.deep_threshold._network import DeepThresholdNetwork
from sklearn_memorize.constructions.narrow._network import NarrowNetwork, Pieces
from sklearn_memorize.constructions.nearby_set._network import NearbySetNetwork
from sklearn_memorize.constructions.random_hyperplanes._hyperplane_layer import (
    HyperplaneLayer,
)
from sklearn_memorize.constructions.random_hyperplanes._network import (
    Covering,
    CoverNetwork,
)
from sklearn_memorize.constructions.random_relu._network import Separator
from sklearn_memorize.constructions.residual._network import (
    Hats,
    ResidualNetwork,
    Steps,
)
from sklearn_memorize.constructions.robust._network import NearestCenterNetwork
from sklearn_memorize.constructions.slabs._network import (
    Ramp,
    RampNetwork,
    Slab,
    Tips,
)
from sklearn_memorize.constructions.small_relu._network import (
    LineFunction,
    SmallReLUNetwork,
)
from sklearn_memorize.constructions.spiked_relu._network import (
    SmoothPart,
    SpikedNetwork,
    Spikes,
)
from sklearn_memorize.exact._distances import Scaling
from sklearn_memorize.network import Layer, LayeredNetwork
from sklearn_memorize.network._storage import require_shape, storable


def hyperplanes(n_hyperplanes, n_features):
    directions = np.ones((n_hyperplanes, n_features), dtype=np.float32)
    return HyperplaneLayer(directions, np.zeros(n_hyperplanes), 0)


def line_function(n_anchors, n_outputs):
    values = np.zeros((n_anchors, n_outputs))
    return LineFunction(np.arange(n_anchors), values, values, np.zeros(n_anchors - 1))


def covering(n_features=3, n_classes=3, activation="threshold"):
    return Covering(
        hyperplanes(70, n_features),
        activation,
        np.zeros((5, 2), dtype=np.uint64),
        np.arange(5),
        np.linspace(0, 5, n_classes + 1).astype(int),
    )


def masks_with_bit(bit):
    masks = np.zeros((5, 2), dtype=np.uint64)
    masks[2, 1] = 1 << (bit - 64)
    return masks


LINE = Line(np.ones(2), 3, 1, 2)


def chained_keys(n_groups=3, n_chains=2):
    return ChainedKeys(
        np.arange(6),
        np.linspace(0, 6, n_groups + 1).astype(int),
        np.arange(n_groups - 1),
        np.zeros((n_groups, n_chains), dtype=object),
    )


SPIKES = {
    "direction": np.ones(3),
    "anchors": np.arange(4.0),
    "widths": np.full(4, 0.1),
    "smooth": np.ones((4, 2)),
    "targets": np.arange(8.0).reshape(4, 2),
}
SMOOTH_PART = {
    "directions": np.ones((5, 3)),
    "biases": np.ones(5),
    "coefficients": np.ones((2, 5)),
    "intercepts": np.ones(2),
}
RAMP = {
    "normal": np.ones(3),
    "lower": 0.0,
    "upper": 1.0,
    "slopes": np.ones((2, 3)),
    "constants": np.ones(2),
    "deltas": np.ones(2),
}
TIPS = {
    "direction": np.ones(3),
    "positions": np.arange(4.0),
    "slabs": np.zeros(4, dtype=int),
    "targets": np.ones((4, 2)),
}
HATS = Hats(np.ones((4, 3)), np.ones((4, 4)), np.ones(4))
STEPS = Steps(np.array([[0.0, 1.0]]), np.arange(2))
CIRCUIT = LayeredNetwork([Layer(np.ones((2, 7)), np.zeros(2), "threshold")])
LAYERS = [Layer(np.ones((2, 3)), np.zeros(2), "relu")]

# What is made, of what, and what is refused in the place of each argument.
PARTS = {
    Layer: (
        {"weights": np.ones((2, 3)), "biases": np.ones(2), "activation": "relu"},
        {
            "weights": [np.ones(2), np.ones((2, 3, 1)), np.ones((2, 3)) * 1j],
            "biases": [np.ones((2, 1)), np.array(["a", "b"]), np.ones(3)],
            "activation": ["tanh", None],
        },
    ),
    HyperplaneLayer: (
        {
            "directions": np.ones((4, 2)),
            "scaled_biases": np.ones(4),
            "exponent": 3,
            "shift": np.ones(2),
        },
        {
            "directions": [np.ones(4), np.ones((3, 2)), np.full((4, 2), np.nan)],
            "scaled_biases": [np.ones(5), np.ones((4, 1)), np.full(4, np.inf)],
            "exponent": [1.5, "3", None],
            "shift": [np.ones(1), np.ones(3), np.full(2, np.nan)],
        },
    ),
    Covering: (
        {
            "hyperplanes": hyperplanes(70, 3),
            "activation": "threshold",
            "masks": masks_with_bit(69),
            "bounds": np.arange(5),
            "starts": np.array([0, 2, 2, 5]),
        },
        {
            "activation": ["identity"],
            "masks": [
                masks_with_bit(70),
                masks_with_bit(69)[:4],
                masks_with_bit(69)[:, :1],
                masks_with_bit(69).astype(np.int64),
            ],
            "bounds": [
                np.arange(4),
                np.arange(6),
                np.arange(5.0),
                np.ones((5, 1), int),
            ],
            "starts": [
                np.array([0]),
                np.array([1, 2, 2, 5]),
                np.array([0, 3, 2, 5]),
                np.array([0, 2, 2, 4]),
                np.array([0.0, 2.0, 2.0, 5.0]),
            ],
        },
    ),
    CoverNetwork: (
        {"coverings": [covering(), covering()], "quorum": 2},
        {
            "coverings": [
                [],
                [covering(), covering(n_features=4)],
                [covering(), covering(n_classes=2)],
                [covering(), covering(activation="relu")],
            ],
            "quorum": [0, 3],
        },
    ),
    LineFunction: (
        {
            "anchors": np.arange(4),
            "values": np.ones((4, 2)),
            "slopes": np.ones((4, 2)),
            "borders": np.ones(3),
        },
        {
            "anchors": [np.arange(3), np.ones((4, 1))],
            "values": [np.ones((3, 2)), np.ones((4, 1)), np.ones(4)],
            "slopes": [np.ones((3, 2)), np.ones((4, 1)), np.ones(4)],
            "borders": [np.ones(4), np.ones((3, 1))],
        },
    ),
    SmallReLUNetwork: (
        {
            "layers": LAYERS,
            "direction": np.ones(3),
            "function": line_function(4, 2),
            "offset": np.ones(2),
            "scale": np.ones(2),
        },
        {
            "direction": [np.ones(2), np.ones(4), np.ones((3, 1))],
            "function": [line_function(4, 1), line_function(4, 3)],
            "offset": [np.ones(1), np.ones(3)],
            "scale": [np.ones(1), np.ones(3)],
        },
    ),
    Line: (
        {"direction": np.ones(2), "multiplier": 3, "exponent": 1, "shift": 2},
        {"direction": [1.0, np.ones((2, 1))]},
    ),
    PackedKeys: (
        {
            "keys": np.arange(6),
            "packed": np.arange(3),
            "starts": np.array([0, 1, 4, 6]),
            "borders": np.arange(2),
        },
        {
            "keys": [np.arange(5), np.arange(7), np.ones((6, 1))],
            "packed": [np.arange(2), np.arange(4)],
            "starts": [np.array([0, 1, 6]), np.array([0, 1, 4, 5, 6])],
            "borders": [np.arange(1), np.arange(3)],
        },
    ),
    ChainShape: (
        {
            "n_groups": 4,
            "n_chains": 2,
            "chain_size": 2,
            "first_bits": 9,
            "difference_bits": 3,
            "n_classes": 2,
            "n_border_layers": 3,
        },
        {
            "n_groups": [3],
            "n_chains": [0, -1],
            "chain_size": [-1, 0],
            "n_border_layers": [0, 4],
        },
    ),
    ChainedKeys: (
        {
            "keys": np.arange(6),
            "packed": np.zeros((3, 2), dtype=object),
            "starts": np.array([0, 1, 4, 6]),
            "borders": np.arange(2),
        },
        {
            "keys": [np.arange(5), np.ones((6, 1))],
            "packed": [np.zeros((2, 2)), np.zeros(3)],
            "starts": [np.array([0, 1, 6]), np.array([0, 1, 4, 5])],
            "borders": [np.arange(1), np.arange(3)],
        },
    ),
    ChainsNetwork: (
        {
            "line": LINE,
            "shape": ChainShape(3, 2, 1, 4, 0, 2),
            "memory": chained_keys(),
        },
        {
            "shape": [ChainShape(3, 1, 0, 4, 0, 2), ChainShape(2, 2, 1, 4, 0, 2)],
            "memory": [chained_keys(n_groups=2), chained_keys(n_chains=1)],
        },
    ),
    LabelStepsNetwork: (
        {
            "line": LINE,
            "shape": ChainShape(3, 1, 0, 4, 0, 2),
            "borders": np.arange(2),
            "values": np.arange(3),
        },
        {
            "shape": [ChainShape(3, 1, 1, 4, 0, 2), ChainShape(2, 1, 0, 4, 0, 2)],
            "borders": [np.arange(1), np.arange(3)],
            "values": [np.arange(2), np.ones((3, 1))],
        },
    ),
    Pieces: (
        {"knees": np.arange(3), "slopes": np.array([3, 1, 0]), "n_bits": 2},
        {
            "knees": [np.arange(2), np.arange(1, 4), np.arange(0)],
            "slopes": [
                np.array([3, 0]),
                np.ones((3, 1)),
                np.array([3, -1, 0]),
                np.array([3, 1, 2]),
            ],
        },
    ),
    NarrowNetwork: (
        {
            "line": LINE,
            "pieces": Pieces(np.array([0, 9, 20]), np.array([4, 4, 0]), 2),
            "n_classes": 2,
            "n_folds": 4,
        },
        {"n_folds": [0, -1, 3]},
    ),
    Hats: (
        {"normals": np.ones((4, 3)), "corners": np.ones((4, 4)), "pushes": np.ones(4)},
        {
            "normals": [np.ones(4), np.ones((3, 3))],
            "corners": [np.ones((4, 3)), np.ones((3, 4))],
            "pushes": [np.ones(3), np.ones((4, 1))],
        },
    ),
    Steps: (
        {"edges": np.ones((2, 2)), "order": np.arange(3)},
        {"edges": [np.ones((3, 2)), np.ones((2, 3))], "order": [np.arange(2), 3]},
    ),
    ResidualNetwork: (
        {"hats": HATS, "axis": 2, "scale": 1.0, "steps": STEPS},
        {"axis": [-1, 3, 1.5]},
    ),
    Separator: (
        {"coefficients": np.ones((5, 2)), "intercepts": np.ones(2)},
        {
            "coefficients": [np.ones((5, 3)), np.ones(5)],
            "intercepts": [np.ones(3), np.ones((2, 1))],
        },
    ),
    Ramp: (
        RAMP,
        {
            "normal": [1.0, np.ones(2)],
            "lower": [np.ones(1)],
            "upper": [[1.0]],
            "slopes": [np.ones(3), np.ones((2, 2)), np.ones((1, 3))],
            "constants": [np.ones(3), np.ones((2, 1))],
            "deltas": [np.ones(3), np.zeros(2)],
        },
    ),
    Tips: (
        TIPS,
        {
            "direction": [np.ones((3, 1))],
            "positions": [np.arange(3.0), np.zeros(4)],
            "slabs": [np.zeros(3, dtype=int)],
            "targets": [np.ones((3, 2)), np.ones(4)],
        },
    ),
    RampNetwork: (
        {
            "ramps": [Ramp(**RAMP)],
            "tips": Tips(**TIPS),
            "n_inputs": 3,
            "default": np.zeros(2),
            "exponents": np.zeros(2, dtype=int),
        },
        {
            "ramps": [
                [],
                [Ramp(**RAMP | {"normal": np.ones(2), "slopes": np.ones((2, 2))})],
            ],
            "tips": [Tips(**TIPS | {"direction": np.ones(2)})],
            "n_inputs": [2],
            "default": [np.zeros(3), np.zeros((2, 1))],
            "exponents": [np.zeros(1, dtype=int)],
        },
    ),
    Slab: (
        {
            "normal": np.ones(3),
            "lower": 0.0,
            "upper": 1.0,
            "members": np.arange(2),
        },
        {"normal": [1.0, np.ones((3, 1))], "lower": [np.ones(1)], "upper": [[1.0]]},
    ),
    DeepThresholdNetwork: (
        {"hyperplanes": hyperplanes(7, 2), "circuit": CIRCUIT},
        {"hyperplanes": [hyperplanes(6, 2)]},
    ),
    NearbySetNetwork: (
        {
            "centers": np.arange(6.0).reshape(3, 2),
            "labels": np.array([0, 0, 1]),
            "scaling": Scaling(3, np.zeros(2)),
        },
        {
            "centers": [np.ones((2, 2)), np.ones((3, 1)), np.ones(3)],
            "labels": [np.array([0, 1])],
            "scaling": [Scaling(3, np.zeros(1))],
        },
    ),
    NearestCenterNetwork: (
        {
            "centers": np.arange(6.0).reshape(3, 2),
            "labels": np.array([0, 0, 1]),
            "metric": "euclidean",
        },
        {
            "centers": [np.ones((2, 2)), np.ones(3), np.ones((3, 2, 1))],
            "labels": [
                np.array([0, 1]),
                np.array([0, 0, 0]),
                np.array([0, 1, 0]),
                np.array([0, 0, 2]),
                np.array([1, 1, 2]),
            ],
            "metric": ["cosine", None],
        },
    ),
    SmoothPart: (
        SMOOTH_PART,
        {
            "directions": [np.ones(3), np.ones((4, 3))],
            "biases": [np.ones(4), np.ones((5, 1))],
            "coefficients": [np.ones((2, 4)), np.ones((1, 5)), np.ones(5)],
            "intercepts": [np.ones(3), np.ones((2, 1))],
        },
    ),
    Spikes: (
        SPIKES,
        {
            "direction": [np.ones((3, 1))],
            "anchors": [np.arange(3.0), np.zeros(4), np.empty(0)],
            "widths": [np.ones(3), np.ones((4, 1))],
            "smooth": [np.ones((4, 1)), np.ones((3, 2))],
            "targets": [np.ones((3, 2)), np.ones(4)],
        },
    ),
    SpikedNetwork: (
        {"part": SmoothPart(**SMOOTH_PART), "spikes": Spikes(**SPIKES)},
        {
            "part": [
                SmoothPart(**SMOOTH_PART | {"directions": np.ones((5, 4))}),
                SmoothPart(
                    **SMOOTH_PART
                    | {"coefficients": np.ones((1, 5)), "intercepts": np.ones(1)}
                ),
            ],
            "spikes": [Spikes(**SPIKES | {"direction": np.ones(2)})],
        },
    ),
    Labels: (
        {"numbers": np.array([0, 0, 2]), "n_classes": 3},
        {
            "numbers": [np.array([0, 2, 1]), np.array([0, 3]), np.ones((2, 2), int)],
            "n_classes": [2],
        },
    ),
    Targets: (
        {"values": np.ones((3, 2))},
        {"values": [np.ones(3), np.ones((0, 2)), np.ones((3, 2, 1))]},
    ),
    Interpolant: (
        {
            "points": np.ones((3, 2)),
            "known": Targets(np.ones((3, 1))),
            "n_neighbors": 3,
            "exponent": 0.5,
            "columns": np.array([1, 4]),
            "n_inputs": 7,
        },
        {
            "points": [np.ones((2, 2)), np.ones((3, 3)), np.ones(3)],
            "known": [Targets(np.ones((2, 1))), np.ones((3, 1))],
            "n_neighbors": [0, 4],
            "exponent": [0.0, -1.0],
            "columns": [None, np.array([1]), np.ones((2, 1), int)],
        },
    ),
    Scaling: ({"exponent": 3, "center": np.zeros(2)}, {"center": [0.0]}),
}


@pytest.mark.parametrize("cls", PARTS, ids=lambda cls: cls.__name__)
def test_a_constructor_refuses_what_does_not_fit(cls):
    arguments, damages = PARTS[cls]
    cls(**arguments)
    for name, values in damages.items():
        for value in values:
            with pytest.raises((ValueError, TypeError)):
                cls(**{**arguments, name: value})


def test_a_shape_says_which_sizes_it_has_and_which_it_should_have():
    require_shape("edges", np.ones((4, 2)), None, 2)
    require_shape("lower", 1.0)
    for array, *shape in ((np.ones((4, 3)), None, 2), (np.ones(4), None, 2), (1.0, 4)):
        with pytest.raises(ValueError, match=r"edges has the shape \(.*\) and not \("):
            require_shape("edges", array, *shape)


def test_two_classes_cannot_be_stored_under_one_name():
    def layer_of(module):
        return type("Layer", (), {"__module__": module})

    with pytest.raises(TypeError, match="give one of the two classes another name"):
        storable(layer_of("sklearn_memorize.network._other"))
    # Neither a class that is defined again nor one of another package is in the way.
    for _ in range(2):
        storable(layer_of("my_package._layers"))
