"""Every public estimator, as the registry lists them.

A construction that is added to the registry gets the common tests from that.
"""

from sklearn.base import is_classifier, is_regressor

from sklearn_memorize.constructions import all_estimators
from sklearn_memorize.constructions._record import builds_network

CLASSES = {kind.__name__: kind for kind in all_estimators()}
PUBLIC = sorted(CLASSES)
CLASSIFIERS = [name for name in PUBLIC if is_classifier(CLASSES[name]())]
REGRESSORS = [name for name in PUBLIC if is_regressor(CLASSES[name]())]
# Those that recall the training set, and which of them do so by a network.
MEMORIZERS = [*CLASSIFIERS, *REGRESSORS]
NETWORKS = [name for name in MEMORIZERS if builds_network(CLASSES[name])]

# What else has to do what every construction must do.
OPTIONS = {
    "draws": ("MemorizingClassifier", {"n_draws": 3, "keep": "all"}),
    "best draw": ("MemorizingClassifier", {"n_draws": 3, "keep": "best"}),
    "one draw": ("MemorizingClassifier", {"n_draws": 1, "keep": "best"}),
    "greedy": ("MemorizingClassifier", {"covering": "greedy", "prune": True}),
    "ReLU": ("MemorizingClassifier", {"activation": "relu", "n_draws": 1}),
    "network": ("MemorizingClassifier", {"decision": "network", "n_draws": 2}),
    "class weights": ("MemorizingClassifier", {"class_weight": "balanced"}),
    "around the origin": ("MemorizingClassifier", {"center": False}),
    "every center": ("NearbySetClassifier", {"cover_radius": 0}),
    "cubes": ("RobustMemorizingClassifier", {"metric": "chebyshev"}),
    "large balls": ("RobustMemorizingClassifier", {"robustness": 0.99}),
    "five layers": ("SmallReLUClassifier", {"n_layers": 5}),
    "five layers, targets": ("SmallReLURegressor", {"n_layers": 5}),
    "labels as steps": ("BitExtractionClassifier", {"n_layers": 3}),
    "narrow layers": ("BitExtractionClassifier", {"n_layers": 9, "fewest": "width"}),
    "chains": ("BitExtractionClassifier", {"n_layers": 120, "fewest": "width"}),
    "wide": ("RandomReLUClassifier", {"min_hyperplanes": 400}),
    "any separator": ("RandomReLUClassifier", {"maximum_margin": False}),
    "Hilbert": ("InterpolatingNeighborsClassifier", {"weights": "hilbert"}),
    "Hilbert, targets": ("InterpolatingNeighborsRegressor", {"weights": "hilbert"}),
    "all neighbors": ("InterpolatingNeighborsClassifier", {"n_neighbors": 10**6}),
    "nearest neighbor": ("InterpolatingNeighborsRegressor", {"n_neighbors": 1}),
}
VARIANTS = {name: (name, {}) for name in PUBLIC} | {
    variant: (name, options)
    for variant, (name, options) in OPTIONS.items()
    if name in CLASSES
}


def new(variant, **options):
    """Return an estimator that has not been fitted, with a seed if it takes one."""
    name, own = VARIANTS[variant]
    options = {**own, **options}
    if "random_state" in CLASSES[name]().get_params():
        options.setdefault("random_state", 0)
    return CLASSES[name](**options)


def kind_of(variant):
    """Return the name of the class of a variant."""
    return VARIANTS[variant][0]


def built(estimator):
    """Return what was built: the network, or what stands in its place."""
    return getattr(estimator, estimator._built_name)


def answers(estimator, rows):
    """Return what an estimator says of rows: scores, or else labels, or codes."""
    for name in ("decision_function", "predict", "transform"):
        if hasattr(estimator, name):
            return getattr(estimator, name)(rows)
    raise TypeError(f"{estimator} says nothing of rows")
