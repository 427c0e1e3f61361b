"""`MemorizingClassifier`: fit, predict, peak memory and size."""

from functools import partial

import numpy as np

from sklearn_memorize import MemorizingClassifier, RandomThresholdTransformer

from ._samples import samples

_DATA = ["moons", "digits", "noise"]
_estimator = partial(MemorizingClassifier, n_draws=1, random_state=0)


class Fit:
    """The whole fit, with one thread and with two."""

    param_names = ["data", "n_hyperplanes", "n_jobs"]
    params = [_DATA, [256, 1000], [1, 2]]

    def setup(self, data, n_hyperplanes, n_jobs):
        self.X, self.y = samples(data)
        self.model = _estimator(n_hyperplanes=n_hyperplanes, n_jobs=n_jobs)
        self.model.fit(self.X, self.y)

    def time_fit(self, data, n_hyperplanes, n_jobs):
        self.model.fit(self.X, self.y)

    def peakmem_fit(self, data, n_hyperplanes, n_jobs):
        self.model.fit(self.X, self.y)


class Variants:
    """What the parameters add to the time of a fit."""

    param_names = ["parameters"]
    params = [
        [
            {"activation": "relu"},
            {"covering": "greedy"},
            {"prune": True},
            {"n_draws": 3},
            {"n_draws": 3, "keep": "all"},
            {"n_hyperplanes": "auto", "min_hyperplanes": 16},
        ]
    ]

    def setup(self, parameters):
        self.X, self.y = samples("digits")
        self.model = _estimator(**{"n_hyperplanes": 256, **parameters})
        self.model.fit(self.X, self.y)

    def time_fit(self, parameters):
        self.model.fit(self.X, self.y)


class Predict:
    """Predict many rows, and one."""

    param_names = ["data", "decision"]
    params = [_DATA, ["network", "vote"]]

    def setup(self, data, decision):
        X, y = samples(data)
        half = len(y) // 2
        self.X = X[half:]
        self.model = _estimator(n_hyperplanes=512, decision=decision)
        self.model.fit(X[:half], y[:half]).predict(self.X)

    def time_predict(self, data, decision):
        self.model.predict(self.X)

    def time_predict_one_row(self, data, decision):
        self.model.predict(self.X[:1])


class Size:
    """The size of the network follows from the seed: it changes with the method."""

    param_names = ["data"]
    params = [_DATA]
    unit = "neurons"

    def track_neurons(self, data):
        model = _estimator(n_hyperplanes=512).fit(*samples(data))
        return int(model.second_layer_widths_.sum())


class FirstLayer:
    """Exact signs, far from the origin too, where more of them are doubtful."""

    param_names = ["offset"]
    params = [[0, 100]]

    def setup(self, offset):
        self.X = samples("noise")[0] + np.float32(offset)
        self.layer = RandomThresholdTransformer(random_state=0).fit(self.X).hyperplanes_
        self.layer.encode(self.X)

    def time_encode(self, offset):
        self.layer.encode(self.X)
