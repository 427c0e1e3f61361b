"""The cases of digest.py: every estimator, its options, and what is refused."""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from _digest_data import (
    ALL_DATA,
    DATA,
    REAL_TARGETS,
    REFUSED,
    STORED,
    STRIPES,
    THREE,
    Data,
    mapped,
    mostly_zero,
)
from scipy import sparse

import sklearn_memorize
from sklearn_memorize import datasets, inspection, model_selection

# The setting of the paper, of parameters that there are.
PAPER = {"hyperplanes": "random", "n_draws": 4, "n_votes": 3}
# What is told of a fit, and was not when digests were first taken.
NEW_ATTRIBUTES = (
    "loo_decision_function_",
    "loo_indices_",
    "loo_score_",
    "n_draws_",
    "n_separating_hyperplanes_",
    "n_votes_",
)
# Layers that no solver of SciPy, and no LAPACK of NumPy, has computed; None stands for
# all.
N_PORTABLE_LAYERS = {
    "RandomReLUClassifier": 1,
    "ResidualMemorizingClassifier": 0,
    "SlabClassifier": 0,
}
CLASSIFIERS = (
    "BitExtractionClassifier",
    "DeepThresholdClassifier",
    "MemorizingClassifier",
    "NearbySetClassifier",
    "RandomReLUClassifier",
    "ResidualMemorizingClassifier",
    "SlabClassifier",
    "SmallReLUClassifier",
)
# What networks tell of themselves beside their layers; each kind tells some of it.
FACTS = (
    "n_inputs",
    "depth",
    "widths",
    "n_neurons",
    "n_parameters",
    "quorum",
    "n_blocks",
    "blocks",
    "bits_per_weight",
    "bits_per_parameter",
    "direction",
    "smallest_gap",
    "largest_slope",
    "centers",
    "center_labels",
)


Steps = Iterator[tuple[str, Any]]


class Case(NamedTuple):
    """Something to run; its steps yield the name of a column and what goes into it."""

    name: str
    steps: Callable[[], Steps]
    n_layers: int | None = None
    needs: str | None = None


# --- What identifies an estimator ----------------------------------------------------


def fitted_attributes(estimator) -> dict:
    """Return the public attributes that end in an underscore, but for the network."""
    names = [name for name in dir(estimator) if re.fullmatch("[^_].*[^_]_", name)]
    return {
        name: getattr(estimator, name)
        for name in names
        if name not in ("network_", "hyperplanes_", *NEW_ATTRIBUTES)
        and hasattr(estimator, name)
    }


def facts_of(network) -> dict:
    facts = {name: getattr(network, name) for name in FACTS if hasattr(network, name)}
    return {name: fact for name, fact in facts.items() if not callable(fact)}


def described(estimator, new) -> Steps:
    """Describe what was fitted, and what it says of new rows."""
    if hasattr(estimator, "network_"):
        for layer in estimator.network_.layers:
            yield "network", layer
        yield "network", facts_of(estimator.network_)
    else:
        hyperplanes = estimator.hyperplanes_
        for activation in ("threshold", "relu"):
            yield "network", hyperplanes.layer(activation)
        yield "network", [hyperplanes.n_hyperplanes, hyperplanes.n_parameters]
    yield "network", fitted_attributes(estimator)
    for rows in new:
        for method in ("predict", "decision_function", "transform"):
            if hasattr(estimator, method):
                answers = getattr(estimator, method)(rows)
                is_lazy = hasattr(answers, "compute")
                yield "answers", answers.compute() if is_lazy else answers
        network = getattr(estimator, "network_", None)
        if isinstance(rows, np.ndarray) and rows.dtype.kind == "f":
            yield "answers", None if network is None else network.forward(rows)


def fitting(estimator, data: Data) -> Steps:
    if data.sample_weight is None:
        estimator.fit(data.X, data.y)
    else:
        estimator.fit(data.X, data.y, sample_weight=data.sample_weight)
    yield from described(estimator, data.new)


def new_estimator(name: str, **options):
    """Return an estimator with a seed, if it takes one."""
    kind = getattr(sklearn_memorize, name)
    if name == "MemorizingClassifier":
        known = kind().get_params()
        paper = {key: value for key, value in PAPER.items() if key in known}
        options = {**paper, **options}
    estimator = kind(**options)
    if "random_state" in estimator.get_params():
        estimator.set_params(**{"random_state": 0, **options})
    return estimator


# --- The options ---------------------------------------------------------------------

RELU = {"activation": "relu", "min_hyperplanes": 200}
# Name of the estimator, names of data sets, options.
OPTIONS: list[tuple[str, str, dict]] = [
    *[
        ("MemorizingClassifier", names, options)
        for names, options in (
            ("three-classes two-features digits sparse", RELU),
            ("conflicts weights far-away single-precision one-class", RELU),
            ("three-classes digits two-features", {"n_draws": 1}),
            ("three-classes", {"n_draws": 1, "keep": "best"}),
            ("three-classes digits", {"n_draws": 3, "keep": "best"}),
            ("three-classes two-classes digits", {"covering": "greedy"}),
            ("three-classes two-features sparse", {"prune": True}),
            ("digits stripes weights", {"covering": "greedy", "prune": True}),
            ("stripes two-features", {"covering": "greedy", "n_draws": 1, **RELU}),
            ("three-classes digits", {"prune": True, **RELU}),
            ("two-classes two-features text-labels", {"one_sided": True}),
            ("two-features", {"one_sided": True, "decision": "network"}),
            ("two-features", {"one_sided": True, "prune": True, **RELU}),
            ("three-classes two-classes digits", {"decision": "network"}),
            ("digits two-features", {"decision": "network", "n_draws": 1, **RELU}),
            ("digits", {"n_votes": 1}),
            ("three-classes digits", {"n_votes": 10**6}),
            ("stripes", {"n_votes": 5, **RELU}),
            ("three-classes far-away", {"max_bias": 0}),
            ("three-classes", {"max_bias": 0, **RELU}),
            ("three-classes two-features", {"max_bias": 3.5}),
            ("three-classes two-features digits", {"center": False}),
            ("far-away", {"center": False, "max_bias": 1e-3, "max_hyperplanes": 2000}),
            ("three-classes digits two-features", {"n_hyperplanes": 64}),
            ("three-classes grid", {"n_hyperplanes": 1}),
            ("digits", {"n_hyperplanes": 40, **RELU}),
            ("sparse seventeen-features", {"n_hyperplanes": 700, "n_draws": 1}),
            ("near-pairs digits", {"min_hyperplanes": 16}),
            ("near-pairs", {"min_hyperplanes": 16, "max_hyperplanes": 128}),
            ("near-pairs", {"max_hyperplanes": 60, "covering": "greedy"}),
            ("digits", {"n_jobs": 2}),
            ("digits", {"n_jobs": 2, "n_draws": 1, "random_state": 9}),
        )
    ],
    *[
        ("NearbySetClassifier", "three-classes stripes grid weights", options)
        for options in ({"cover_radius": 0}, {"cover_radius": 0.1})
    ],
    *[
        ("DeepThresholdClassifier", names, options)
        for names, options in (
            ("three-classes grid", {"n_hyperplanes": 100}),
            ("digits", {"n_hyperplanes": 3}),
            ("stripes", {"n_word_bits": 12}),
            ("stripes", {"n_word_bits": 2}),
            ("stripes", {"n_hyperplanes": 40, "n_word_bits": 52}),
            ("three-classes", {"min_hyperplanes": 64, "max_bias": 0}),
            ("three-classes", {"center": False, "max_bias": 2.0}),
            ("near-pairs", {"max_hyperplanes": 256}),
        )
    ],
    *[
        (name, names, options)
        for name in ("SmallReLUClassifier", "SmallReLURegressor")
        for names, options in (
            ("stripes", {"n_projections": 1}),
            ("stripes weights", {"n_layers": 4}),
            ("two-classes sparse", {"n_layers": 9}),
        )
    ],
    ("SmallReLUClassifier", "close-on-line", {}),
    *[
        ("BitExtractionClassifier", names, options)
        for names, options in (
            ("three-classes", {"n_projections": 1}),
            ("two-classes", {"n_projections": 1, "random_state": 3}),
            ("near-pairs", {"max_bits": 40}),
        )
    ],
    *[
        (name, "grid three-classes conflicts", {"degenerate": "raise"})
        for name in ("SlabClassifier", "ResidualMemorizingClassifier")
    ],
    *[
        ("RandomReLUClassifier", names, options)
        for names, options in (
            ("stripes digits", {"maximum_margin": False}),
            ("stripes", {"n_hyperplanes": 300}),
            ("three-classes", {"n_hyperplanes": 5}),
            ("stripes", {"min_hyperplanes": 200, "max_bias": 0.0}),
            ("stripes", {"center": False, "max_bias": 2}),
            ("three-classes", {"max_hyperplanes": 20}),
            ("three-classes", {"max_iter": 1, "max_hyperplanes": 60}),
            ("digits", {"n_jobs": 2}),
        )
    ],
    *[
        ("RandomThresholdTransformer", names, options)
        for names, options in (
            ("three-classes two-features digits sparse single-precision", {}),
            ("far-away signed-zeros huge tiny", {"n_hyperplanes": 70}),
            ("three-classes sparse", {"sparse_output": True, "n_hyperplanes": 65}),
            ("three-classes", {"max_bias": 0.0, "n_hyperplanes": 33}),
            ("far-away", {"center": False, "max_bias": 4, "n_hyperplanes": 1}),
        )
    ],
    # What is refused.
    *[
        ("MemorizingClassifier", "three-classes", options)
        for options in (
            {"one_sided": True},
            {"activation": "sigmoid"},
            {"max_bias": -1.0},
            {"n_hyperplanes": 0},
            {"n_draws": 1.5},
        )
    ],
    ("DeepThresholdClassifier", "three-classes", {"n_word_bits": 53}),
    ("NearbySetClassifier", "three-classes", {"cover_radius": 0.5}),
    ("SmallReLURegressor", "stripes", {"n_layers": 2}),
    ("BitExtractionClassifier", "stripes", {"max_bits": 0}),
    *[(name, "conflicts", {"conflicts": "raise"}) for name in CLASSIFIERS],
    ("SmallReLURegressor", "conflicts", {"conflicts": "raise"}),
]


# --- Cases of their own --------------------------------------------------------------


def small(**options):
    return new_estimator("MemorizingClassifier", **{"min_hyperplanes": 64, **options})


def in_batches(data: Data, n_batches=3, *, by_class=False, **options) -> Steps:
    """Describe the network after each batch."""
    estimator = small(**options)
    order = np.argsort(data.y, kind="stable") if by_class else np.arange(len(data.y))
    for batch in np.array_split(order, n_batches):
        weights = data.sample_weight
        estimator.partial_fit(
            data.X[batch],
            data.y[batch],
            classes=np.unique(data.y),
            sample_weight=None if weights is None else weights[batch],
        )
        yield from described(estimator, data.new)


def growing_radius() -> Data:
    """Return data whose last batch lies far outside of the others."""
    X = THREE.X.copy()
    X[80:] *= 50.0
    return THREE._replace(X=X)


def attempts(estimator, new, *calls) -> Steps:
    """Make calls one after the other; describe what is fitted after each of them."""
    for call in calls:
        try:
            call(estimator)
        except Exception as error:
            yield "messages", [type(error).__name__, str(error)]
        if hasattr(estimator, "network_"):
            yield from described(estimator, new)
        else:
            yield "network", sorted(fitted_attributes(estimator))


def batch(rows: slice, data: Data = THREE, **options):
    return lambda estimator: estimator.partial_fit(
        data.X[rows], data.y[rows], **options
    )


def whole(data: Data):
    return lambda estimator: estimator.fit(data.X, data.y)


BATCHES = {
    "plain": lambda: in_batches(THREE),
    "one-draw": lambda: in_batches(THREE, 5, n_draws=1),
    "best-draw": lambda: in_batches(THREE, n_draws=3, keep="best"),
    "class-by-class": lambda: in_batches(THREE, by_class=True),
    "relu": lambda: in_batches(THREE, **RELU),
    "relu-grows": lambda: in_batches(growing_radius(), n_draws=2, activation="relu"),
    "radius-grows": lambda: in_batches(growing_radius()),
    "greedy": lambda: in_batches(STRIPES, covering="greedy"),
    "prune": lambda: in_batches(STRIPES, prune=True),
    "one-sided": lambda: in_batches(DATA["two-features"], one_sided=True),
    "network": lambda: in_batches(DATA["digits"], decision="network"),
    "fixed": lambda: in_batches(THREE, n_hyperplanes=20),
    "conflicts": lambda: in_batches(DATA["conflicts"]),
    "weights": lambda: in_batches(DATA["weights"], 4),
    "sparse": lambda: in_batches(DATA["sparse"]),
    "single-precision": lambda: in_batches(DATA["single-precision"]),
    "far-away": lambda: in_batches(DATA["far-away"]),
    "text-labels": lambda: in_batches(DATA["text-labels"]),
    "near-pairs-refused": lambda: in_batches(DATA["near-pairs"], max_hyperplanes=128),
    "raise": lambda: in_batches(DATA["conflicts"], conflicts="raise"),
    "misused": lambda: attempts(
        small(n_draws=2),
        THREE.new,
        batch(slice(0, 40)),
        batch(slice(0, 40), classes=[0, 1]),
        batch(slice(0, 40), classes=[0, 1, 2, 9]),
        batch(slice(40, 80), classes=[0, 1, 2]),
        batch(slice(40, 80), sample_weight=np.zeros(40)),
        lambda estimator: estimator.set_params(n_draws=3),
        batch(slice(80, 120)),
        lambda estimator: estimator.set_params(n_draws=2, activation="relu"),
        batch(slice(80, 120)),
        lambda estimator: estimator.set_params(activation="threshold"),
        batch(slice(80, 120)),
    ),
    "after-fit": lambda: attempts(
        small(),
        THREE.new,
        whole(THREE),
        batch(slice(0, 40), classes=[0, 1, 2]),
        whole(STRIPES),
    ),
}


def of_dask(function, chunks=35):
    """Turn the samples of a data set into dask arrays."""

    def turned(data: Data) -> Data:
        import dask.array as da

        X = da.from_array(data.X, chunks=(chunks, -1))
        y = da.from_array(data.y, chunks=chunks)
        weights = data.sample_weight
        if weights is not None:
            weights = da.from_array(weights, chunks=chunks)
        new = (*data.new, da.from_array(data.new[0], chunks=(20, -1)))
        return function(data._replace(X=X, y=y, new=new, sample_weight=weights))

    return turned


def in_chunks(data: Data, name="MemorizingClassifier", change=lambda d: d, **options):
    """Fit to dask arrays, in this thread."""

    def steps() -> Steps:
        import dask

        with dask.config.set(scheduler="synchronous"):
            if name == "MemorizingClassifier":
                estimator = small(**options)
            else:
                estimator = new_estimator(name, **options)
            yield from fitting(estimator, of_dask(change)(data))

    return steps


def sparse_chunks(data: Data) -> Data:
    return data._replace(X=data.X.map_blocks(sparse.csr_matrix))


CHUNKS = {
    "plain": in_chunks(THREE),
    "one-draw": in_chunks(DATA["digits"], n_draws=1),
    "best-draw": in_chunks(THREE, n_draws=3, keep="best"),
    "relu": in_chunks(THREE, **RELU),
    "conflicts": in_chunks(DATA["conflicts"]),
    "weights": in_chunks(DATA["weights"]),
    "one-sided": in_chunks(DATA["two-features"], one_sided=True),
    "single-precision": in_chunks(DATA["single-precision"]),
    "far-away": in_chunks(DATA["far-away"]),
    "text-labels": in_chunks(DATA["text-labels"]),
    "one-class": in_chunks(DATA["one-class"]),
    "fixed": in_chunks(THREE, n_hyperplanes=20),
    "columns-cut": in_chunks(THREE, change=lambda d: d._replace(X=d.X.rechunk(9))),
    "labels-in-memory": in_chunks(
        THREE, change=lambda d: d._replace(y=d.y.compute()), decision="network"
    ),
    "sparse-chunks": in_chunks(mostly_zero(), change=sparse_chunks),
    "greedy": in_chunks(THREE, covering="greedy"),
    "prune": in_chunks(THREE, prune=True),
    "raise": in_chunks(DATA["conflicts"], conflicts="raise"),
    "not-a-number": in_chunks(REFUSED["not-a-number"]),
    "near-pairs-refused": in_chunks(DATA["near-pairs"], max_hyperplanes=128),
    "small-relu": in_chunks(STRIPES, "SmallReLUClassifier"),
    "nearby-set": in_chunks(STRIPES, "NearbySetClassifier"),
}


def in_a_table(name: str) -> Steps:
    import pandas as pd

    def table(X):
        return pd.DataFrame(X, columns=[f"c{column}" for column in range(X.shape[1])])

    yield from fitting(new_estimator(name), mapped(STRIPES, table))
    yield from fitting(new_estimator(name), mapped(STRIPES, table, new_too=False))


def returned(function, *arguments, **options):
    """Return steps whose answer is what a function returns."""

    def steps() -> Steps:
        yield "answers", function(*arguments, **options)

    return steps


def report() -> Steps:
    found = inspection.capacity_report(STRIPES.X, STRIPES.y)
    yield "answers", [found.summary, found.rows]


def studied(study, estimator, **options):
    """Return steps whose answer is the result of a study, without its times."""

    def steps() -> Steps:
        yield "answers", dict(study(estimator, STRIPES.X, STRIPES.y, **options))

    return steps


SMALL_RELU = new_estimator("SmallReLUClassifier")
FUNCTIONS = {
    "radius": returned(inspection.radius, THREE.X),
    "separation": returned(inspection.separation, THREE.X, THREE.y),
    "gaussian_width": returned(inspection.gaussian_width, THREE.X, random_state=0),
    "mutual_covering": returned(
        inspection.mutual_covering, STRIPES.X, STRIPES.y, random_state=0
    ),
    "memorization_scores": returned(
        inspection.memorization_scores, STRIPES.X, STRIPES.y, n_draws=2, random_state=0
    ),
    "capacity_report": report,
    "make_two_moons": returned(datasets.make_two_moons, 60, random_state=0),
    "make_parallel_lines": returned(datasets.make_parallel_lines, 60, random_state=0),
    "interpolation_study": studied(
        model_selection.interpolation_study,
        small(),
        param_grid={"n_hyperplanes": [10, 100]},
        n_repeats=2,
        random_state=0,
    ),
    "sample_size_study": studied(
        model_selection.sample_size_study,
        small(),
        sizes=[20, 80],
        n_repeats=2,
        random_state=0,
    ),
    "compare_generalization": studied(
        model_selection.compare_generalization,
        {"covers": small(), "line": SMALL_RELU},
        cv=2,
        label_noise=(0.0, 0.1),
        random_state=0,
    ),
}

# --- The list of all cases, and running them -----------------------------------------


def estimator_case(name: str, data_name: str, data: Data, options=None) -> Case:
    options = options or {}
    told = ",".join(f"{option}={value}" for option, value in options.items())
    return Case(
        "/".join(filter(None, (name, data_name, told))),
        lambda: fitting(new_estimator(name, **options), data),
        N_PORTABLE_LAYERS.get(name),
    )


def all_cases() -> list[Case]:
    cases = [
        estimator_case(name, data_name, data)
        for name in CLASSIFIERS
        for data_name, data in DATA.items()
    ]
    cases += [
        estimator_case("SmallReLURegressor", data_name, data)
        for data_name, data in REAL_TARGETS.items()
    ]
    cases += [
        estimator_case(name, data_name, data)
        for data_name, data in STORED.items()
        for name in ("MemorizingClassifier", "SlabClassifier")
    ]
    cases += [
        estimator_case(
            name,
            data_name,
            (REAL_TARGETS if name.endswith("Regressor") else ALL_DATA).get(
                data_name, ALL_DATA[data_name]
            ),
            options,
        )
        for name, data_names, options in OPTIONS
        for data_name in data_names.split()
    ]
    cases += [
        estimator_case(name, data_name, data)
        for data_name, data in REFUSED.items()
        for name in (
            "MemorizingClassifier",
            "NearbySetClassifier",
            "SmallReLURegressor",
            "RandomThresholdTransformer",
        )
    ]
    cases += [
        Case(
            f"{name}/failed-fit-changes-nothing",
            lambda name=name: attempts(
                new_estimator(name),
                THREE.new,
                lambda estimator: estimator.predict(THREE.X),
                whole(STRIPES._replace(X=STRIPES.X * np.nan)),
                whole(THREE),
                whole(REFUSED["infinite"]),
            ),
            N_PORTABLE_LAYERS.get(name),
        )
        for name in (*CLASSIFIERS, "SmallReLURegressor")
    ]
    cases += [Case(f"partial_fit/{name}", steps) for name, steps in BATCHES.items()]
    cases += [
        Case(f"dask/{name}", steps, needs="dask") for name, steps in CHUNKS.items()
    ]
    cases += [
        Case(
            f"{name}/table",
            lambda name=name: in_a_table(name),
            N_PORTABLE_LAYERS.get(name),
            needs="pandas",
        )
        for name in ("MemorizingClassifier", "SlabClassifier", "SmallReLURegressor")
    ]
    # Sums over the samples come from SciPy and scikit-learn, here and there.
    cases += [Case(f"functions/{name}", steps, 0) for name, steps in FUNCTIONS.items()]
    return cases
