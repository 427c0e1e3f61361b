"""The package as a whole: what it ships, what it needs, what importing it costs."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
from support.data import ROOT

import sklearn_memorize

PACKAGE = ROOT / "sklearn_memorize"


CHOOSES_KERNELS = {"SKLEARN_MEMORIZE_KERNELS"}


# Run in front of other code: as if these were not installed.
WITHOUT_EXTRAS = """
import sys
for name in ("matplotlib", "numba", "rich"):
    sys.modules[name] = None
"""


DIGITS_PREDICTIONS = """
import hashlib
from sklearn.datasets import load_digits
from sklearn_memorize import MemorizingClassifier, kernels
X, y = load_digits(return_X_y=True)
model = MemorizingClassifier(random_state=0).fit(X[:300], y[:300])
scores = model.decision_function(X)
print(kernels.backend(), hashlib.sha256(scores.tobytes()).hexdigest())
"""


def run_python(code):
    environment = {k: v for k, v in os.environ.items() if k not in CHOOSES_KERNELS}
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy of the sources, with no other file in reach."""
    source = tmp_path_factory.mktemp("source")
    for name in ("LICENSE", "README.md", "pyproject.toml", "setup.cfg"):
        shutil.copy(ROOT / name, source)
    no_cache = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, source / PACKAGE.name, ignore=no_cache)
    build = "from setuptools import build_meta; build_meta.build_wheel('dist')"
    run = subprocess.run(
        [sys.executable, "-c", build], capture_output=True, text=True, cwd=source
    )
    assert run.returncode == 0, run.stderr
    (built,) = (source / "dist").glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        yield archive


@pytest.fixture(scope="module")
def metadata(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    return message_from_string(wheel.read(name).decode())


def test_the_wheel_is_pure_python(wheel):
    version = sklearn_memorize.__version__
    assert Path(wheel.filename).name == f"sklearn_memorize-{version}-py3-none-any.whl"


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    sources = {path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*.py")}
    assert shipped == sources | {"sklearn_memorize/py.typed"}


def test_the_wheel_holds_the_license(wheel):
    assert any(name.endswith("/licenses/LICENSE") for name in wheel.namelist())


def test_the_wheel_needs_scikit_learn_numpy_scipy_joblib_alone(metadata):
    required = {
        re.match(r"[\w-]+", requirement)[0]
        for requirement in metadata.get_all("Requires-Dist")
        if "extra ==" not in requirement
    }
    assert required == {"joblib", "numpy", "scikit-learn", "scipy"}


def test_every_extra_is_there(metadata):
    extras = "fast plot progress demo onnx skops torch dask test docs dev"
    assert set(metadata.get_all("Provides-Extra")) == set(extras.split())


def test_the_version_stands_in_one_place(metadata):
    assert metadata["Version"] == sklearn_memorize.__version__
    texts = [*PACKAGE.rglob("*.py"), *(ROOT / "docs").glob("*.py")]
    texts += [ROOT / name for name in ("setup.cfg", "pyproject.toml", "CITATION.cff")]
    quoted = re.compile(
        rf"(?<![\d.]){re.escape(sklearn_memorize.__version__)}(?![\d.])"
    )
    quoting = [
        path.relative_to(ROOT).as_posix()
        for path in texts
        if quoted.search(path.read_text(encoding="utf-8"))
    ]
    assert quoting == ["sklearn_memorize/_estimator/_version.py"]


def test_every_public_name_exists_and_is_documented():
    for name in sklearn_memorize.__all__:
        assert getattr(sklearn_memorize, name).__doc__, name


def test_public_names_are_unique():
    assert len(set(sklearn_memorize.__all__)) == len(sklearn_memorize.__all__)


def test_importing_the_package_imports_no_plotting_and_no_exporter():
    heavy = "{'dask', 'matplotlib', 'onnx', 'onnxruntime', 'torch'}"
    code = f"import sys, sklearn_memorize; print(*({heavy} & sys.modules.keys()))"
    assert run_python(code) == []


@pytest.mark.slow
def test_scores_are_the_same_without_the_extras_at_hand():
    pytest.importorskip("numba", reason="compares numba with its absence")
    backend, scores = run_python(DIGITS_PREDICTIONS)
    assert backend == "numba"
    backend, scores_without = run_python(WITHOUT_EXTRAS + DIGITS_PREDICTIONS)
    assert backend == "numpy"
    assert scores_without == scores
