"""All estimators, as they come: fit and predict on the digits, and what they build."""

from sklearn.base import clone

import sklearn_memorize

from ._samples import samples

_ESTIMATORS = [
    name
    for name in sklearn_memorize.__all__
    if name.endswith(("Classifier", "Regressor"))
]


class Digits:
    """The first 500 digits, with the default parameters."""

    param_names = ["estimator"]
    params = [_ESTIMATORS]
    timeout = 120

    def setup(self, estimator):
        X, y = samples("digits")
        self.X, self.y, self.X_test = X[:500], y[:500], X[500:]
        model = getattr(sklearn_memorize, estimator)()
        if "random_state" in model.get_params():
            model.set_params(random_state=0)
        self.model = model.fit(self.X, self.y)

    def time_fit(self, estimator):
        clone(self.model).fit(self.X, self.y)

    def time_predict(self, estimator):
        self.model.predict(self.X_test)

    def track_parameters(self, estimator):
        return int(self.model.network_.n_parameters)
