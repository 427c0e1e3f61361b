r"""Consistent interpolation.

Theorem
   Means of the labels (or targets) of :math:`k` neighbours, with the weights
   :math:`r^{-\gamma}` at the distance :math:`r`, are exact at every sample. For
   :math:`0 < \gamma < d / 2`, and :math:`k` that grows with :math:`N` while
   :math:`k / N` falls to 0, they converge to the conditional mean, at the best rate
   there is if :math:`k` is chosen for it. So do, slowly, the means over all samples
   with :math:`\gamma = d` (the Hilbert kernel), whatever the density. Nothing is said
   of sizes: no network is built, the samples are kept.
Test data
   The theorem is about them, wrong labels included. In practice: about as good as
   :math:`k` nearest neighbours. See :ref:`consistent-interpolation`.
"""

from .._record import Construction, Geometry, Paper, Prediction
from ._estimator import (
    InterpolatingNeighborsClassifier,
    InterpolatingNeighborsRegressor,
)
from ._interpolant import Interpolant
from ._neighbors import Nearest

__all__ = ["InterpolatingNeighborsClassifier", "InterpolatingNeighborsRegressor"]


def predict_size(geometry: Geometry, estimator) -> Prediction:
    """Return that all distinct samples are recalled, and that there is no network."""
    evidence = f"{geometry.n_samples} of {geometry.n_given} are distinct"
    return Prediction("distinct samples", True, evidence, "at most", None, None)


CONSTRUCTION = Construction(
    name="consistent interpolation",
    estimators=(InterpolatingNeighborsClassifier, InterpolatingNeighborsRegressor),
    network="none: neighbours with weights that grow without bound towards a sample",
    paper=Paper(
        "M. Belkin, D. Hsu, P. Mitra",
        "Overfitting or perfect fitting? Risk bounds for classification and regression "
        "rules that interpolate",
        "NeurIPS 2018",
        "https://arxiv.org/abs/1806.05161",
    ),
    code=(Interpolant, Nearest),
    predict_size=predict_size,
)
