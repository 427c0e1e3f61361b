"""What holds for all tests: how far hypothesis looks, and what is set back."""

import os
from pathlib import Path

import pytest
import sklearn
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

HERE = Path(__file__).parent
# Files that need packages which are large to install: `make test-extras`.
NEED_EXTRAS = {
    HERE / "applications" / "test_corrector_in_skops.py",
    HERE / "constructions" / "random_hyperplanes" / "test_dask.py",
    HERE / "estimator" / "test_skops.py",
    HERE / "export" / "test_onnx.py",
    HERE / "export" / "test_onnx_corrector.py",
    HERE / "export" / "test_torch.py",
}

_slow_to_draw = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile(
    "fast", max_examples=15, deadline=None, suppress_health_check=_slow_to_draw
)
settings.register_profile(
    "exhaustive", max_examples=100, deadline=None, suppress_health_check=_slow_to_draw
)
settings.load_profile("exhaustive" if os.environ.get("CI") == "true" else "fast")

# Workers that run side by side leave each other a processor.
if "PYTEST_XDIST_WORKER" in os.environ:
    threadpool_limits(1)


def pytest_addoption(parser):
    parser.addoption(
        "--extras",
        choices=["without", "with", "only"],
        default="without",
        help="whether to run what needs dask, ONNX, skops or PyTorch",
    )


def pytest_ignore_collect(collection_path, config):
    """Leave out the files that were not asked for."""
    if not collection_path.name.startswith("test_"):
        return None
    extras = config.getoption("--extras")
    if collection_path in NEED_EXTRAS:
        named = {
            Path(argument.partition("::")[0]).resolve() for argument in config.args
        }
        return True if extras == "without" and collection_path not in named else None
    return True if extras == "only" and collection_path.is_file() else None


@pytest.fixture(autouse=True)
def settings_of_scikit_learn():
    """Set scikit-learn's settings back after each test.

    scikit-learn switches the validation of parameters off during `fit`. An exception
    that a signal raises at the wrong moment, between setting this and guarding it with
    `try`, or while it is set back, leaves validation off for whatever comes next.
    """
    before = sklearn.get_config()
    yield
    sklearn.set_config(**before)


@pytest.fixture
def memory(monkeypatch):
    """Return a function that sets how many bytes of memory seem to be available."""
    from sklearn_memorize.kernels import _memory

    def only(n_bytes):
        # However small something is, its size is compared.
        monkeypatch.setattr(_memory, "_SMALL", 1)
        monkeypatch.setattr(_memory, "available_memory", lambda: float(n_bytes))

    return only
