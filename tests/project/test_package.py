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
from sklearn_memorize import kernels

PACKAGE = ROOT / "sklearn_memorize"


CHOOSES_KERNELS = {"SKLEARN_MEMORIZE_KERNELS"}


# Run in front of other code: as if these were not installed, and nothing was compiled.
WITHOUT_EXTRAS = """
import os
import sys
for name in ("matplotlib", "pandas", "rich", "sklearn_memorize.kernels._c"):
    sys.modules[name] = None
os.environ["SKLEARN_MEMORIZE_KERNELS"] = "numpy"
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
    for name in ("LICENSE", "README.md", "pyproject.toml", "setup.cfg", "setup.py"):
        shutil.copy(ROOT / name, source)
    no_cache = shutil.ignore_patterns("__pycache__", "*.so")
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


def test_one_wheel_does_for_all_versions_of_python(wheel):
    version = sklearn_memorize.__version__
    name = Path(wheel.filename).name
    # Without a compiler, or with free threads, it is another one.
    assert re.fullmatch(
        rf"sklearn_memorize-{version}-(cp311-abi3|py3-none|cp\d+-cp\d+t)-\w+\.whl", name
    )


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    compiled = {name for name in shipped if re.search(r"/_c\.\w+\.(so|pyd)$", name)}
    sources = {
        path.relative_to(ROOT).as_posix()
        for pattern in ("*.py", "*.pyi", "py.typed")
        for path in PACKAGE.rglob(pattern)
    }
    assert shipped - compiled == sources


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
    extras = "plot progress demo onnx skops torch dask test docs dev"
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


def test_scores_are_the_same_without_extras_and_compiled_kernels():
    backend, scores = run_python(DIGITS_PREDICTIONS)
    assert backend == kernels.backends()[-1]
    backend, scores_without = run_python(WITHOUT_EXTRAS + DIGITS_PREDICTIONS)
    assert backend == "numpy"
    assert scores_without == scores
