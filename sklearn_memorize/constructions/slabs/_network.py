"""Two threshold units for each slab, then one unit for each class."""

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from ... import kernels
from ...kernels._memory import blocks_of_rows
from ...network import Layer, LayeredNetwork
from ...network._storage import require_shape, storable


@storable
@dataclass(frozen=True)
class Slab:
    """The set of x with lower < <normal, x> <= upper, built for the points `members`.

    The normal vector is of shape (n_features,), the members are positions.
    """

    normal: np.ndarray = field(repr=False)
    lower: float
    upper: float
    members: np.ndarray = field(repr=False)

    def __post_init__(self):
        require_shape("normal", self.normal, None)
        require_shape("lower", self.lower)
        require_shape("upper", self.upper)


class SlabNetwork(LayeredNetwork):
    """Two threshold units for each slab, then one unit for each class.

    `labels` are the class numbers of the slabs, and what lies in no slab belongs to
    the class `default`. Of two classes the second one alone has a unit.
    """

    def __init__(self, slabs, labels, n_classes: int, default: int):
        self._normals = np.array([slab.normal for slab in slabs])
        self._lower = np.array([slab.lower for slab in slabs])
        self._upper = np.array([slab.upper for slab in slabs])
        self._rest = {"labels": labels, "n_classes": n_classes, "default": default}
        # u_i = [<a_i, x> > lower_i], v_i = [<a_i, x> > upper_i], and u_i - v_i is 1
        # in slab i and 0 elsewhere.
        # Class c: [sum over its slabs (u_i - v_i) > 0]; default: [1 - sum (...) > 0].
        member = (np.arange(n_classes)[:, np.newaxis] == labels) * 1
        member[default] = -1
        biases = (np.arange(n_classes) == default) * 1
        if n_classes == 2:
            member, biases = member[1:], biases[1:]
        weights = np.vstack([self._normals, self._normals])
        super().__init__(
            [
                Layer(weights, -np.append(self._lower, self._upper), "threshold"),
                Layer(np.hstack([member, -member]), biases, "threshold"),
            ]
        )

    def _stored(self) -> dict:
        nobody = np.empty(0, dtype=np.intp)
        bounds = zip(self._normals, self._lower, self._upper, strict=True)
        slabs = [Slab(a, float(low), float(up), nobody) for a, low, up in bounds]
        return {"slabs": slabs, **self._rest}

    def forward(self, X) -> np.ndarray:
        """Evaluate the network, each sum in a fixed order; see `Network.forward`."""
        blocks = blocks_of_rows(X.shape[0], max(self._normals.shape))
        return np.concatenate([self._class_units(X[block]) for block in blocks])

    def certified_radii(self, X, labels, metric: str) -> np.ndarray:
        """Return the distance of each row to the nearest border of a slab.

        It is rounded downwards, as `forward` may round values up or down.
        """
        blocks = blocks_of_rows(X.shape[0], max(self._normals.shape))
        return np.concatenate([self._to_borders(X[block], metric) for block in blocks])

    def _to_borders(self, rows, metric) -> np.ndarray:
        rows = rows.toarray() if sparse.issparse(rows) else rows
        sizes = np.abs(self._normals)
        if metric == "chebyshev":
            norms = sizes.sum(axis=1)
        else:
            norms = np.sqrt(np.square(sizes).sum(axis=1))
        # A sum of d products is wrong by d + 1 roundings of the sum of the sizes, here
        # and at a point of the ball, where these are larger by norm times radius.
        unit = (rows.shape[1] + 8) * 2.0**-52
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            values = kernels.ordered_product(rows, self._normals)
            near = np.fmin(np.abs(values - self._lower), np.abs(values - self._upper))
            error = unit * kernels.ordered_product(np.abs(rows), sizes)
            error += unit * (np.abs(values) + near)
            distances = (near - 4 * error) / norms * (1 - 8 * unit)
        distances[:, norms == 0] = np.inf
        radii = np.nan_to_num(distances, nan=0.0, posinf=np.inf).min(
            axis=1, initial=np.inf
        )
        return np.maximum(radii, 0.0)

    def _class_units(self, rows) -> np.ndarray:
        rows = rows.toarray() if sparse.issparse(rows) else rows
        with np.errstate(over="ignore", invalid="ignore"):  # far from all samples
            values = kernels.ordered_product(rows, self._normals)
        units = np.hstack([values > self._lower, values > self._upper]) * 1.0
        return self._layers[1].forward(units)
