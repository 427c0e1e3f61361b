"""What every built network knows about itself."""

from abc import ABC, abstractmethod
from importlib import import_module

import numpy as np

from ._layer import Layer
from ._storage import FORMAT, from_plain, storable, stored_name, to_plain

# Deeper networks do not show all of their widths.
_MOST_WIDTHS = 12


def torch_modules():
    """Return the PyTorch modules of the networks, if PyTorch is installed."""
    try:
        # `export` stands above this room, and alone knows torch; `Network.to_torch` is
        # a method because users look for it there.
        return import_module("..export._torch_modules", __package__)
    except ImportError as error:
        raise ImportError("PyTorch modules need torch: pip install torch") from error


class Network(ABC):
    """An immutable feed-forward network that a construction has built.

    Subclasses say how the network is held and evaluated fast (bit-packed, sparse,
    factored); `layers` is always the textbook form of the same function. They are
    stored as the arguments of their constructor.
    """

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        storable(cls)

    def __getstate__(self):
        return {"format": FORMAT, **to_plain(self)}

    def __setstate__(self, state):
        name = type(self).__name__
        is_state = isinstance(state, dict) and state.get("format") == FORMAT
        if not is_state or state.get("kind") != stored_name(type(self)):
            raise ValueError(
                f"This {name} was stored by another version of sklearn_memorize, or by "
                "another program. Read it with the version that stored it, or fit "
                "again."
            )
        plain = {key: value for key, value in state.items() if key != "format"}
        try:
            vars(self).update(vars(from_plain(plain)))
        except ValueError as error:
            raise ValueError(
                f"The stored {name} is damaged: {error}. Restore the file, or fit "
                "again."
            ) from error

    @property
    @abstractmethod
    def layers(self) -> tuple[Layer, ...]:
        """The network as a sequence of affine maps and activations."""

    @abstractmethod
    def forward(self, X) -> np.ndarray:
        """Evaluate the network.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        outputs : ndarray of shape (n_samples, n_outputs)
            What the last layer says.
        """

    def to_torch(self):
        """Return the network as a PyTorch module, to be trained further.

        Weights and biases are parameters in double precision. Thresholds keep their
        value, 0 or 1, and get the gradient of a smooth step. See the user guide on
        export.

        Returns
        -------
        module : torch.nn.Module
            Its `forward` takes a tensor of shape (n_samples, n_features) and returns
            what `forward` of the network returns, up to the rounding of sums.

        Raises
        ------
        ImportError
            If PyTorch is not installed.
        """
        return torch_modules().LayersModule(self._stages)

    @property
    def _stages(self) -> tuple:
        """The layers, or what they were made from, for export."""
        return self.layers

    @property
    def n_inputs(self) -> int:
        """Number of input features."""
        return self.layers[0].n_inputs

    @property
    def _n_outputs(self) -> int:
        return self.widths[-1]

    @property
    def depth(self) -> int:
        """Number of layers of neurons, the output layer included."""
        return len(self.layers)

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of neurons in each layer, the output layer included."""
        return tuple(layer.n_neurons for layer in self.layers)

    @property
    def n_neurons(self) -> int:
        """Number of neurons in all layers, the output layer included."""
        return sum(self.widths)

    @property
    def n_parameters(self) -> int:
        """Number of nonzero weights and biases."""
        return sum(layer.n_parameters for layer in self.layers)

    def __repr__(self) -> str:
        widths = [str(width) for width in (self.n_inputs, *self.widths)]
        depth = ""
        if len(widths) > _MOST_WIDTHS:
            shown = _MOST_WIDTHS // 2
            widths[shown:-shown] = ["..."]
            depth = f"depth={self.depth}, "
        sizes = f"{depth}n_parameters={self.n_parameters}"
        return f"{type(self).__name__}({'-'.join(widths)}, {sizes})"


class LayeredNetwork(Network):
    """A network that is stored and evaluated layer by layer.

    Parameters
    ----------
    layers : sequence of Layer
        From the inputs to the outputs.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_memorize.network import Layer, LayeredNetwork
    >>> hidden = Layer(np.array([[1.0], [-1.0]]), np.zeros(2), "relu")
    >>> absolute_value = Layer(np.array([[1.0, 1.0]]), np.zeros(1), "identity")
    >>> network = LayeredNetwork([hidden, absolute_value])
    >>> network
    LayeredNetwork(1-2-1, n_parameters=4)
    >>> network.forward(np.array([[-3.0], [2.0]]))
    array([[3.],
           [2.]])
    """

    def __init__(self, layers):
        layers = tuple(layers)
        for below, above in zip(layers, layers[1:], strict=False):
            if below.n_neurons != above.n_inputs:
                raise ValueError(
                    f"a layer of {below.n_neurons} neurons is followed by one "
                    f"that reads {above.n_inputs}; they must agree."
                )
        self._layers = layers

    @property
    def layers(self) -> tuple[Layer, ...]:
        return self._layers

    def forward(self, X) -> np.ndarray:
        outputs = X
        for layer in self._layers:
            outputs = layer.forward(outputs)
        return outputs
