"""What the covers need beside the codes."""

import numpy as np

from sklearn_memorize import MemorizingClassifier


def test_a_greedy_fit_finds_room_where_a_random_one_does(memory):
    # A table of all pairs of samples of a class would not fit.
    memory(2**20)
    samples, labels = np.arange(6000.0)[:, np.newaxis], np.arange(6000) > 2999
    samples[labels] += 10_000
    for covering in ("random", "greedy"):
        estimator = MemorizingClassifier(
            hyperplanes="random",
            n_hyperplanes=64,
            n_draws=1,
            random_state=0,
            covering=covering,
        )
        assert estimator.fit(samples, labels).interpolates_
