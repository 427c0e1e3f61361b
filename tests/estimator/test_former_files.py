"""Files that an earlier version stored are refused, and told what to do with."""

import base64
import pickle
import sys

import pytest

from sklearn_memorize import _FORMER_MODULES

FORMER = [
    (f"sklearn_memorize.{module}", name)
    for module, names in _FORMER_MODULES.items()
    for name in names
]
# `pickle.dumps(SlabClassifier())` with storage format 1.
SLAB = base64.b64decode(
    b"gASVsgAAAAAAAACMFnNrbGVhcm5fbWVtb3JpemUuX3NsYWKUjA5TbGFiQ2xhc3NpZmllcpST"
    b"lCmBlH2UKIwKZGVnZW5lcmF0ZZSMBXNwbGl0lIwJY29uZmxpY3RzlIwIbWFqb3JpdHmUjAxy"
    b"YW5kb21fc3RhdGWUTowZX3NrbGVhcm5fbWVtb3JpemVfdmVyc2lvbpSMBTAuMS4wlIwYX3Nr"
    b"bGVhcm5fbWVtb3JpemVfZm9ybWF0lEsBdWIu"
)


def assert_refused(stored, name):
    message = f"This {name} was stored by another version of sklearn_memorize; .*"
    with pytest.raises(ValueError, match=message + "or fit again"):
        pickle.loads(stored)


def test_a_file_of_the_former_format_is_refused():
    assert_refused(SLAB, "SlabClassifier")


@pytest.mark.parametrize(("module", "name"), FORMER)
def test_every_class_of_a_module_that_is_gone_is_refused(module, name):
    made = pickle.GLOBAL + f"{module}\n{name}\n".encode()
    assert_refused(made + pickle.EMPTY_TUPLE + pickle.NEWOBJ + pickle.STOP, name)


def test_objects_without_a_module_are_still_found():
    # pickle looks for them in all modules, those that are gone included.
    for module in FORMER:
        assert not hasattr(sys.modules[module[0]], "nothing of this name")
