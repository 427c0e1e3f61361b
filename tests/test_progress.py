"""The callbacks of scikit-learn, such as its progress bar, hear of each stage."""

import pytest
from sklearn.callback import ProgressBar
from sklearn.datasets import load_iris

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.exceptions import InterpolationError


class Diary:
    """Writes down what it hears."""

    def __init__(self):
        self.entries = []

    def setup(self, estimator, context):
        self.entries.append("setup")

    def teardown(self, estimator, context):
        self.entries.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.entries.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context):
        self.entries.append(f"end {context.task_name}")


STAGES = ("read the samples", "build the network", "certify it")


def test_each_stage_of_fit_is_reported_in_turn():
    diary = Diary()
    MemorizingClassifier(random_state=0).set_callbacks(diary).fit(
        *load_iris(return_X_y=True)
    )
    told = [f"{event} {stage}" for stage in STAGES for event in ("begin", "end")]
    assert diary.entries == ["setup", "begin fit", *told, "end fit", "teardown"]


def test_callbacks_are_torn_down_after_a_failed_fit():
    diary = Diary()
    X, y = load_iris(return_X_y=True)
    model = MemorizingClassifier(max_hyperplanes=1, random_state=0)
    before = set(vars(model.set_callbacks(diary)))
    with pytest.raises(InterpolationError):
        model.fit(X, y)
    assert diary.entries[-2:] == ["begin certify it", "teardown"]
    assert set(vars(model)) == before


def test_the_progress_bar_arrives_at_the_end(capsys):
    pytest.importorskip("rich")
    model = MemorizingClassifier(random_state=0).set_callbacks(ProgressBar())
    model.fit(*load_iris(return_X_y=True))
    assert "100%" in capsys.readouterr().out
