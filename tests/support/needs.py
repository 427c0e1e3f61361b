"""Skip what cannot run here, or fail it where everything has to be there."""

import importlib
import os

import pytest


def needs(*names):
    """Import modules of an extra; return the first one."""
    try:
        modules = [importlib.import_module(name) for name in names]
    except ImportError as error:
        reason = f"{error.name or names[0]} is absent; see the extras in setup.cfg"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason, allow_module_level=True)
    return modules[0]
