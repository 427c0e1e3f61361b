"""Hypothesis strategies: labelled data that break what is not exact."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

SMALLEST = np.nextafter(0.0, 1.0)
seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True)
class Problem:
    """What goes into `fit`, and how it came about."""

    X: object
    y: object
    sample_weight: np.ndarray | None
    made_of: tuple = field(default=())

    def dense(self) -> np.ndarray:
        """Return the samples as the estimators read them."""
        X = self.X.toarray() if sparse.issparse(self.X) else np.asarray(self.X)
        return X if X.dtype == np.float32 else X.astype(np.float64)


# Clouds of points: (rng, n_samples, n_features) -> array.


def gaussian(rng, n, d):
    return rng.standard_normal((n, d))


def grid(rng, n, d):
    return rng.integers(-1, 2, (n, d)).astype(float)


def binary(rng, n, d):
    return rng.integers(0, 2, (n, d)).astype(float)


def collinear(rng, n, d):
    return rng.integers(-n, n + 1, (n, 1)) * rng.standard_normal((1, d))


def one_ray(rng, n, d):
    return rng.integers(1, 2 * n + 1, (n, 1)) * rng.integers(0, 3, (1, d))


def coplanar(rng, n, d):
    return rng.integers(-3, 4, (n, 2)) @ rng.standard_normal((2, d))


def all_equal(rng, n, d):
    return np.tile(rng.standard_normal((1, d)), (n, 1))


def constant_columns(rng, n, d):
    X = rng.standard_normal((n, d))
    X[:, rng.random(d) < 0.5] = rng.standard_normal()
    return X


def repeated_columns(rng, n, d):
    return rng.standard_normal((n, d))[:, rng.integers(0, d, d)]


def repeated_rows(rng, n, d):
    return rng.standard_normal((n, d))[rng.integers(0, n, n)]


def denormal(rng, n, d):
    return rng.integers(-4, 5, (n, d)) * SMALLEST


def signed_zeros(rng, n, d):
    return rng.choice([0.0, -0.0, 1.0, -1.0], (n, d))


def neighbouring_doubles(rng, n, d):
    """Points that differ in the last bit of some coordinates."""
    X = np.tile(rng.standard_normal((1, d)), (n, 1))
    moved = rng.random((n, d)) < 0.3
    return np.where(moved, np.nextafter(X, rng.choice([-9.0, 9.0], (n, d))), X)


def near_pairs(rng, n, d):
    """Pairs of points at distances down to one unit in the last place."""
    X = rng.standard_normal((n, d))
    half = n // 2
    gap = 10.0 ** -rng.integers(3, 17, (half, 1))
    X[half : 2 * half] = X[:half] * (1 + gap * rng.integers(-1, 2, (half, d)))
    return X


def unlike_columns(rng, n, d):
    return rng.standard_normal((n, d)) * 10.0 ** rng.integers(-150, 151, d)


def unlike_rows(rng, n, d):
    return rng.standard_normal((n, d)) * 10.0 ** rng.integers(-150, 151, (n, 1))


def far_away(rng, n, d):
    offset = 10.0 ** rng.integers(1, 16) * rng.choice([-1, 1], d)
    return rng.standard_normal((n, d)) + offset


def one_outlier(rng, n, d):
    X = rng.standard_normal((n, d))
    X[0] *= 10.0 ** rng.integers(3, 100)
    return X


def integers(rng, n, d):
    return rng.integers(-100, 100, (n, d)).astype(float)


def large_integers(rng, n, d):
    return (2**53 - rng.integers(0, 9, (n, d))).astype(float)


def mostly_zero(rng, n, d):
    return np.where(rng.random((n, d)) < 0.15, rng.integers(-3, 4, (n, d)), 0.0)


def antipodal(rng, n, d):
    X = rng.standard_normal((n, d))
    X[n // 2 : 2 * (n // 2)] = -X[: n // 2]
    return X


def clusters(rng, n, d):
    centers = rng.standard_normal((3, d))
    return centers[rng.integers(0, 3, n)] + 1e-6 * rng.standard_normal((n, d))


OFFSETS = 10.0 ** np.arange(-1, 16)
SPREADS = 10.0 ** np.arange(-15, 1)


def offset_and_spread(rng, n, d):
    """Points around 0, or up to 1e15 from it, of extent 1e-15 to 1."""
    offset = rng.choice(OFFSETS) * (rng.random() < 0.9)
    return offset + rng.choice(SPREADS) * rng.standard_normal((n, rng.choice([1, d])))


def one_ulp_apart(rng, n, d):
    """Twice the same points, but for the last bit of one of many coordinates."""
    X = rng.standard_normal((n, 1000 if rng.random() < 0.1 else d))
    half, column = n // 2, rng.integers(X.shape[1])
    X[half : 2 * half] = X[:half]
    X[half : 2 * half, column] = np.nextafter(X[:half, column], 9.0)
    return X


def lattice(rng, n, d):
    return np.stack(np.unravel_index(rng.permutation(4**4)[:n], [4] * 4), 1) * 1.0


def evenly_on_a_line(rng, n, d):
    return np.arange(n)[:, np.newaxis] * rng.integers(1, 4, (1, d)) * 1.0


def scales_of_all_sizes(rng, n, d):
    return rng.standard_normal((n, d)) * 10.0 ** rng.integers(-300, 301, (n, d))


def unscaled_column(rng, n, d):
    X = rng.standard_normal((n, d))
    X[:, 0] = rng.lognormal(10, 1, n)
    return X


def one_outlying_entry(rng, n, d):
    X = rng.standard_normal((n, d))
    X[rng.integers(n), rng.integers(d)] = 1e6
    return X


def time_stamps(rng, n, d):
    """Nanoseconds since 1970."""
    return 1.7e18 + 1000.0 * rng.permutation(n)[:, np.newaxis]


def tiny_beside_a_constant(rng, n, d):
    size = rng.choice([1e-19, 1e-45, 1e-300])
    return np.column_stack([np.ones(n), size * rng.permutation(n)])


CLOUDS = (
    gaussian, grid, binary, collinear, one_ray, coplanar, all_equal, constant_columns,
    repeated_columns, repeated_rows, denormal, signed_zeros, neighbouring_doubles,
    near_pairs, unlike_columns, unlike_rows, far_away, one_outlier, integers,
    large_integers, mostly_zero, antipodal, clusters, offset_and_spread, one_ulp_apart,
    lattice, evenly_on_a_line, scales_of_all_sizes, unscaled_column, one_outlying_entry,
    time_stamps, tiny_beside_a_constant,
)  # fmt: skip
SCALES = (1.0, 1.0, 1.0, 2.0**-30, 1e5, 1e-150, 1e150, 1e-40, 1e39)


# Containers: array -> the same values, held in another way.


def _strided(X):
    room = np.full((2 * X.shape[0], 3 * X.shape[1]), 7, dtype=X.dtype)
    room[::2, 1::3] = X
    return room[::2, 1::3]


def _read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def _data_frame(X):
    import pandas as pd

    names = [f"feature {i}" for i in range(X.shape[1])]
    return pd.DataFrame(X, columns=names, index=np.arange(len(X))[::-1])


def _polars_frame(X):
    import polars as pl

    return pl.DataFrame(X, schema=[f"feature {i}" for i in range(X.shape[1])])


def _with_explicit_zeros(X):
    """Return a CSR matrix that stores zeros, out of order."""
    n, d = X.shape
    indices = np.tile(np.arange(d)[::-1], n)
    return sparse.csr_matrix(
        (X[:, ::-1].ravel(), indices, np.arange(n + 1) * d), (n, d)
    )


def _with_duplicate_entries(X):
    """Return a CSR matrix whose entries are sums of two stored ones."""
    n, d = X.shape
    data = np.stack([X, np.zeros_like(X)], axis=2).ravel()
    indices = np.tile(np.repeat(np.arange(d), 2), n)
    return sparse.csr_array((data, indices, np.arange(n + 1) * 2 * d), (n, d))


CONTAINERS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": _strided,
    "reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": _read_only,
    "list": lambda X: X.tolist(),
    "csr": sparse.csr_array,
    "csc": sparse.csc_matrix,
    "coo": sparse.coo_array,
    "zeros stored": _with_explicit_zeros,
    "stored twice": _with_duplicate_entries,
    "pandas": _data_frame,
}
try:
    import polars  # noqa: F401

    CONTAINERS["polars"] = _polars_frame
except ImportError:
    pass

LABELLINGS = {
    "random": lambda rng, n: rng.integers(0, min(n, 3), n),
    "two": lambda rng, n: rng.integers(0, 2, n),
    "many": lambda rng, n: rng.integers(0, n, n),
    "one each": lambda rng, n: rng.permutation(n),
    "one": lambda rng, n: np.zeros(n, dtype=int),
    "one against all": lambda rng, n: (np.arange(n) == 0).astype(int),
    "alternating": lambda rng, n: np.arange(n) % 2,
}
NAMES = np.array(["", "Ä", "a b", "nan", "0", "long " * 5])
LABEL_TYPES = {
    "int": lambda y: y,
    "negative": lambda y: -3 * y,
    "int8": lambda y: (y % 100).astype(np.int8),
    "uint64": lambda y: y.astype(np.uint64) + np.uint64(2**63),
    "float": lambda y: y.astype(float),
    "bool": lambda y: y % 2 == 0,
    "str": lambda y: np.char.add(NAMES[y % len(NAMES)], y.astype(str)),
    "object": lambda y: np.char.add("class ", y.astype(str)).astype(object),
    "list": lambda y: [f"{number:03d}" for number in y],
}
WEIGHTS = {
    "none": lambda rng, n: None,
    "equal": lambda rng, n: np.full(n, 0.1),
    "zeros": lambda rng, n: rng.permutation(np.arange(n) % 2).astype(float) + (n == 1),
    "any": lambda rng, n: 10.0 ** rng.integers(-300, 300, n),
    "close": lambda rng, n: 1 + rng.integers(0, 3, n) * 2.0**-52,
    "largest": lambda rng, n: np.full(n, np.finfo(float).max),
}
DTYPES = (np.float64, np.float64, np.float64, np.float32, np.float32, np.float16,
          np.int64, np.int8, np.uint8, bool)  # fmt: skip


def _cast(X, dtype):
    """Return the values as `dtype` holds them, all finite."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        if dtype is bool:
            return X > 0
        if np.issubdtype(dtype, np.integer):
            limits = np.iinfo(dtype)
            X = np.clip(np.nan_to_num(np.rint(X)), -(2.0**62), 2.0**62)
            return X.astype(np.int64).clip(limits.min, limits.max).astype(dtype)
        limit = np.finfo(dtype).max
        return np.clip(X.astype(np.float64), -float(limit), float(limit)).astype(dtype)


finite = st.floats(allow_nan=False, allow_infinity=False)
few_values = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 1 + 2.0**-52, SMALLEST, 1e300])


@st.composite
def clouds(draw, max_samples=40, max_features=12):
    """Return points as float64, and how they were made."""
    n = draw(st.integers(1, max_samples), label="n_samples")
    d = draw(st.integers(1, max_features), label="n_features")
    kind = draw(st.sampled_from((*CLOUDS, None, None)), label="cloud")
    if kind is None:
        values = draw(st.sampled_from([finite, few_values]))
        return draw(hnp.arrays(np.float64, (min(n, 6), min(d, 4)), elements=values)), ()
    rng = np.random.default_rng(draw(seeds))
    scale = draw(st.sampled_from(SCALES), label="scale")
    with np.errstate(over="ignore", under="ignore"):
        X = np.nan_to_num(kind(rng, n, d) * scale)
    return X, (kind.__name__, scale)


@st.composite
def problems(draw, max_samples=40, max_features=12, targets=False):
    """Return a labelled data set; with `targets`, one for regression."""
    X, made_of = draw(clouds(max_samples, max_features))
    dtype = draw(st.sampled_from(DTYPES), label="dtype")
    container = draw(st.sampled_from(sorted(CONTAINERS)), label="container")
    if container in ("csc", "coo", "csr", "zeros stored", "stored twice") and (
        dtype is np.float16
    ):
        dtype = np.float32  # SciPy knows no sparse half precision
    rng = np.random.default_rng(draw(seeds))
    weights = draw(st.sampled_from(sorted(WEIGHTS)), label="weights")
    if targets:
        label_type = "target"
        y, labelling = draw(target_values(len(X)))
    else:
        labelling = draw(st.sampled_from(sorted(LABELLINGS)), label="labels")
        label_type = draw(st.sampled_from(sorted(LABEL_TYPES)), label="label type")
        y = LABEL_TYPES[label_type](LABELLINGS[labelling](rng, len(X)))
    made_of = (
        *made_of,
        np.dtype(dtype).name,
        container,
        labelling,
        label_type,
        weights,
    )
    return Problem(
        CONTAINERS[container](_cast(X, dtype)),
        y,
        WEIGHTS[weights](rng, len(X)),
        made_of,
    )


@st.composite
def target_values(draw, n_samples):
    """Return one or several targets for each sample, and how they were made."""
    rng = np.random.default_rng(draw(seeds))
    shape = (
        (n_samples,) if draw(st.booleans()) else (n_samples, draw(st.integers(1, 3)))
    )
    kind = draw(st.sampled_from(["gaussian", "integers", "equal", "far", "any"]))
    if kind == "any":
        return draw(hnp.arrays(np.float64, shape, elements=finite)), kind
    scale = draw(st.sampled_from(SCALES))
    y = {
        "gaussian": rng.standard_normal(shape),
        "integers": rng.integers(-3, 4, shape),
        "equal": np.ones(shape),
        "far": rng.standard_normal(shape) + 1e12,
    }[kind]
    return y * scale, kind
