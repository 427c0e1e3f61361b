"""Networks, evaluated as a textbook does, and compared."""

import hashlib
from fractions import Fraction

import numpy as np
from scipy import sparse

from sklearn_memorize.constructions.consistent._interpolant import Interpolant

from .estimators import built
from .storage import places, value_at

rational = np.vectorize(Fraction, otypes=[object])


def textbook(network, X):
    """Evaluate the layers one after the other; in rational numbers if they are such."""
    if network.layers[0].weights.dtype == object:
        X = rational(X)
    for layer in network.layers:
        X = layer.forward(X)
    return X


def same_network(first, second):
    """Say whether two fitted classifiers have the same coverings, byte for byte."""
    pairs = zip(first.network_.coverings, second.network_.coverings, strict=True)
    return all(
        a.masks.tobytes() == b.masks.tobytes()
        and a.bounds.tobytes() == b.bounds.tobytes()
        and a.starts.tobytes() == b.starts.tobytes()
        and a.hyperplanes.directions.tobytes() == b.hyperplanes.directions.tobytes()
        and a.hyperplanes.biases.tobytes() == b.hyperplanes.biases.tobytes()
        for a, b in pairs
    )


def digest(estimator):
    """Return a hash of all bytes of what was built, and of the numbers beside it."""
    numbers = {
        name: float(value).hex()
        for name, value in sorted(vars(estimator).items())
        if name.endswith("_") and isinstance(value, (int, float, bool))
    }
    if hasattr(estimator, "hyperplanes_"):
        pieces, widths = _bytes_of_network(estimator.hyperplanes_), None
    elif isinstance(built(estimator), Interpolant):
        pieces, widths = _bytes_of_state(estimator), None
    else:
        network = built(estimator)
        pieces, widths = _bytes_of_network(network), network.widths
    summed = hashlib.sha256()
    for piece in pieces:
        summed.update(piece)
    summed.update(f"{numbers} {widths}".encode())
    return summed.hexdigest()


def _bytes_of_network(network):
    """Yield the bytes of all weights and biases, unless it is too large for that."""
    try:
        layers = network.layers if hasattr(network, "layers") else (network.layer(),)
    except ValueError:  # too large to write out
        layers = ()
    assert layers or hasattr(network, "widths")
    for layer in layers:
        for matrix in (layer.weights, layer.biases):
            for array in _arrays(matrix):
                yield f"{array.dtype.str} {array.shape} ".encode()
                # Python integers and fractions lie elsewhere each time.
                held = array.dtype != object
                yield array.tobytes() if held else repr(array.tolist()).encode()


def _bytes_of_state(estimator):
    """Yield the bytes of all arrays that are stored."""
    state = estimator.__getstate__()[estimator._built_name]
    for path in places(state):
        array = value_at(state, path)
        yield f"{path} {array.dtype.str} {array.shape} ".encode()
        yield array.tobytes()


def _arrays(matrix):
    if sparse.issparse(matrix):
        return matrix.data, matrix.indices, matrix.indptr
    return (matrix,)
