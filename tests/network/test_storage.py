"""Networks and layers that are stored can be read again; damaged ones are refused."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from support.estimators import NETWORKS
from support.storage import SAMPLES, fitted, with_other

from sklearn_memorize.constructions.random_hyperplanes._network import CoverNetwork
from sklearn_memorize.network import Layer, LayeredNetwork, Network, SelectedColumns


@pytest.mark.parametrize("state", [None, {}, {"format": 1}, {"format": 2, "kind": "X"}])
def test_a_foreign_state_of_a_network_is_refused(state):
    network = object.__new__(CoverNetwork)
    with pytest.raises(ValueError, match="CoverNetwork was stored by another version"):
        network.__setstate__(state)


def test_sparse_layers_are_checked():
    hidden = Layer(sparse.csr_array(np.eye(3)), np.zeros(3), "relu")
    network = LayeredNetwork([hidden])
    state = network.__getstate__()
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(network)).forward(SAMPLES[:, :3]),
        network.forward(SAMPLES[:, :3]),
    )
    for part in ("data", "indices", "indptr"):
        damaged = with_other(state, ("layers", 0, "weights", part), lambda a: a[:-1])
        with pytest.raises(ValueError, match="LayeredNetwork is damaged"):
            object.__new__(LayeredNetwork).__setstate__(damaged)
    damaged = with_other(state, ("layers", 0, "weights", "indices"), lambda a: a + 99)
    with pytest.raises(ValueError, match="LayeredNetwork is damaged"):
        object.__new__(LayeredNetwork).__setstate__(damaged)


def test_every_network_says_what_it_is_made_from():
    def below(kind):
        return {kind, *(k for child in kind.__subclasses__() for k in below(child))}

    variants = "labels as steps", "narrow layers"
    made = {type(fitted(name).network_) for name in (*NETWORKS, *variants)}
    made |= {LayeredNetwork, SelectedColumns}
    ours = {k for k in below(Network) if k.__module__.startswith("sklearn_memorize")}
    assert ours - {Network} == made
