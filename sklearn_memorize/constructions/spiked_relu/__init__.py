r"""Spiked random ReLU networks.

Theorem
   A smooth network :math:`g` and one spike for each sample return all :math:`N`
   targets, and differ from :math:`g` only in the spikes: on a set of new samples whose
   probability is as small as the spikes are narrow. With :math:`m` random units for the
   smooth part there are :math:`m + 3 N + 5` units in all, and about
   :math:`m d + 9 N` parameters. An exact count.
Test data
   New samples are predicted by the smooth part, a ridge regression on random ReLU
   units: about as good as kernel ridge regression. See
   :ref:`memorizing-regressor`.
"""

from .._record import Construction, Geometry, Paper, Prediction
from ._construction import build_spiked_network
from ._estimator import MemorizingRegressor
from ._network import SpikedNetwork

__all__ = ["MemorizingRegressor"]


def predict_size(geometry: Geometry, estimator) -> Prediction:
    """Return the size for one target, and hyperplanes in all features."""
    n, d = geometry.n_samples, geometry.n_features
    m = getattr(estimator, "n_hyperplanes", MemorizingRegressor().n_hyperplanes)
    # Two layers with biases, three corners of each spike with two weights out of it,
    # and the two cut-offs with the output.
    n_parameters = (m + 1) * (d + 1) + m + 1 + 3 * n * 2 + 2 * (3 * n + 1) + 1 + 3
    return Prediction(
        "distinct samples",
        True,
        f"{n} of {geometry.n_given} are distinct",
        "at most",
        m + 1 + 1 + 3 * n + 2 + 1,
        n_parameters,
        depth=4,
    )


CONSTRUCTION = Construction(
    name="spiked ReLU",
    estimators=(MemorizingRegressor,),
    network="random ReLU units, and a spike for each sample",
    paper=Paper(
        "M. Haas, D. Holzmüller, U. von Luxburg, I. Steinwart",
        "Mind the spikes: Benign overfitting of kernels and neural networks in fixed "
        "dimension",
        "NeurIPS 2023",
        "https://arxiv.org/abs/2305.14077",
    ),
    code=(build_spiked_network, SpikedNetwork),
    predict_size=predict_size,
)
