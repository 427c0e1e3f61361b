"""Work is shared among threads."""

import threading

import pytest

from sklearn_memorize.kernels._threads import Workers, run_in_threads


def test_threads_work_at_the_same_time():
    together = threading.Barrier(2, timeout=20)
    assert sorted(run_in_threads(lambda _: together.wait(), range(2), 2)) == [0, 1]


@pytest.mark.parametrize("n_threads", [1, 2])
def test_work_is_done_once_and_its_error_is_raised_where_it_is_asked_for(n_threads):
    done = []

    def work(number):
        done.append(number)
        return 1 // number

    with Workers(n_threads) as workers:
        one, none = workers.later(work, 1), workers.later(work, 0)
        assert [one(), one()] == [1, 1]
        with pytest.raises(ZeroDivisionError):
            none()
    assert sorted(done) == [0, 1]


def test_one_thread_does_nothing_that_is_not_asked_for():
    with Workers(1) as workers:
        workers.later(pytest.fail, "not asked for")
