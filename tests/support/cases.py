"""Whatever is generated for each public estimator and function, as calls of a judge."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec

from hypothesis import strategies as st

from sklearn_memorize import MemorizingClassifier, model_selection

from .estimators import CLASSIFIERS, NETWORKS, PUBLIC, REGRESSORS
from .oracle import judge, judge_inspection, strangers
from .oracle_batches import judge_batches
from .oracle_chunks import judge_chunks
from .oracle_functions import judge_generators, judge_report, judge_study
from .oracle_radii import judge_radii
from .parameters import estimators, seeds
from .strategies import problems


def judge_estimator(estimator, problem, seed):
    """Fit, and predict samples of the training set and others."""
    return judge(estimator, problem, strangers(problem, seed))


def _cases(judge, *arguments):
    return st.builds(partial, st.just(judge), *arguments)


some_classifier = st.sampled_from(CLASSIFIERS).flatmap(estimators)
# capacity_report refuses what builds no network.
some_network = st.sampled_from(
    [name for name in CLASSIFIERS if name in NETWORKS]
).flatmap(estimators)
some_networks = st.lists(some_network, min_size=1, max_size=3)
sizes = st.sampled_from([0.0, 1e-320, 1e-9, 0.3, 1.0, 1e99])
angles = st.floats(allow_nan=False, allow_infinity=False)
distances = st.floats(0, 2, exclude_min=True, exclude_max=True)

cuts = st.lists(st.floats(0, 1), max_size=3)

defaults = st.builds(MemorizingClassifier, random_state=seeds)

FUNCTIONS = {
    "MemorizingClassifier(), defaults": _cases(
        judge_estimator, defaults, problems(), seeds
    ),
    "partial_fit": _cases(
        judge_batches, estimators("MemorizingClassifier"), problems(), cuts, seeds
    ),
    **(
        {
            "chunks": _cases(
                judge_chunks, estimators("MemorizingClassifier"), problems(), cuts
            )
        }
        if find_spec("dask")
        else {}
    ),
    "certified_radius": _cases(
        judge_radii, some_classifier, problems(max_samples=12, max_features=5), seeds
    ),
    "inspection": _cases(judge_inspection, problems(max_samples=25), seeds),
    "capacity_report": _cases(judge_report, problems(), some_networks, seeds),
    "model_selection": _cases(
        judge_study,
        st.sampled_from(model_selection.__all__),
        problems(),
        some_classifier,
        seeds,
    ),
    "datasets": _cases(
        judge_generators, st.integers(2, 50), sizes, distances, angles, seeds
    ),
}
CASES = {
    name: _cases(
        judge_estimator, estimators(name), problems(targets=name in REGRESSORS), seeds
    )
    for name in PUBLIC
} | FUNCTIONS
