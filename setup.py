"""Compile the kernels, and find the README's links; the rest stands in setup.cfg.

Where that fails, the package is installed without them, and runs on NumPy.
"""

import os
import re
import sysconfig
from configparser import ConfigParser
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

FOLDER = Path("sklearn_memorize", "kernels", "c")
# The limited API, and one wheel for all versions of Python, unless threads are free.
IS_LIMITED = not sysconfig.get_config_var("Py_GIL_DISABLED")
# Exactness rests on IEEE arithmetic: no fused operations but those that are written. No
# one asks for exceptions or `errno`, which lets loops become vectors.
FLAGS = {
    "msvc": ["/O2", "/std:c11", "/fp:precise"],
    "unix": [
        "-O3",
        "-std=gnu11",
        "-fno-fast-math",
        "-ffp-contract=off",
        "-fno-trapping-math",
        "-fno-math-errno",
        "-Wno-psabi",
    ],
}
# Notes for debuggers are many times as long as the code; CFLAGS may ask for them.
if not any(flag.startswith("-g") for flag in os.environ.get("CFLAGS", "").split()):
    FLAGS["unix"].append("-g0")


class BuildKernels(build_ext):
    """Compile with the flags of the compiler that is used."""

    def build_extension(self, ext):
        """Compile the extension."""
        kind = "msvc" if self.compiler.compiler_type == "msvc" else "unix"
        ext.extra_compile_args = FLAGS[kind]
        super().build_extension(ext)


def readme() -> str:
    """Return README.md; the index of packages needs whole addresses as links."""
    text = Path("README.md").read_text(encoding="utf-8")
    parser = ConfigParser()
    parser.read("setup.cfg", encoding="utf-8")
    lines = parser.get("metadata", "project_urls", fallback="").split("\n")
    source = dict(line.split(" = ", 1) for line in lines if line).get("Source")
    if source is None:
        return text

    def whole(link: re.Match) -> str:
        view = "raw" if link[1].endswith(".png") else "blob"
        return f"]({source}/{view}/main/{link[1]})"

    return re.sub(r"\]\((?!https?://|#)([^)\s]+)\)", whole, text)


setup(
    long_description=readme(),
    cmdclass={"build_ext": BuildKernels},
    ext_modules=[
        Extension(
            "sklearn_memorize.kernels._c",
            sources=sorted(path.as_posix() for path in FOLDER.glob("*.c")),
            depends=sorted(path.as_posix() for path in FOLDER.glob("*.h")),
            define_macros=[("Py_LIMITED_API", "0x030B0000")] if IS_LIMITED else [],
            py_limited_api=IS_LIMITED,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if IS_LIMITED else {},
)
