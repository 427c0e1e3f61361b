"""Callbacks, such as a progress bar, hear of each stage, and may end it early."""

import pickle
import re
import threading
import time
from collections import Counter

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.estimators import PUBLIC, new

from sklearn_memorize import MemorizingClassifier, RandomThresholdTransformer
from sklearn_memorize._estimator import _sklearn as _compat
from sklearn_memorize._estimator._callbacks import (
    completed_draws,
    reported_fit,
    run_draw,
)
from sklearn_memorize.exceptions import InterpolationError

X, Y = load_iris(return_X_y=True)


STAGES = ("read the samples", "build the network", "certify it")


class Diary:
    """Writes down what it hears, and asks to stop at the end of tasks of one name."""

    def __init__(self, stop_at=None, draw=0):
        self.entries = []
        self.stop_at = stop_at
        self.draw = draw
        self.busy = threading.Lock()

    def setup(self, estimator, context):
        self.entries.append("setup")

    def teardown(self, estimator, context):
        self.entries.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self._write("begin", context)

    def on_fit_task_end(self, estimator, context):
        self._write("end", context)
        draw = context if context.task_name == "draw" else context.parent
        in_draw = draw is not None and draw.task_name == "draw"
        if in_draw and draw.task_id != self.draw:
            return None
        return context.task_name == self.stop_at

    def _write(self, event, context):
        # Called by one thread at a time.
        assert self.busy.acquire(blocking=False)
        self.entries.append(f"{event} {context.task_name}")
        if context.parent is not None and context.parent.max_subtasks is not None:
            n_siblings = len(list(context.parent._children_map))
            assert n_siblings <= context.parent.max_subtasks
        self.busy.release()


class Failing(Diary):
    """Fails at the end of tasks of one name."""

    def on_fit_task_end(self, estimator, context):
        if super().on_fit_task_end(estimator, context):
            raise KeyError("the callback is broken")


class Everywhere(Diary):
    """Is heard of in all the estimators within a pipeline or a search."""

    max_propagation_depth = None


def told_of(names):
    return [f"{event} {name}" for name in names for event in ("begin", "end")]


def digest(model):
    """Return the bytes of all that was built."""
    arrays = [model.sample_indices_, model.coverage_]
    for covering in model.network_.coverings:
        layer = covering.hyperplanes
        arrays += [layer.directions, layer.scaled_biases]
        arrays += [covering.masks, covering.bounds]
    return [array.tobytes() for array in arrays]


def state(model):
    return {name: id(value) for name, value in vars(model).items()}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_every_draw_and_every_class_is_reported(n_jobs):
    diary = Diary()
    model = MemorizingClassifier(
        hyperplanes="random", n_draws=3, n_jobs=n_jobs, random_state=0
    )
    model.set_callbacks(diary).fit(X, Y)
    parts = ["encode by 1,000 hyperplanes", *(f"cover class {k}" for k in range(3))]
    expected = Counter(told_of(["fit", *STAGES]))
    expected.update(3 * told_of(["draw", *parts]) + ["setup", "teardown"])
    assert Counter(diary.entries) == expected
    if n_jobs == 1:
        draw = ["begin draw", *told_of(parts), "end draw"]
        build = ["begin build the network", *3 * draw, "end build the network"]
        stages = [*told_of(STAGES[:1]), *build, *told_of(STAGES[2:])]
        assert diary.entries == ["setup", "begin fit", *stages, "end fit", "teardown"]


def test_every_doubling_is_reported():
    diary = Diary()
    model = MemorizingClassifier(
        hyperplanes="random",
        min_hyperplanes=2,
        separating_hyperplanes=False,
        n_draws=1,
        random_state=0,
    )
    model.set_callbacks(diary).fit(X, Y)
    rounds = [entry for entry in diary.entries if entry.startswith("begin encode")]
    more = [entry for entry in diary.entries if entry.endswith("more hyperplanes")]
    numbers = [2 ** (k + 1) for k in range(len(rounds))]
    assert len(rounds) > 2
    assert rounds == [f"begin encode by {n} hyperplanes" for n in numbers]
    # They stand one within the other.
    assert more == [
        *(f"begin {n} more hyperplanes" for n in numbers[:-1]),
        *(f"end {n} more hyperplanes" for n in reversed(numbers[:-1])),
    ]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_estimator_tells_of_its_stages(name):
    diary = Diary()
    new(name).set_callbacks(diary).fit(X, Y)
    stages = STAGES
    if name == "RandomThresholdTransformer":
        stages = ("read the samples", "draw the hyperplanes")
    told = [entry for entry in diary.entries if entry.partition(" ")[2] in stages]
    assert told == told_of(stages)
    assert diary.entries[:2] == ["setup", "begin fit"]
    assert diary.entries[-2:] == ["end fit", "teardown"]


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("options", [{}, {"keep": "best"}, {"n_draws": 1}], ids=str)
def test_callbacks_change_nothing(n_jobs, options):
    model = MemorizingClassifier(n_jobs=n_jobs, random_state=0, **options).fit(X, Y)
    watched = clone(model).set_callbacks(Diary()).fit(X, Y)
    assert digest(watched) == digest(model)


def test_without_callbacks_nobody_is_told(monkeypatch):
    def told(*arguments, **options):
        raise AssertionError("a task was made for nobody")

    monkeypatch.setattr("sklearn.callback.CallbackContext.subcontext", told)
    model = MemorizingClassifier(random_state=0).fit(X, Y)
    assert not _compat.has_callbacks(model)
    with pytest.raises(AssertionError):
        model.set_callbacks(Diary()).fit(X, Y)


@pytest.mark.parametrize("n_jobs", [1, 2, 4])
@pytest.mark.parametrize("n_kept", [1, 2, 3, 4])
def test_stopped_after_a_draw_the_draws_so_far_are_kept(n_jobs, n_kept):
    model = MemorizingClassifier(n_draws=4, n_jobs=n_jobs, random_state=0)
    model.set_callbacks(Diary("draw", n_kept - 1)).fit(X, Y)
    alone = MemorizingClassifier(n_draws=n_kept, random_state=0).fit(X, Y)
    assert model.interpolates_
    assert digest(model) == digest(alone)
    assert model.n_draws == 4


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("task", ["encode by 1,000 hyperplanes", "cover class 1"])
def test_stopped_within_a_draw_the_draws_before_are_kept(n_jobs, task):
    options = {"hyperplanes": "random", "random_state": 0}
    model = MemorizingClassifier(n_draws=4, n_jobs=n_jobs, **options)
    model.set_callbacks(Diary(task, 2)).fit(X, Y)
    alone = MemorizingClassifier(n_draws=2, **options).fit(X, Y)
    assert digest(model) == digest(alone)


@pytest.mark.parametrize("n_draws", [1, 3])
@pytest.mark.parametrize("task", ["read the samples", "cover class 0"])
def test_stopped_before_there_is_a_network_fit_says_so(n_draws, task):
    model = MemorizingClassifier(n_draws=n_draws, n_jobs=2, random_state=0).fit(X, Y)
    diary = Diary(task)
    before = state(model.set_callbacks(diary))
    with pytest.raises(InterpolationError, match="asked to stop.*ask later"):
        model.fit(X, Y)
    assert state(model) == before
    assert diary.entries[-1] == "teardown"
    assert (model.predict(X) == Y).all()


@pytest.mark.parametrize("name", PUBLIC)
def test_every_estimator_can_be_stopped(name):
    with pytest.raises(InterpolationError, match="asked to stop"):
        new(name).set_callbacks(Diary("read the samples")).fit(X, Y)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_request_to_stop_comes_too_late_once_all_is_built(name):
    for task in (STAGES[1], "draw the hyperplanes", STAGES[2], "fit"):
        model = new(name).set_callbacks(Diary(task)).fit(X, Y)
        assert getattr(model, "interpolates_", True)


@pytest.mark.parametrize("n_jobs", [1, 2, 4])
@pytest.mark.parametrize("task", ["draw", "cover class 2", *STAGES, "fit"])
def test_a_broken_callback_leaves_no_trace(n_jobs, task):
    model = MemorizingClassifier(n_draws=4, n_jobs=n_jobs, random_state=0)
    diary = Failing(task, 1)
    before = state(model.set_callbacks(diary))
    threads = set(threading.enumerate())
    with pytest.raises(KeyError, match="broken"):
        model.fit(X, Y)
    assert state(model) == before
    assert diary.entries[-1] == "teardown"
    # What goes on in a thread now would be heard of.
    n_entries = len(diary.entries)
    for thread in set(threading.enumerate()) - threads:
        thread.join(timeout=0.1)
    assert len(diary.entries) == n_entries


def test_callbacks_are_torn_down_after_a_failed_fit():
    diary = Diary()
    model = MemorizingClassifier(
        min_hyperplanes=1,
        max_hyperplanes=1,
        separating_hyperplanes=False,
        random_state=0,
    )
    before = set(vars(model.set_callbacks(diary)))
    with pytest.raises(InterpolationError):
        model.fit(X, Y)
    assert diary.entries[-2:] == ["begin certify it", "teardown"]
    assert set(vars(model)) == before


def test_a_fitted_model_with_callbacks_can_be_pickled():
    model = MemorizingClassifier(random_state=0).set_callbacks(ProgressBar())
    copy = pickle.loads(pickle.dumps(model.fit(X, Y)))
    assert (copy.predict(X) == Y).all()


def test_the_network_can_be_scored_at_the_end():
    monitor = ScoringMonitor(scoring="accuracy")
    weights = np.where(Y == 0, 2.0, 1.0)
    MemorizingClassifier(random_state=0).set_callbacks(monitor).fit(X, Y, weights)
    assert [row["accuracy"] for row in monitor.get_logs().data] == [1.0]


def search():
    grid = {"memorizingclassifier__n_draws": [1, 2]}
    return GridSearchCV(chain(), grid, cv=2)


def chain():
    return make_pipeline(
        StandardScaler(),
        RandomThresholdTransformer(n_hyperplanes=999, random_state=0),
        MemorizingClassifier(n_draws=4, random_state=0),
    )


def test_a_pipeline_hears_of_draws():
    diary = Everywhere()
    chain().set_callbacks(diary).fit(X, Y)
    assert diary.entries.count("end draw") == 4
    assert diary.entries.count("end draw the hyperplanes") == 1
    assert diary.entries[-2:] == ["end fit", "teardown"]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_search_hears_of_draws(n_jobs):
    diary = Everywhere()
    with joblib.parallel_config("threading", n_jobs=n_jobs):
        found = search().set_params(n_jobs=n_jobs).set_callbacks(diary).fit(X, Y)
    best = found.best_params_["memorizingclassifier__n_draws"]
    assert diary.entries.count("end draw") == 2 * (1 + 2) + best


def test_a_request_to_stop_ends_draws_within_a_pipeline():
    model = chain().set_callbacks(Everywhere("draw", 1)).fit(X, Y)
    assert len(model[-1].network_.coverings) == 2
    assert (model.predict(X) == Y).all()


NESTED = {
    "alone": lambda: MemorizingClassifier(random_state=0),
    "Pipeline": chain,
    "GridSearchCV": search,
}


@pytest.fixture
def wide_console():
    rich = pytest.importorskip("rich")
    rich.reconfigure(width=160)
    yield
    rich.reconfigure()


@pytest.mark.parametrize("nesting", NESTED)
def test_the_progress_bar_shows_draws(nesting, capsys, wide_console):
    bar = ProgressBar(max_propagation_depth=None)
    threads = threading.active_count()
    NESTED[nesting]().set_callbacks(bar).fit(X, Y)
    # The bar's own ear goes to sleep for good, and is not the fit's business; its
    # other threads may take a moment to end.
    patience = time.monotonic() + 30
    while threading.active_count() > threads + 1 and time.monotonic() < patience:
        time.sleep(0.01)
    assert threading.active_count() <= threads + 1
    # The last picture is drawn by one of them.
    shown = capsys.readouterr().out
    assert re.search(r"MemorizingClassifier - build the network #1 .* 100%", shown)
    assert re.search(r"MemorizingClassifier - draw #0 .* 100%", shown)


class Enough:
    """Asks to stop after the first draw, in whatever process it runs."""

    def setup(self, estimator, context): ...

    def teardown(self, estimator, context): ...

    def on_fit_task_begin(self, estimator, context): ...

    def on_fit_task_end(self, estimator, context):
        return context.task_name == "draw" and context.task_id == 0


def test_draws_in_other_processes_can_be_stopped():
    model = MemorizingClassifier(n_draws=2, n_jobs=2, random_state=0)
    model.set_callbacks(Enough())
    again = pickle.loads(pickle.dumps(reported_fit(model, 1)))
    outcomes = [run_draw(again, k, 0, lambda progress: progress.draw) for k in range(2)]
    assert completed_draws(outcomes) == [0]
