"""Every public estimator, with parameters drawn by hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from .estimators import CLASSES

seeds = st.integers(0, 2**31 - 1)
either = st.booleans()
biases = st.sampled_from([0.0, 0.3, 1.0, 1, 3.0, 1e6])

# What is not named keeps its defaults. Caps are low, so that what cannot be
# memorized is refused soon.
PARAMETERS = {
    "MemorizingClassifier": {
        "hyperplanes": st.sampled_from(["adapted", "random"]),
        "n_hyperplanes": st.sampled_from(["auto", "auto", "auto", 1, 65, 200]),
        "min_hyperplanes": st.sampled_from([1, 16, 64]),
        "max_hyperplanes": st.sampled_from([1, 128, 256]),
        "separating_hyperplanes": st.sampled_from([True, True, False]),
        "max_bias": biases,
        "activation": st.sampled_from(["threshold", "threshold", "relu"]),
        "center": either,
        "ball": st.sampled_from([None, None, {"center": 0.5, "radius": 3.0}]),
        "n_draws": st.sampled_from([1, 1, 3]),
        "keep": st.sampled_from(["best", "all"]),
        "covering": st.sampled_from(["random", "greedy"]),
        "prune": either,
        "decision": st.sampled_from(["vote", "network"]),
        "n_votes": st.sampled_from(["auto", 1, 5, 10**6]),
        "n_jobs": st.sampled_from([None, None, 2]),
    },
    "NearbySetClassifier": {
        "cover_radius": st.sampled_from([0, 0.1, 1 / 3.1]),
        "n_jobs": st.sampled_from([None, 2]),
    },
    "RobustMemorizingClassifier": {
        "robustness": st.sampled_from([1e-9, 0.1, 0.5, 0.9, 1 - 2.0**-53]),
        "metric": st.sampled_from(["euclidean", "chebyshev"]),
        "n_jobs": st.sampled_from([None, 2]),
    },
    "DeepThresholdClassifier": {
        "n_hyperplanes": st.sampled_from(["auto", "auto", "auto", 1, 64, 100]),
        "min_hyperplanes": st.sampled_from([1, 64]),
        "max_hyperplanes": st.sampled_from([1, 256]),
        "max_bias": biases,
        "center": either,
        "n_word_bits": st.sampled_from(["auto", "auto", 1, 12, 52]),
    },
    "SmallReLUClassifier": {
        "n_projections": st.sampled_from([1, 10]),
        "n_layers": st.sampled_from([3, 3, 4, 9]),
    },
    "SmallReLURegressor": {
        "n_projections": st.sampled_from([1, 10]),
        "n_layers": st.sampled_from([3, 3, 4, 9]),
    },
    "BitExtractionClassifier": {
        "n_projections": st.sampled_from([1, 10]),
        "max_bits": st.sampled_from([40, 10_000, 10_000, 10_000]),
        "n_layers": st.sampled_from([3, 5, 9, 60, 200, 1000]),
    },
    "NarrowClassifier": {"n_projections": st.sampled_from([1, 10])},
    "SlabClassifier": {
        "degenerate": st.sampled_from(["split", "split", "raise"]),
        "n_jobs": st.sampled_from([None, None, 2]),
    },
    "SlabRegressor": {
        "degenerate": st.sampled_from(["split", "split", "raise"]),
        "n_projections": st.sampled_from([1, 10]),
        "n_jobs": st.sampled_from([None, None, 2]),
    },
    "ResidualMemorizingClassifier": {
        "degenerate": st.sampled_from(["split", "split", "raise"]),
        "n_jobs": st.sampled_from([None, None, 2]),
    },
    "RandomReLUClassifier": {
        "n_hyperplanes": st.sampled_from(["auto", "auto", "auto", 1, 40]),
        "min_hyperplanes": st.sampled_from([1, 16]),
        "max_hyperplanes": st.sampled_from([1, 90]),
        "max_bias": biases,
        "center": either,
        "maximum_margin": either,
        "max_iter": st.sampled_from([1, 50]),
    },
    "MemorizingRegressor": {
        "n_hyperplanes": st.sampled_from([1, 20, 500]),
        "n_projections": st.sampled_from([1, 10]),
        "n_jobs": st.sampled_from([None, None, 2]),
    },
    "InterpolatingNeighborsClassifier": {
        "weights": st.sampled_from(["singular", "singular", "hilbert"]),
        "n_neighbors": st.sampled_from(["auto", "auto", 1, 3, 10**9]),
        "exponent": st.sampled_from(["auto", 1e-300, 0.5, 2, 1e300]),
        "n_jobs": st.sampled_from([None, 2]),
    },
    "InterpolatingNeighborsRegressor": {
        "weights": st.sampled_from(["singular", "singular", "hilbert"]),
        "n_neighbors": st.sampled_from(["auto", "auto", 1, 3, 10**9]),
        "exponent": st.sampled_from(["auto", 1e-300, 0.5, 2, 1e300]),
        "n_jobs": st.sampled_from([None, 2]),
    },
    "RandomThresholdTransformer": {
        "n_hyperplanes": st.sampled_from([1, 64, 70]),
        "max_bias": biases,
        "center": either,
        "sparse_output": either,
    },
}


@st.composite
def estimators(draw, name):
    """Return an estimator that has not been fitted, with most parameters drawn."""
    kind, drawn = CLASSES[name], PARAMETERS.get(name, {})
    chosen = draw(st.fixed_dictionaries({}, optional=drawn))
    for parameter in ("min_hyperplanes", "max_hyperplanes"):
        if parameter in drawn:
            chosen.setdefault(parameter, draw(drawn[parameter]))
    if name == "MemorizingClassifier":  # refuses to end below where it begins
        smallest = chosen["min_hyperplanes"]
        chosen["max_hyperplanes"] = max(smallest, chosen["max_hyperplanes"])
    if "random_state" in kind().get_params():
        chosen["random_state"] = draw(seeds)
    return kind(**chosen)
