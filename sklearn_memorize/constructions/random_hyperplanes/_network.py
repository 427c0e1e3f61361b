"""The three-layer network of random hyperplanes, evaluated on packed codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from scipy import sparse

from ..._estimator._probabilities import logarithm
from ...kernels import LANES
from ...kernels._threads import run_in_threads
from ...network._layer import Activation, Layer, frozen
from ...network._network import Network, torch_modules
from ...network._storage import require, storable
from ._codes import TILES_OF_A_GROUP, mean_margins, unpack_bits
from ._exact_hyperplanes import stacked_weights
from ._few_rows import JoinedCoverings, are_few, joined
from ._hyperplane_layer import HyperplaneLayer, encode_by_all
from ._margin_bounds import OPEN, blocks_to_bound, bounds_of_votes, bounds_pay
from ._radii import spectral_norm
from ._relu_codes import FRACTION_BITS

Decision = Literal["vote", "network"]

# Codes of this many bits are evaluated at a time.
_BLOCK_BITS = 1 << 25
# Codes that are there already are decided in at most this many tiles of 64 at a time.
_MOST_TILES = 4096


@storable
@dataclass(frozen=True, eq=False)
class Covering:
    """The first two layers: hyperplanes, and the neurons that cover the classes.

    Neuron k fires at x if m_k - <u_k, Phi(x)> > 0, where Phi(x) are the outputs of the
    first layer. The neurons of class c are `starts[c]` .. `starts[c + 1] - 1`.

    Parameters
    ----------
    hyperplanes : HyperplaneLayer
        The first layer.
    activation : {"threshold", "relu"}
        The activation of the first two layers.
    masks : ndarray of shape (n_neurons, n_words), uint64
        The 0/1 vectors u, packed.
    bounds : ndarray of shape (n_neurons,)
        The bounds m (for ReLU in fixed point units of the first layer).
    starts : ndarray of shape (n_classes + 1,)
        Where the neurons of each class start.
    """

    hyperplanes: HyperplaneLayer
    activation: Activation
    masks: np.ndarray = field(repr=False)
    bounds: np.ndarray = field(repr=False)
    starts: np.ndarray = field(repr=False)

    def __repr__(self) -> str:
        layers = f"{self.hyperplanes!r}, n_neurons={self.n_neurons}"
        return f"Covering({layers}, activation={self.activation!r})"

    def __post_init__(self):
        for name in ("masks", "bounds", "starts"):
            object.__setattr__(self, name, frozen(getattr(self, name)))
        masks, bounds, starts = self.masks, self.bounds, self.starts
        n_bits = self.hyperplanes.n_hyperplanes
        shape = (len(bounds), -(-n_bits // 64))
        known = self.activation in ("threshold", "relu")
        require(known, "there is no such activation")
        integers = bounds.ndim == 1 and bounds.dtype.kind == "i"
        require(integers, "bounds must be integers")
        require(masks.dtype == np.uint64, "masks must be words of 64 bits")
        require(masks.shape == shape, f"masks must have the shape {shape}")
        integers = starts.ndim == 1 and starts.dtype.kind == "i"
        require(integers, "starts must be integers")
        require(len(starts) > 1 and starts[0] == 0, "starts must begin with 0")
        at_end = starts[-1] == len(bounds)
        require(at_end, "starts must end with the number of neurons")
        require((np.diff(starts) >= 0).all(), "starts must not decrease")
        if n_bits % 64:  # bits past the last hyperplane are never counted
            spare = masks[:, -1] >> np.uint64(n_bits % 64)
            require(not spare.any(), "masks name hyperplanes that are not there")

    @property
    def n_neurons(self) -> int:
        """Number of second-layer neurons."""
        return len(self.bounds)

    @property
    def widths(self) -> np.ndarray:
        """Number of second-layer neurons of each class."""
        return np.diff(self.starts)

    @property
    def bound_unit(self) -> float:
        """What one unit of the bounds is worth, in units of the first layer."""
        if self.activation == "threshold":
            return 1.0
        return 2.0 ** (self.hyperplanes.exponent - FRACTION_BITS)

    def mask_matrix(self) -> np.ndarray:
        """Return the vectors u as booleans of shape (n_neurons, n_hyperplanes)."""
        return unpack_bits(self.masks, self.hyperplanes.n_hyperplanes)

    def fires(self, codes) -> np.ndarray:
        """Return which classes fire, (n_samples, n_classes), bool."""
        return codes.classes_that_fire(self.masks, self.bounds, self.starts)

    def votes(self, codes, n_votes: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean of the `n_votes` largest margins of each class, and `fires`.

        The margin of a neuron is m - <u, Phi(x)>, here divided by the number of
        hyperplanes; a class without a neuron gets the lowest margin possible.
        """
        n_votes = min(n_votes, max(1, self.widths.max()))
        sums, fires = codes.votes(self.masks, self.bounds, self.starts, n_votes)
        n_summed = np.minimum(self.widths, n_votes)
        means = mean_margins(sums, n_summed, self.margin_unit, self.lowest_margin)
        return means, fires

    def neuron_margins(self, codes, neurons: np.ndarray) -> np.ndarray:
        """Return the margins of some neurons, (n_samples, n_neurons), as `margins`."""
        margins = codes.neuron_margins(self.masks[neurons], self.bounds[neurons])
        return margins / self.margin_unit

    @property
    def margin_unit(self) -> float:
        """What counts, or sums of outputs, are divided by to be margins."""
        unit = 1.0 if self.activation == "threshold" else 2.0**FRACTION_BITS
        return self.hyperplanes.n_hyperplanes * unit

    @property
    def lowest_margin(self) -> float:
        """The margin of a class without a neuron."""
        return -1.0 if self.activation == "threshold" else -1e9


@storable
@dataclass(frozen=True, eq=False)
class Calibration:
    """Scores of the classes out of their margins S: `scale * S_c + offsets[c]`.

    Parameters
    ----------
    scale : float
        What margins are multiplied by, a positive number.
    offsets : ndarray of shape (n_classes,)
        What is added for each class.
    """

    scale: float
    offsets: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "offsets", frozen(self.offsets))
        positive = isinstance(self.scale, float) and 0 < self.scale < np.inf
        require(positive, "scale must be a positive number")
        numbers = self.offsets.ndim == 1 and self.offsets.dtype == np.float64
        require(numbers, "offsets must be real numbers")
        require(np.isfinite(self.offsets).all(), "offsets must be finite")

    def scores(self, margins: np.ndarray) -> np.ndarray:
        """Return the scores, given margins of shape (n_samples, n_classes)."""
        return self.scale * margins + self.offsets

    def weighted(self, weights: np.ndarray) -> Calibration:
        """Return the calibration that multiplies e**score by a weight of each class.

        Only the ratios of the weights count.
        """
        shares = np.maximum(weights / weights.max(), np.finfo(np.float64).tiny)
        logarithms = logarithm(shares[np.newaxis])[0]
        return Calibration(self.scale, self.offsets + logarithms)


class CoverNetwork(Network):
    """A three-layer network that recalls its training set by covering it.

    One or several coverings, each with hyperplanes of its own, stand side by side and
    form one wider network. Output c is 1 if a neuron of class c fires.

    Parameters
    ----------
    coverings : sequence of Covering
        The first two layers.
    quorum : int, default=1
        By "vote", in how many of the coverings a class has to fire, and no other
        class in any, to be believed.
    calibration : Calibration or None, default=None
        By "vote", how margins become scores; None if they are the scores.

    Notes
    -----
    A class is predicted by one of two rules. By "network", the rule of the paper, it is
    the first class whose output is 1. By "vote":

    1. If exactly one class fires (in any covering), and fires in at least `quorum`
       coverings, it is that class.
    2. Else it is the class of the largest score: the sum, over the coverings, of the
       mean of its `n_votes` largest margins. The margin of a neuron is
       (m - <u, Phi(x)>) / n. A `calibration` multiplies this sum by a scale, and adds
       an offset for each class.

    Ties are won by the class of the smallest number. Both rules recall every training
    sample that at least `quorum` coverings cover: by the choice of m, no neuron of
    another class fires at it, and its own class fires in each of these coverings. So
    it is decided by step 1, and the rule of the paper agrees. `fit` sets `quorum` to
    the smallest number of coverings that cover a training sample, or to 1 if there are
    samples that none covers.

    A network with one output says class 1 where it fires, and else class 0.

    References
    ----------
    S. Dirksen, P. Finke, M. Genzel, "Memorization with neural nets: going beyond the
    worst case", JMLR 25(347), 2024. https://arxiv.org/abs/2310.00327
    """

    def __init__(
        self, coverings, quorum: int = 1, calibration: Calibration | None = None
    ):
        self._coverings = tuple(coverings)
        self._quorum = quorum
        self._calibration = calibration
        require(len(self._coverings) > 0, "there must be a covering")
        possible = 1 <= quorum <= len(self._coverings)
        require(possible, "quorum must be 1 .. number of coverings")
        for what, values in (
            ("n_features", {c.hyperplanes.n_features for c in self._coverings}),
            ("n_classes", {len(c.starts) for c in self._coverings}),
            ("activation", {c.activation for c in self._coverings}),
        ):
            require(len(values) == 1, f"all coverings must have the same {what}")
        if calibration is not None:
            agree = len(calibration.offsets) == len(self._coverings[0].starts) - 1
            require(agree, "calibration must have an offset for each class")

    @property
    def coverings(self) -> tuple[Covering, ...]:
        """The coverings that stand side by side."""
        return self._coverings

    @property
    def quorum(self) -> int:
        """In how many coverings a class has to fire to be believed."""
        return self._quorum

    @property
    def calibration(self) -> Calibration | None:
        """How margins become scores, by "vote"; None if they are the scores."""
        return self._calibration

    @property
    def n_inputs(self) -> int:
        return self._coverings[0].hyperplanes.n_features

    @property
    def depth(self) -> int:
        return 3

    @property
    def widths(self) -> tuple[int, int, int]:
        n_hyperplanes = sum(c.hyperplanes.n_hyperplanes for c in self._coverings)
        n_neurons = sum(covering.n_neurons for covering in self._coverings)
        return n_hyperplanes, n_neurons, len(self._coverings[0].starts) - 1

    @cached_property
    def n_parameters(self) -> int:
        total = 0
        for covering in self._coverings:
            total += covering.hyperplanes.n_parameters
            total += int(np.bitwise_count(covering.masks).sum())
            total += int(np.count_nonzero(covering.bounds))
            total += covering.n_neurons  # one weight each in the third layer
        return total

    @property
    def layers(self) -> tuple[Layer, Layer, Layer]:
        """The textbook form: hyperplanes, covers, and one neuron for each class.

        `predict` decides by exact signs of the first layer. Evaluated in double
        precision, these layers agree with it at x unless <w, x> + b is within the
        rounding errors of zero, about 2**-53 times the sum of the sizes of its terms
        and their number: as it is where samples differ by a bit. With ReLU activation,
        where scales of the data differ by hundreds of orders of magnitude, outputs of
        the first layer may overflow here; the network cuts them at a cap.
        """
        return self._first_layer(), self._second_layer(), self._third_layer()

    def _first_layer(self) -> Layer:
        layers = [covering.hyperplanes.layer() for covering in self._coverings]
        return Layer(
            stacked_weights([layer.weights for layer in layers]),
            np.concatenate([layer.biases for layer in layers]),
            self._coverings[0].activation,
        )

    def _second_layer(self) -> Layer:
        blocks = [-c.mask_matrix().astype(np.float64) for c in self._coverings]
        bounds = [covering.bounds * covering.bound_unit for covering in self._coverings]
        weights = (
            blocks[0]
            if len(blocks) == 1
            else sparse.block_diag([sparse.csr_array(block) for block in blocks], "csr")
        )
        return Layer(weights, np.concatenate(bounds), self._coverings[0].activation)

    def _third_layer(self) -> Layer:
        classes = np.concatenate(
            [np.repeat(np.arange(len(c.widths)), c.widths) for c in self._coverings]
        )
        _, n_neurons, n_classes = self.widths
        indicator = sparse.csr_array(
            (np.ones(n_neurons), (classes, np.arange(n_neurons))),
            shape=(n_classes, n_neurons),
        )
        return Layer(indicator, np.zeros(n_classes), "threshold")

    def predict(
        self, X, decision: Decision = "vote", n_votes: int = 5, n_threads: int = 1
    ) -> np.ndarray:
        """Return the number of the class of each input, by a rule of the notes above.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
            The inputs.
        decision : {"vote", "network"}, default="vote"
            The rule.
        n_votes : int, default=5
            By "vote", for each class the mean of this many largest margins is taken.
        n_threads : int, default=1
            Number of threads that share the inputs.

        Returns
        -------
        numbers : ndarray of shape (n_samples,)
            Class numbers.
        """
        by_vote = decision == "vote" and self.widths[-1] > 1
        is_relu = self._coverings[0].activation == "relu"
        if not (by_vote and is_relu and bounds_pay(self._coverings, X)):
            return self._predict_exactly(X, by_vote, n_votes, n_threads)

        def numbers(block: slice) -> np.ndarray:
            bounds = bounds_of_votes(self._coverings, X[block], n_votes)
            return bounds.winners(self._quorum, self._calibration)

        blocks = blocks_to_bound(self._coverings, X.shape[0], n_threads)
        winners = np.concatenate(run_in_threads(numbers, blocks, n_threads))
        open_ = np.flatnonzero(winners == OPEN)
        if len(open_):
            winners[open_] = self._predict_exactly(X[open_], True, n_votes, n_threads)
        return winners

    def _predict_exactly(
        self, X, by_vote: bool, n_votes: int, n_threads: int
    ) -> np.ndarray:
        def numbers(block: slice) -> np.ndarray:
            if not by_vote:
                return self.decide(self.encode(X[block]), None)
            margins, fires = self._votes_at(X[block], n_votes)
            scores = self._scores(margins)
            return self._winners(fires, scores.__getitem__)

        blocks = self.blocks(X.shape[0], n_threads)
        return np.concatenate(run_in_threads(numbers, blocks, n_threads))

    def scores(
        self, X, decision: Decision = "vote", n_votes: int = 5, n_threads: int = 1
    ) -> np.ndarray:
        """Score the classes of each input: the largest score is that of `predict`.

        Parameters
        ----------
        X, decision, n_votes, n_threads
            As in `predict`.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes)
            What `vote` returns, or `forward` for the rule of the paper. A network of
            one output gives its largest margin, positive where it fires.
        """

        def scores(block: slice) -> np.ndarray:
            if self.widths[-1] == 1:
                return self.largest_margins(X[block])
            if decision == "network":
                return self.fires(X[block]).astype(np.float64)
            return self.vote(X[block], n_votes)

        blocks = self.blocks(X.shape[0], n_threads)
        return np.concatenate(run_in_threads(scores, blocks, n_threads))

    def decide_codes(
        self,
        codes: list,
        positions: np.ndarray,
        decision: Decision,
        n_votes: int,
        n_threads: int,
    ) -> np.ndarray:
        """Return what `predict` says of samples whose codes are there, tile by tile.

        `codes` are those of each covering, as `encode_arranged` returns them; the
        `positions` of the samples increase.
        """
        n_tiles = int(positions[-1]) // LANES + 1
        is_sample = np.zeros(n_tiles * LANES, dtype=bool)
        is_sample[positions] = True
        step = min(-(-n_tiles // (2 * n_threads)), _MOST_TILES)
        step = -(-step // TILES_OF_A_GROUP) * TILES_OF_A_GROUP

        def numbers(start: int) -> np.ndarray:
            tiles = slice(start, min(start + step, n_tiles))
            wanted = is_sample[tiles.start * LANES : tiles.stop * LANES]
            parts = [code.part(tiles) for code in codes]
            votes = n_votes if decision == "vote" else None
            return self.decide(parts, votes, wanted)[wanted]

        starts = range(0, n_tiles, step)
        return np.concatenate(run_in_threads(numbers, starts, n_threads))

    def decide(self, codes, n_votes: int | None, wanted=True) -> np.ndarray:
        """Return the class numbers of samples by their codes.

        Most of the samples should be of the training set: step 1 decides these, and
        margins are computed of the others alone.

        Parameters
        ----------
        codes : list of BitCodes or ReLUCodes
            What `encode` says of the inputs.
        n_votes : int or None
            None for the rule of the paper; else as in `predict`.
        wanted : bool or ndarray of shape (n_samples,), default=True
            Which samples matter; the others get any number.

        Returns
        -------
        numbers : ndarray of shape (n_samples,)
            Class numbers.
        """
        if self.widths[-1] == 1:
            return self.fires_of(codes)[:, 0].astype(np.intp)
        if n_votes is None:
            return self.fires_of(codes).argmax(axis=1)

        def scores_of(samples: np.ndarray) -> np.ndarray:
            some = [code.take(samples) for code in codes]
            return self._scores(self._votes(some, n_votes)[0])

        return self._winners(self._fires(codes), scores_of, wanted)

    def _winners(self, fires: list, scores: Callable, wanted=True) -> np.ndarray:
        """Return the classes that win the vote: the rule of the notes above.

        `scores(samples)` are those of step 2 for some of the samples.
        """
        n_times = np.add.reduce(fires, dtype=np.intp)
        winners = n_times.argmax(axis=1)
        fires_alone = (n_times > 0).sum(axis=1) == 1
        believed = fires_alone & (n_times.max(axis=1) >= self._quorum)
        undecided = np.flatnonzero(~believed & wanted)
        if len(undecided):
            winners[undecided] = scores(undecided).argmax(axis=1)
        return winners

    def vote(self, X, n_votes: int = 5) -> np.ndarray:
        """Score the classes by their margins; the class that wins the vote comes first.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
            The inputs.
        n_votes : int, default=5
            For each class the mean of this many largest margins is taken.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes)
            The scores; where a class fires alone, in as many coverings as `quorum`
            says, but another has the larger margin, its score is raised just above.
        """
        margins, fires = self._votes_at(X, n_votes)
        scores = self._scores(margins)
        winners = self._winners(fires, scores.__getitem__)
        beaten = np.flatnonzero(scores.argmax(axis=1) != winners)
        highest = scores[beaten].max(axis=1)
        scores[beaten, winners[beaten]] = np.nextafter(highest, np.inf)
        return scores

    def blocks(self, n_samples: int, n_parts: int = 1) -> Iterator[slice]:
        """Iterate over slices of rows whose codes fit a moderate piece of memory.

        There are at least `n_parts` of them, if there are enough rows.
        """
        bits = max(covering.hyperplanes.n_hyperplanes for covering in self._coverings)
        if self._coverings[0].activation == "relu":
            bits *= 64
        step = min(_BLOCK_BITS // bits, -(-n_samples // n_parts))
        step = max(64, -(-step // 64) * 64)
        for start in range(0, n_samples, step):
            yield slice(start, min(start + step, n_samples))

    def encode(self, X) -> list:
        """Return the outputs of the first layer, one set of codes a covering.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        codes : list of BitCodes or ReLUCodes
            Laid out as many of them are counted fastest.
        """
        return list(self._encoded(X))

    def _encoded(self, X) -> Iterator:
        """Yield what `encode` returns, one after the other."""
        layers = [covering.hyperplanes for covering in self._coverings]
        codes = encode_by_all(layers, X, self._coverings[0].activation)
        return (code.arranged() for code in codes)

    def fires(self, X) -> np.ndarray:
        """Return which classes fire.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        fires : ndarray of shape (n_samples, n_classes), bool
            Whether a neuron of the class fires, in any of the coverings.
        """
        return self.fires_of(self._encoded(X))

    def fires_of(self, codes) -> np.ndarray:
        """Return what `fires` returns, given the codes of the samples."""
        return np.logical_or.reduce(self._fires(codes))

    def _fires(self, codes) -> list[np.ndarray]:
        return [c.fires(code) for c, code in zip(self._coverings, codes, strict=True)]

    def margins(self, X, n_votes: int = 5) -> np.ndarray:
        """Return by how much each class fires, or fails to.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
            The inputs.
        n_votes : int, default=5
            For each class the mean of this many largest margins is taken.

        Returns
        -------
        margins : ndarray of shape (n_samples, n_classes)
            Mean of the largest `(m - <u, Phi(x)>) / n`, summed over the coverings.
        """
        return self._votes_at(X, n_votes)[0]

    def _votes_at(self, X, n_votes: int) -> tuple[np.ndarray, Any]:
        """Return the margins of rows, and which classes fire in each covering."""
        if are_few(X.shape[0], self._coverings) and self._joined is not None:
            return self._joined.votes(X, n_votes)
        return self._votes(self._encoded(X), n_votes)

    @cached_property
    def _joined(self) -> JoinedCoverings | None:
        return joined(self._coverings)

    @cached_property
    def spectral_norm(self) -> float:
        """A bound of the spectral norm of the unit normals of all hyperplanes."""
        return spectral_norm([covering.hyperplanes for covering in self._coverings])

    def _votes(self, codes, n_votes: int) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the margins, and which classes fire in each covering."""
        # Added in order: the sum of floats does not depend on the batch.
        total: Any = 0.0
        fires = []
        for covering, code in zip(self._coverings, codes, strict=True):
            margins, fires_here = covering.votes(code, n_votes)
            total = total + margins
            fires.append(fires_here)
        return total, fires

    def _scores(self, margins: np.ndarray) -> np.ndarray:
        if self._calibration is None:
            return margins
        return self._calibration.scores(margins)

    def largest_margins(self, X) -> np.ndarray:
        """Return the largest margin of any neuron of each class.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        margins : ndarray of shape (n_samples, n_classes)
            Positive where the class fires.
        """
        pairs = zip(self._coverings, self._encoded(X), strict=True)
        return np.maximum.reduce([c.votes(code, 1)[0] for c, code in pairs])

    def forward(self, X) -> np.ndarray:
        """Return 1.0 for each class that has a firing neuron, else 0.0.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        outputs : ndarray of shape (n_samples, n_classes)
            The output layer.
        """
        outputs = np.empty((X.shape[0], self.widths[-1]))
        for block in self.blocks(X.shape[0]):
            outputs[block] = self.fires(X[block])
        return outputs

    def to_torch(self, n_votes: int | None = None):
        """Return the network as a PyTorch module; see `Network.to_torch`.

        Parameters
        ----------
        n_votes : int or None, default=None
            None for the outputs of `forward`, the paper's rule; else those of `vote`.
        """
        return torch_modules().CoverModule(self, n_votes)
