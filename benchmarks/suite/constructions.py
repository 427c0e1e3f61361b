"""All estimators, as they come: fit and predict on the digits, and what they build."""

from sklearn.base import clone

from sklearn_memorize.constructions import all_estimators

from ._samples import samples

_ESTIMATORS = {
    kind.__name__: kind for kind in all_estimators() if hasattr(kind, "predict")
}


class Digits:
    """The first 500 digits, with the default parameters."""

    param_names = ["estimator"]
    params = [list(_ESTIMATORS)]
    timeout = 120

    def setup(self, estimator):
        X, y = samples("digits")
        self.X, self.y, self.X_test = X[:500], y[:500], X[500:]
        model = _ESTIMATORS[estimator]()
        if "random_state" in model.get_params():
            model.set_params(random_state=0)
        self.model = model.fit(self.X, self.y)

    def time_fit(self, estimator):
        clone(self.model).fit(self.X, self.y)

    def time_predict(self, estimator):
        self.model.predict(self.X_test)

    def track_parameters(self, estimator):
        return int(self.model.network_.n_parameters)
