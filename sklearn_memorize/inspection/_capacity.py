"""All constructions side by side on one data set: what is promised, what is built."""

import html
import math
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import cast

import numpy as np
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from .._estimator._conflicts import resolve_labels
from .._estimator._sklearn import draw_seeds, validate_params
from .._estimator._training_set import distinct_rows
from ..constructions import all_constructions, all_estimators
from ..constructions._lower_bounds import changes_on_lines, width_to_generalize
from ..constructions._record import Geometry, LowerBound, Prediction, builds_network
from ..exceptions import ConflictingLabelsWarning, InterpolationError
from ._covering import MutualCovering, mutual_covering
from ._geometry import check_labelled, radius, separation

# Number of Gaussian vectors that estimate the widths of the balls.
_N_DIRECTIONS = 100
_SMALLEST = math.ulp(0.0)
_UNKNOWN = Prediction("not known here", None, "", "up to constants", None, None)
_SIGNS = {"at most": "≤ ", "up to constants": "~ "}
# How far a lower bound reaches: not marked, if to these samples and labels.
_REACHES = {"these labels": "", "any labels": " *", "some samples": " **"}
_QUANTITIES = (
    "neurons",
    "parameters",
    "neurons for any labels",
    "parameters for any labels",
)
_FOOTNOTES = (
    "≥ impossible with fewer, on these samples and labels; with * if one architecture "
    "is to do\nwith any labels of these samples, with ** in the worst case of as many "
    "samples",
    "~ up to constants that the theory leaves open   ≤ at most",
    "assumption: + met, - not met, ? not decided",
)


@dataclass(frozen=True)
class CapacityRow:
    """One construction on the data.

    Parameters
    ----------
    construction : str
        Its name.
    assumption, evidence : str
        What its theorem needs, and how far the data are like that.
    met : bool or None
        Whether they are; None if that has not been decided.
    prediction_kind : {"at most", "up to constants"}
        How the predicted sizes are meant.
    predicted_neurons, predicted_parameters : float or None
        Sizes by the theorem; None where it names none.
    built_neurons, built_parameters, depth, width : int or None
        Sizes of the network that was built; None if that failed. The width is that of
        the widest layer but the last.
    bits_per_weight : float or None
        Mean number of bits that a nonzero weight or bias takes.
    fit_seconds : float or None
        Time to build and certify; None for estimators that were fitted before.
    interpolates : bool
        Whether the network recalls all samples (by their resolved labels).
    failure : str
        Why nothing was built, if so.
    lower_bounds : tuple of LowerBound
        What is impossible: on these data, for any labels of these samples, or in the
        worst case of as many samples.
    """

    construction: str
    assumption: str
    evidence: str
    met: bool | None
    prediction_kind: str
    predicted_neurons: float | None
    predicted_parameters: float | None
    built_neurons: int | None = None
    built_parameters: int | None = None
    depth: int | None = None
    width: int | None = None
    bits_per_weight: float | None = None
    fit_seconds: float | None = None
    interpolates: bool = False
    failure: str = ""
    lower_bounds: tuple[LowerBound, ...] = ()

    def impossible(self, quantity: str) -> LowerBound | None:
        """Return the largest lower bound of a quantity, if there is one.

        Parameters
        ----------
        quantity : str
            Of what; see `LowerBound`.

        Returns
        -------
        bound : LowerBound or None
            The largest one; of equal ones that which says most.
        """
        bounds = [each for each in self.lower_bounds if each.quantity == quantity]
        reaches = list(_REACHES)

        def order(bound: LowerBound) -> tuple[float, int]:
            return bound.value, -reaches.index(bound.holds_for)

        return max(bounds, key=order, default=None)


@dataclass(frozen=True, repr=False)
class CapacityReport:
    """A table of constructions; prints as text, and as HTML in a notebook.

    Parameters
    ----------
    rows : tuple of CapacityRow
        One for each construction.
    summary : str
        The data in one line.
    """

    rows: tuple[CapacityRow, ...]
    summary: str

    def to_dataframe(self):
        """Return the rows as a data frame, one column for each field of `CapacityRow`.

        Returns
        -------
        frame : pandas.DataFrame
            The table.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd  # type: ignore[import-untyped,unused-ignore]
        except ImportError as error:
            raise ImportError(
                "to_dataframe needs pandas, which is not installed; install it, or "
                "read the attribute `rows`."
            ) from error
        names = [field.name for field in fields(CapacityRow)]
        return pd.DataFrame([asdict(row) for row in self.rows], columns=names)

    def __repr__(self) -> str:
        table = [_HEADER, *map(_cells, self.rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        # Names to the left, numbers to the right.
        line = "  ".join(
            f"{{:{side}{n}}}" for side, n in zip("<<>>>>>>>>>>", widths, strict=True)
        )
        lines = [self.summary, "", *(line.format(*cells).rstrip() for cells in table)]
        lines.insert(3, "-" * max(map(len, lines)))
        notes = [f"{row.construction}: {_note(row)}" for row in self.rows if _note(row)]
        return "\n".join([*lines, "", *notes, "", *_FOOTNOTES])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in _HEADER)
        body = "".join(
            f'<tr title="{html.escape(_note(row), quote=True)}">'
            + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(row))
            + "</tr>"
            for row in self.rows
        )
        notes = "<br>".join(map(html.escape, _FOOTNOTES))
        return (
            f"<p>{html.escape(self.summary)}</p><table><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table><p><small>{notes}</small></p>"
        )


_HEADER = (
    "construction",
    "assumption",
    "neurons ≥",
    "by theorem",
    "built",
    "parameters ≥",
    "by theorem",
    "built",
    "depth",
    "bits/weight",
    "recalls all",
    "seconds",
)


def _cells(row: CapacityRow) -> list[str]:
    sign = _SIGNS[row.prediction_kind]
    mark = {True: "+", False: "-", None: "?"}[row.met]
    return [
        row.construction,
        f"{mark} {row.assumption}",
        _least(row, "neurons"),
        _number(row.predicted_neurons, sign),
        _number(row.built_neurons),
        _least(row, "parameters"),
        _number(row.predicted_parameters, sign),
        _number(row.built_parameters),
        _number(row.depth),
        "" if row.bits_per_weight is None else f"{row.bits_per_weight:.1f}",
        "yes" if row.interpolates else "no",
        "" if row.fit_seconds is None else f"{row.fit_seconds:.2f}",
    ]


def _number(value: float | None, sign: str = "") -> str:
    if value is None:
        return ""
    if not np.isfinite(value):
        return sign + "inf"
    # No more digits than a prediction up to constants has.
    rounded = float(f"{value:.2g}") if sign == "~ " else value
    return f"{sign}{rounded:,.0f}"


def _least(row: CapacityRow, quantity: str) -> str:
    bound = row.impossible(quantity)
    return "" if bound is None else f"{bound.value:,}{_REACHES[bound.holds_for]}"


def _note(row: CapacityRow) -> str:
    return "; ".join(filter(None, [row.evidence, row.failure, *_impossible(row)]))


def _impossible(row: CapacityRow) -> Iterator[str]:
    """Say why it cannot be done with less, and what a narrow network cannot promise."""
    for quantity in _QUANTITIES:
        bound = row.impossible(quantity)
        if bound is not None:
            yield f"{quantity} ≥ {bound.value:,}: {bound.reason} ({bound.source})"
    width = row.impossible("width to generalize")
    if width is not None and row.width is not None and row.width < width.value:
        yield f"width {row.width} < {width.value}: {width.reason} ({width.source})"


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        "constructions": [Mapping, list, tuple, None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def capacity_report(X, y, constructions=None, *, random_state=0):
    """Build every construction on the data; compare with theorem and lower bounds.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The samples.
    y : array-like of shape (n_samples,)
        Their labels, of at least two classes.
    constructions : dict, list or None, default=None
        Estimators, by name or not. Those that are fitted are taken as they are; the
        others are cloned and fitted. None: all classifiers of the package.
    random_state : int, RandomState instance or None, default=0
        Determines the covering, and the networks of the default constructions.

    Returns
    -------
    report : CapacityReport
        Table with, for each construction: its assumption and whether these data meet
        it; what is impossible, promised and built; depth, bits per weight and time.

    Raises
    ------
    ValueError
        If there is one class only, or if the input is not valid.
    TypeError
        If a construction has no `network_` after `fit`.

    Notes
    -----
    Identical samples with different labels are resolved by majority, as the
    estimators do. A construction that fails with `InterpolationError` keeps its row,
    which says why.

    Lower bounds say what no network of the kind can do, each with its reason and source
    (`CapacityRow.lower_bounds`). The strongest speak of these samples and labels: as
    many hyperplanes as labels change on a line, and as many cells as classes. On data
    in general place they are weak, for no better ones can be proved there without
    looking at all hyperplanes. Others speak of any labels that these samples might
    have: the cells that tell N samples apart, the Vapnik-Chervonenkis dimension. The
    weakest hold for the worst case of as many samples: on a moment curve for slabs, and
    for two hidden layers of ReLU nodes. Networks narrower than the number of features
    can promise nothing of new samples.

    Sizes marked "up to constants" are the theorem's formula with all constants set to
    one. They tell how a size grows, and nothing about its absolute value.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_memorize import NearbySetClassifier, SmallReLUClassifier
    >>> from sklearn_memorize.inspection import capacity_report
    >>> X, y = load_iris(return_X_y=True)
    >>> report = capacity_report(X, y, [NearbySetClassifier(), SmallReLUClassifier()])
    >>> [(row.construction, row.interpolates) for row in report.rows]
    [('NearbySetClassifier', True), ('SmallReLUClassifier', True)]
    """
    geometry = MeasuredGeometry(X, y, random_state)
    if len(np.unique(geometry.labels)) < 2:
        first = ""
        if geometry.n_conflicts:
            first = f"With one label for each of {geometry.n_conflicts} rows that had "
            first += "several (that of most), "
        raise ValueError(f"{first}y has one class only; there is nothing to memorize.")
    named = _named(constructions, random_state)
    rows = [_measure(*construction, X, y, geometry) for construction in named.items()]
    return CapacityReport(tuple(rows), _summary(geometry))


class MeasuredGeometry:
    """What theorems ask about labelled data, computed when they do.

    Identical samples count once, with the label that most of them carry.
    """

    def __init__(self, X, y, random_state):
        X, names, labels = check_labelled(X, y)
        first, inverse = distinct_rows(X)
        self.n_classes = len(names)
        self.n_given = len(X)
        self.X = X[first]
        resolved = resolve_labels(inverse, labels, None, len(first))
        self.labels, self.n_conflicts = resolved
        self.n_samples, self.n_features = self.X.shape
        # A class may have lost all its samples to others.
        self.class_sizes = np.bincount(self.labels, minlength=self.n_classes)
        self._seeds = draw_seeds(random_state, 2)

    @cached_property
    def radius(self) -> float:
        """R, the largest distance from the mean."""
        return radius(self.X)

    @cached_property
    def distance(self) -> float:
        """The smallest distance between different labels."""
        return separation(self.X, self.labels).distance

    @cached_property
    def delta(self) -> float:
        """The same in units of the radius."""
        if self.radius == 0:
            return math.inf
        return max(self.distance / self.radius, _SMALLEST)  # it may underflow

    @cached_property
    def covering(self) -> MutualCovering:
        """A mutual covering of each class and the rest."""
        return mutual_covering(self.X, self.labels, random_state=self._seeds[0])

    @cached_property
    def n_own_balls(self) -> np.ndarray:
        """M- of each class."""
        return self.covering.n_own

    @cached_property
    def n_rest_balls(self) -> np.ndarray:
        """M+ of each class."""
        return self.covering.n_rest

    @cached_property
    def omega(self) -> float:
        """Largest Gaussian width of a ball's members, in units of the radius."""
        rng = np.random.default_rng(self._seeds[1])
        directions = rng.standard_normal((self.n_features, _N_DIRECTIONS))
        heights = (self.X - self.X.mean(axis=0)) @ directions
        covers = [c for pair in self.covering.coverings for c in (pair.own, pair.rest)]
        widths = [
            (heights[ball].max(axis=0) - heights[center]).mean()
            for cover in covers
            for center, ball in zip(cover.centers, cover.members, strict=True)
        ]
        return max(widths) / self.radius

    @cached_property
    def rank(self) -> int:
        """Dimension of the affine hull of the samples."""
        return int(np.linalg.matrix_rank(self.X - self.X.mean(axis=0)))

    @cached_property
    def changes_on_lines(self) -> int:
        """How often labels change on a line on which one feature varies, at most."""
        return changes_on_lines(self.X, self.labels)


def _summary(geometry: MeasuredGeometry) -> str:
    parts = [
        f"{geometry.n_samples:,} distinct samples (of {geometry.n_given:,})",
        f"{geometry.n_features:,} features",
        f"{geometry.n_classes} classes",
        f"radius {geometry.radius:.4g}",
        f"class distance {geometry.distance:.4g}",
    ]
    if geometry.n_conflicts:
        parts.append(f"{geometry.n_conflicts} rows with several labels (by majority)")
    return ", ".join(parts)


def _named(constructions, random_state) -> dict:
    if isinstance(constructions, Mapping):
        return dict(constructions)
    if constructions is None:
        constructions = [kind() for kind in all_estimators()]
        constructions = [
            each
            for each in constructions
            if is_classifier(each) and builds_network(type(each))
        ]
        # Each network as its theorem has it: one draw of random hyperplanes.
        fixed = {"random_state": random_state, "hyperplanes": "random", "n_draws": 1}
        for estimator in constructions:
            known = fixed.keys() & estimator.get_params().keys()
            estimator.set_params(**{name: fixed[name] for name in known})
    named: dict = {}
    for estimator in constructions:
        name = type(estimator).__name__
        same = sum(key.partition(" #")[0] == name for key in named)
        named[f"{name} #{same + 1}" if same else name] = estimator
    return named


def _measure(name: str, estimator, X, y, geometry: MeasuredGeometry) -> CapacityRow:
    built: dict = {}
    try:
        estimator, seconds = _fitted(estimator, X, y)
    except InterpolationError as error:
        built["failure"] = str(error)
    else:
        network = getattr(estimator, "network_", None)
        if network is None:
            raise TypeError(
                f"{name} has no `network_` after `fit`; capacity_report compares the "
                "memorizing estimators of this package."
            )
        built = {
            "built_neurons": network.n_neurons,
            "built_parameters": network.n_parameters,
            "depth": network.depth,
            "width": max(network.widths[:-1], default=1),
            "bits_per_weight": bits_per_parameter(network),
            "fit_seconds": seconds,
            "interpolates": bool(estimator.interpolates_),
        }
    prediction = _UNKNOWN
    bounds: tuple[LowerBound, ...] = ()
    # Theorems only read: that some of it is computed when read does not matter.
    read = cast(Geometry, geometry)
    for construction in all_constructions():
        if type(estimator) in construction.estimators:
            prediction = construction.predict_size(read, estimator)
            bounds = construction.lower_bounds(read, estimator)
            bounds += (width_to_generalize(read),)
    return CapacityRow(
        name,
        prediction.assumption,
        prediction.evidence,
        prediction.met,
        prediction.kind,
        prediction.n_neurons,
        prediction.n_parameters,
        **built,
        lower_bounds=bounds,
    )


def _fitted(estimator, X, y):
    """Return the estimator fitted, and the time that took (None if it was)."""
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        estimator = clone(estimator)
    else:
        return estimator, None
    start = time.perf_counter()
    with warnings.catch_warnings():
        # The summary counts the conflicts once for all.
        warnings.simplefilter("ignore", ConflictingLabelsWarning)
        estimator.fit(X, y)
    return estimator, time.perf_counter() - start


def bits_per_parameter(network) -> float | None:
    """Return how many bits a nonzero weight or bias takes on the mean; None of none.

    Integers take the bits of the largest one of their layer, and one for the sign if
    any is negative; other numbers those of the smallest floating point type that holds
    all of their layer. Networks that are too large to be written out say it themselves.
    """
    known = getattr(network, "bits_per_parameter", None)
    if known is not None:
        return known
    n_bits = n_values = 0
    for layer in network.layers:
        weights = layer.weights
        weights = weights.data if sparse.issparse(weights) else weights
        for values in (weights, layer.biases):
            values = values[values != 0]
            n_values += values.size
            n_bits += values.size * _bits(values)
    return n_bits / n_values if n_values else None


def _bits(values: np.ndarray) -> int:
    """Return the bits that each of some nonzero numbers takes, all in one format."""
    if values.size == 0:
        return 0
    if values.dtype == object:
        return max(int(abs(v)).bit_length() for v in values.flat) + any(values < 0)
    if np.all(values == np.rint(values)) and np.abs(values).max() < 2.0**62:
        largest = int(np.abs(values).max())
        return largest.bit_length() + bool((values < 0).any())
    with np.errstate(over="ignore"):
        return 32 if np.all(values.astype(np.float32) == values) else 64
