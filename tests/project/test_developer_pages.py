"""The pages for developers name the files that samples pass through, all of them."""

import re
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from sklearn.datasets import load_digits
from support.data import ROOT

import sklearn_memorize
from sklearn_memorize import MemorizingClassifier

PACKAGE = Path(sklearn_memorize.__file__).parent


def walk(page):
    """Return the files of the numbered list, and all files that are named."""
    text = (ROOT / "docs" / "developer" / page).read_text(encoding="utf-8")
    steps = re.findall(r"^#\. `([\w/.]+)`", text, flags=re.MULTILINE)
    return steps, {*steps, *re.findall(r"`((?:\w+/)+\w+\.py)`", text)}


@contextmanager
def recorded_files():
    """Record the files of the package in which functions are called."""
    files = set()

    def record(frame, event, argument):
        path = Path(frame.f_code.co_filename)
        if event == "call" and PACKAGE in path.parents:
            file = path.relative_to(PACKAGE).as_posix()
            files.add("kernels/" if file.startswith("kernels/") else file)

    threading.setprofile(record)
    sys.setprofile(record)
    try:
        yield files
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


@pytest.mark.parametrize(("page", "most"), [("fit.rst", 15), ("predict.rst", 15)])
def test_the_walk_names_every_file_that_runs(page, most):
    X, y = load_digits(return_X_y=True)
    model = MemorizingClassifier(random_state=0).fit(X, y)
    calls = {
        "fit.rst": lambda: MemorizingClassifier(random_state=0).fit(X, y),
        "predict.rst": lambda: model.predict(X),
    }
    with recorded_files() as files:
        calls[page]()
    steps, named = walk(page)
    assert len(steps) <= most
    assert all((PACKAGE / step).exists() for step in named)
    assert files <= named
    assert set(steps) <= files
