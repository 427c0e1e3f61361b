"""A network that reads some of the columns of its input."""

from dataclasses import replace

import numpy as np
from scipy import sparse

from ._layer import Layer, frozen
from ._network import Network, torch_modules
from ._storage import require


class SelectedColumns(Network):
    """A network whose weights are zero for all columns but some.

    Parameters
    ----------
    network : Network
        What reads the columns.
    columns : ndarray of shape (network.n_inputs,)
        Which columns it reads, in increasing order.
    n_features : int
        Number of columns of the input.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_memorize.network import Layer, LayeredNetwork, SelectedColumns
    >>> difference = Layer(np.array([[1.0, -1.0]]), np.zeros(1), "identity")
    >>> network = SelectedColumns(LayeredNetwork([difference]), np.array([0, 2]), 3)
    >>> network.forward(np.array([[5.0, 7.0, 1.0]]))
    array([[4.]])
    >>> network.layers[0].weights.toarray()
    array([[ 1.,  0., -1.]])
    """

    def __init__(self, network: Network, columns: np.ndarray, n_features: int):
        columns = np.asarray(columns)
        one_each = columns.shape == (network.n_inputs,)
        require(one_each, "columns must be one for each input of the network")
        increasing = columns.dtype.kind in "iu" and (np.diff(columns) > 0).all()
        require(increasing, "columns must be increasing integers")
        inside = len(columns) == 0 or (columns[0] >= 0 and columns[-1] < n_features)
        require(inside, "columns must be columns of the input")
        self._network = network
        self._columns = frozen(columns)
        self._n_features = n_features

    @property
    def network(self) -> Network:
        """The network that reads the columns."""
        return self._network

    @property
    def columns(self) -> np.ndarray:
        """Which columns are read; all others have weight zero."""
        return self._columns

    @property
    def n_inputs(self) -> int:
        """Number of input features."""
        return self._n_features

    @property
    def depth(self) -> int:
        """Number of layers of neurons, the output layer included."""
        return self._network.depth

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of neurons in each layer, the output layer included."""
        return self._network.widths

    @property
    def n_parameters(self) -> int:
        """Number of nonzero weights and biases."""
        return self._network.n_parameters

    @property
    def bits_per_parameter(self) -> float:
        """Mean number of bits of a parameter."""
        return getattr(self._network, "bits_per_parameter", 64.0)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of the network, the first one with zeros for all other columns."""
        first, *others = self._network.layers
        return (replace(first, weights=self._spread(first.weights)), *others)

    def _spread(self, weights):
        """Return a matrix of as many columns as the input has."""
        shape = (weights.shape[0], self._n_features)
        if weights.dtype == object:  # numbers too long for sparse matrices
            spread = np.zeros(shape, dtype=object)
            spread[:, self._columns] = weights
            return spread
        narrow = sparse.csr_array(weights)
        columns = self._columns[narrow.indices]
        return sparse.csr_array((narrow.data, columns, narrow.indptr), shape=shape)

    def selected(self, X):
        """Return the columns of the input that are read."""
        return X[:, self._columns]

    def forward(self, X, *options) -> np.ndarray:
        """Evaluate the network; see `Network.forward`."""
        return self._network.forward(self.selected(X), *options)

    def class_scores(self, X, *threads, **options) -> np.ndarray:
        """Score the classes, where the network does so apart from its outputs."""
        scored = self._network.class_scores  # type: ignore[attr-defined]
        return scored(self.selected(X), *threads, **options)

    def best_classes(self, X, *threads) -> np.ndarray:
        """Return the class of the largest score, where the network finds it faster."""
        return self._network.best_classes(self.selected(X), *threads)  # type: ignore[attr-defined]

    def certified_radii(self, X, *arguments) -> np.ndarray:
        """Return radii of balls in which the class is certain, where there are any."""
        return self._network.certified_radii(self.selected(X), *arguments)  # type: ignore[attr-defined]

    def to_torch(self):
        """Return the network as a PyTorch module; see `Network.to_torch`."""
        return torch_modules().ColumnsModule(self._columns, self._network.to_torch())
