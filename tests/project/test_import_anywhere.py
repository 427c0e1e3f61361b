"""The package is imported, and works, wherever Python and scikit-learn do."""

import os
import subprocess
import sys
import textwrap

import pytest
from support.data import ROOT

from sklearn_memorize import kernels

USES = """
import numpy as np
import sklearn_memorize
import sklearn_memorize.__main__
from sklearn_memorize import applications, datasets, export, inspection, kernels
from sklearn_memorize import model_selection, network, plotting
X, y = np.arange(20.0)[:, np.newaxis], np.arange(20) % 2
for estimator in sklearn_memorize.constructions.all_estimators():
    estimator().fit(X, y)
print((sklearn_memorize.MemorizingClassifier().fit(X, y).predict(X) == y).all())
"""
# Writing raises, whoever tries; opening what nobody keeps does not.
READ_ONLY = """
import os
import sys
def refuse(event, details):
    writes = event in ("os.mkdir", "os.rename", "os.remove", "os.link", "os.symlink")
    if event == "open" and isinstance(details[2], int):
        flags = os.O_WRONLY | os.O_RDWR | os.O_CREAT
        writes = details[2] & flags and details[0] != os.devnull
    if writes:
        raise PermissionError(f"read-only: {event} {details}")
import sklearn.ensemble, sklearn.neighbors, sklearn.svm  # whatever these may write
sys.addaudithook(refuse)
"""
# scikit-learn itself imports pandas, and fails where it is broken; and rich, and fails
# where that raises anything but an ImportError.
EXTRAS = (
    "dask",
    "distributed",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "rich",
    "skl2onnx",
)
EXTRAS += ("skops", "torch", "numba", "llvmlite")
BROKEN = f"""
import sys
from importlib.machinery import ModuleSpec
class Broken:
    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self) if name.partition(".")[0] in {EXTRAS} else None
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        kind = ImportError if module.__name__.startswith("rich") else RuntimeError
        raise kind(module.__name__ + " is installed and broken")
sys.meta_path.insert(0, Broken())
"""


def run(before="", **environment):
    """Import everything and fit in a new process; return what it says."""
    process = subprocess.run(
        [sys.executable, "-B", "-c", textwrap.dedent(before) + USES],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        cwd="/" if os.name == "posix" else None,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.split()[-1], process.stderr


def test_it_needs_no_place_to_write():
    nowhere = os.path.join(os.sep, "nowhere")
    homes = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "TMPDIR", "USERPROFILE"), nowhere)
    assert run(READ_ONLY, **homes)[0] == "True"


def test_packages_that_are_installed_and_broken_do_not_matter():
    assert run(BROKEN)[0] == "True"


@pytest.mark.parametrize("value", ["", "numpy", "baseline"])
def test_the_kernels_may_be_chosen_or_left_open(value):
    if value and value not in kernels.backends():
        pytest.skip("the kernels in C were not compiled")
    code = f"assert kernels.backend() == {value!r} or not {value!r}"
    process = subprocess.run(
        [sys.executable, "-c", f"from sklearn_memorize import kernels; {code}"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "SKLEARN_MEMORIZE_KERNELS": value},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr


def test_kernels_that_are_not_there_are_named():
    process = subprocess.run(
        [sys.executable, "-c", "import sklearn_memorize"],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SKLEARN_MEMORIZE_KERNELS": "abacus",
        },
        capture_output=True,
        text=True,
    )
    assert "SKLEARN_MEMORIZE_KERNELS must be one of 'numpy'" in process.stderr
