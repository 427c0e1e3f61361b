"""Networks, evaluated as a textbook does, and compared."""

import hashlib
from fractions import Fraction

import numpy as np
from scipy import sparse

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
    """Return a hash of all bytes of the network, and of the numbers beside it."""
    if hasattr(estimator, "hyperplanes_"):
        network = estimator.hyperplanes_
    else:
        network = estimator.network_
    try:
        layers = network.layers if hasattr(network, "layers") else (network.layer(),)
    except ValueError:  # too large to write out
        layers = ()
    numbers = {
        name: float(value).hex()
        for name, value in sorted(vars(estimator).items())
        if name.endswith("_") and isinstance(value, (int, float, bool))
    }
    assert layers or hasattr(network, "widths")
    summed = hashlib.sha256()
    for layer in layers:
        for matrix in (layer.weights, layer.biases):
            for array in _arrays(matrix):
                summed.update(f"{array.dtype.str} {array.shape} ".encode())
                # Python integers and fractions lie elsewhere each time.
                held = array.dtype != object
                plain = array.tobytes() if held else repr(array.tolist()).encode()
                summed.update(plain)
    summed.update(f"{numbers} {getattr(network, 'widths', None)}".encode())
    return summed.hexdigest()


def _arrays(matrix):
    if sparse.issparse(matrix):
        return matrix.data, matrix.indices, matrix.indptr
    return (matrix,)
