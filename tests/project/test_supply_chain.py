"""What is installed, and what is run: nothing that was not asked for."""

import ast
import configparser
import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.data import ROOT

SOURCES = sorted((ROOT / "sklearn_memorize").rglob("*.py"))


PIN = re.compile(r"[a-z0-9][a-z0-9.-]*==[\w.+!]+( ; [^;@]+)?")


RUN_TEXT = {"eval", "exec", "compile", "__import__"}


UNPICKLE = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve"}


LOADERS = {"joblib", "torch", "pd", "pandas", "skops", "yaml"}


LOADING = {"load", "loads", "read_pickle", "Unpickler", "full_load", "unsafe_load"}


def called(node):
    """Return the module (or None) and the name of what is called."""
    if isinstance(node.func, ast.Name):
        return None, node.func.id
    if not isinstance(node.func, ast.Attribute):
        return None, ""
    owner = node.func.value
    while isinstance(owner, ast.Attribute):
        owner = owner.value
    return getattr(owner, "id", ""), node.func.attr


def risks(source):
    """Yield what runs text as code, or may load an object that somebody pickled."""
    for node in ast.walk(ast.parse(source)):
        modules, names = [], []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
            names = [alias.name for alias in node.names]
        roots = {module.partition(".")[0] for module in modules}
        if roots & UNPICKLE or (roots & LOADERS and LOADING & set(names)):
            yield ast.unparse(node)
        if not isinstance(node, ast.Call):
            continue
        module, name = called(node)
        if (module is None and name in RUN_TEXT) or (
            module in LOADERS | UNPICKLE and name in LOADING
        ):
            yield ast.unparse(node)
        for keyword in node.keywords:
            refused = getattr(keyword.value, "value", None) is False
            if keyword.arg == "allow_pickle" and not refused:
                yield ast.unparse(node)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_the_package_runs_no_text_and_loads_no_pickle(path):
    assert not list(risks(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')",
        "exec(text)",
        "import pickle",
        "import a, dill.settings",
        "from pickle import loads",
        "from joblib import load as read",
        "joblib.load(path)",
        "np.load(path, allow_pickle=True)",
        "read(path, allow_pickle=some)",
        "torch.load(path)",
        "pd.read_pickle(path)",
        "skops.io.load(path)",
    ],
)
def test_a_risk_is_seen(source):
    assert list(risks(source))


@pytest.mark.parametrize(
    "source", ["json.loads(text)", "re.compile('a')", "read(path, allow_pickle=False)"]
)
def test_what_is_no_risk_is_let_through(source):
    assert not list(risks(source))


def pins():
    """Return the lines of the constraints that pin something."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_constraints_are_exact_and_name_no_host():
    for line in pins():
        assert PIN.fullmatch(line), line


def required():
    """Yield all that the package and its extras ask for."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lists = [setup["options"]["install_requires"]]
    for listed in [*lists, *setup["options.extras_require"].values()]:
        for line in listed.split():
            if not line.startswith("sklearn-memorize["):
                yield Requirement(line)


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_all_that_is_required_is_pinned_on_every_python(python):
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
    }
    pinned = {}
    for line in pins():
        pin = Requirement(line)
        if pin.marker is None or pin.marker.evaluate(environment):
            assert pin.name not in pinned, f"{pin.name} is pinned twice"
            pinned[pin.name] = next(iter(pin.specifier)).version
    for wanted in required():
        version = pinned.get(canonicalize_name(wanted.name))
        assert version is not None, f"{wanted.name} is not pinned: make constraints"
        assert wanted.specifier.contains(version), f"{wanted}: make constraints"


def test_every_installation_of_the_makefile_heeds_the_constraints():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    installs = [line for line in makefile.splitlines() if "pip install" in line]
    assert installs
    assert all("--constraint constraints.txt" in line for line in installs)
