"""One layer of a neural network: an affine map and an activation."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import numpy as np
from scipy import sparse

from ._storage import require, storable

Activation = Literal["threshold", "relu", "identity"]


def frozen(array: np.ndarray) -> np.ndarray:
    """Return `array` as a read-only array (a copy only where it is needed)."""
    array = np.ascontiguousarray(array)
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


def freeze(record, *names: str) -> None:
    """Make arrays of a frozen dataclass read-only."""
    for name in names:
        object.__setattr__(record, name, frozen(getattr(record, name)))


def frozen_matrix(matrix):
    """Return an array or a sparse array (in CSR form) that is read-only."""
    if not sparse.issparse(matrix):
        return frozen(np.asarray(matrix))
    matrix = sparse.csr_array(matrix)
    for array in (matrix.data, matrix.indices, matrix.indptr):
        array.flags.writeable = False
    return matrix


@storable
@dataclass(frozen=True, eq=False)
class Layer:
    """An affine map followed by an activation, `z -> s(weights @ z + biases)`.

    Parameters
    ----------
    weights : ndarray or CSR array of shape (n_neurons, n_inputs)
        One row for each neuron.
    biases : ndarray of shape (n_neurons,)
        One bias for each neuron.
    activation : {"threshold", "relu", "identity"}
        `s(t)` is 1 for t > 0 and else 0, or max(t, 0), or t.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_memorize.network import Layer
    >>> layer = Layer(np.array([[1.0, -1.0]]), np.array([-0.5]), "threshold")
    >>> layer.forward(np.array([[1.0, 0.0], [0.0, 1.0]]))
    array([[1.],
           [0.]])
    """

    weights: np.ndarray | sparse.csr_array = field(repr=False)
    biases: np.ndarray = field(repr=False)
    activation: Activation

    # Booleans, integers or floating point numbers.
    _dtype_kinds: ClassVar[str] = "biuf"

    def __repr__(self) -> str:
        sizes = f"{self.n_inputs}-{self.n_neurons}"
        return f"{type(self).__name__}({sizes}, activation={self.activation!r})"

    def __post_init__(self):
        object.__setattr__(self, "weights", frozen_matrix(self.weights))
        object.__setattr__(self, "biases", frozen(np.asarray(self.biases)))
        known = get_args(Activation)
        require(self.activation in known, f"there is no activation {self.activation!r}")
        require(self.weights.ndim == 2, "weights must be a matrix")
        require(self.biases.ndim == 1, "biases must be a vector")
        for name in ("weights", "biases"):
            kind = getattr(self, name).dtype.kind
            require(kind in self._dtype_kinds, f"{name} must be numbers")
        if self.weights.shape[0] != self.biases.shape[0]:
            raise ValueError(
                f"weights has {self.weights.shape[0]} rows, "
                f"biases has {self.biases.shape[0]} entries; they must agree."
            )

    @property
    def n_inputs(self) -> int:
        """Number of inputs."""
        return self.weights.shape[1]

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return self.weights.shape[0]

    @property
    def n_parameters(self) -> int:
        """Number of nonzero weights and biases."""
        if isinstance(self.weights, np.ndarray):
            n_weights = int(np.count_nonzero(self.weights))
        else:
            n_weights = int(self.weights.count_nonzero())
        return n_weights + int(np.count_nonzero(self.biases))

    def forward(self, inputs: np.ndarray) -> np.ndarray:
        """Evaluate the layer as a textbook does, in double precision.

        Parameters
        ----------
        inputs : ndarray or sparse array of shape (n_samples, n_inputs)
            One row for each sample.

        Returns
        -------
        outputs : ndarray of shape (n_samples, n_neurons)
            The activations.
        """
        weights = self.weights.T.astype(np.float64)
        potential = inputs @ weights
        if not isinstance(potential, np.ndarray):
            potential = potential.toarray()
        potential = potential + self.biases
        if self.activation == "threshold":
            return (potential > 0).astype(np.float64)
        if self.activation == "relu":
            return np.maximum(potential, 0.0)
        return potential
