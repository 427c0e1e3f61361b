r"""Small ReLU networks.

Theorem
   Any :math:`N` distinct samples with targets in :math:`[-1, 1]` are memorized by a
   ReLU network with two hidden layers of :math:`d_1` and :math:`d_2` nodes once
   :math:`4 \lfloor d_1 / 4 \rfloor \lfloor d_2 / 4 \rfloor \ge N`, which is about
   :math:`2 \sqrt N` each; if :math:`2 d_1 d_2 + d_2 + 2 < N`, some cannot be. These
   numbers are exact, and `fit` keeps to them but for one group of padding.
Test data
   Nothing is promised, and it shows: the network looks at the samples along a single
   random direction. Expect chance.
"""

import math

from .._lower_bounds import (
    depth_of,
    hidden_layers_of,
    relu_pieces,
    shattering,
    two_hidden_layers,
)
from .._record import Construction, Geometry, LowerBound, Paper, Prediction
from ._construction import build_small_relu_network
from ._estimator import SmallReLUClassifier, SmallReLURegressor

__all__ = ["SmallReLUClassifier", "SmallReLURegressor"]


def predict_size(geometry: Geometry, estimator) -> Prediction:
    """Return the size of two hidden layers of equal width."""
    n = geometry.n_samples
    width = 4 * math.ceil(math.sqrt(n) / 2)
    deeper = getattr(estimator, "n_layers", 3) > 3
    return Prediction(
        "distinct samples",
        True,
        f"{n} of {geometry.n_given} are distinct",
        "up to constants" if deeper else "at most",
        2 * width + 1,
        width * (geometry.n_features + width + 3) + 1,
        depth=None if deeper else 3,
    )


def lower_bounds(geometry: Geometry, estimator) -> tuple[LowerBound, ...]:
    """Return what N samples take in two hidden layers, or in those that there are."""
    depth = depth_of(estimator)
    bounds = relu_pieces(geometry, hidden_layers_of(estimator))
    bounds += shattering(geometry, depth)
    return bounds + (two_hidden_layers(geometry) if depth == 3 else ())


CONSTRUCTION = Construction(
    name="small ReLU",
    estimators=(SmallReLUClassifier, SmallReLURegressor),
    network="about 2 sqrt(N) ReLU nodes in each of two layers",
    paper=Paper(
        "C. Yun, S. Sra, A. Jadbabaie",
        "Small ReLU networks are powerful memorizers: a tight analysis of "
        "memorization capacity",
        "NeurIPS 2019",
        "https://arxiv.org/abs/1810.07770",
    ),
    code=(build_small_relu_network,),
    predict_size=predict_size,
    lower_bounds=lower_bounds,
)
