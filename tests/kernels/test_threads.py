"""Work is shared among threads."""

import threading

from sklearn_memorize.kernels._threads import run_in_threads


def test_threads_work_at_the_same_time():
    together = threading.Barrier(2, timeout=20)
    assert sorted(run_in_threads(lambda _: together.wait(), range(2), 2)) == [0, 1]
