"""A network says what its layers are."""

import pytest

from sklearn_memorize.network import Network


def test_a_network_has_to_say_what_its_layers_are():
    class Silent(Network):
        def forward(self, X, n_threads=1):
            return X

    with pytest.raises(TypeError, match="layers"):
        Silent()
