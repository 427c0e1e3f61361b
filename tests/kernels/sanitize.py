"""Run the kernels in C under the address and the undefined-behaviour sanitizers.

The extension is compiled twice, with vectors and in plain C, into copies of the package.
The tests of the kernels run with each, and then calls at random are compared with the
specification for a while: sizes are no multiple of anything.

    make sanitize ARGS="--seconds 600"
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
FLAGS = "-g1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover"
VARIANTS = {"vectors": "", "plain C": " -DSKLEARN_MEMORIZE_PLAIN"}


def _library(name: str) -> str:
    compiler = os.environ.get("CC", "gcc").split()
    found = subprocess.run(
        [*compiler, f"-print-file-name={name}"], capture_output=True, text=True
    ).stdout.strip()
    if not os.path.isabs(found):
        raise SystemExit(f"{name} was not found; install the sanitizers of {compiler}.")
    return found


def _build(folder: Path, flags: str) -> None:
    ignored = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    package = "sklearn_memorize"
    shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    environment = {**os.environ, "CFLAGS": flags, "LDFLAGS": flags}
    subprocess.run(command, cwd=folder, env=environment, check=True)


def _run(folder: Path, *arguments: str) -> int:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT / "tests" / "kernels")]),
        "PYTHONMALLOC": "malloc",
        "LD_PRELOAD": f"{_library('libasan.so')} {_library('libubsan.so')}",
        # The interpreter itself does not free all it has.
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment).returncode


def fuzz(seconds: float, first_seed: int) -> None:
    """Compare calls at random, as long as there is time."""
    import numpy as np
    from kernel_cases import CASES, answer

    from sklearn_memorize import kernels

    names = kernels.backends()[1:]
    if not names:
        raise SystemExit("The kernels in C were not compiled.")
    print(f"Comparing {', '.join(names)} with the specification ...", flush=True)
    end, seed = time.monotonic() + seconds, first_seed
    while time.monotonic() < end:
        for case in CASES:
            run = case(np.random.default_rng(seed))
            expected = answer(run, "numpy")
            for name in names:
                if answer(run, name) != expected:
                    raise SystemExit(f"{name} differs: {case.__name__}, seed {seed}")
        seed += 1
    print(f"{(seed - first_seed) * len(CASES):,} calls agree.")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="of calls at random")
    parser.add_argument("--seed", type=int, default=0, help="of the first call")
    parser.add_argument(
        "--here", action="store_true", help="calls at random without sanitizers"
    )
    options = parser.parse_args()
    if options.here:
        fuzz(options.seconds, options.seed)
        return 0
    times = ["--here", f"--seconds={options.seconds}", f"--seed={options.seed}"]
    tests = str(ROOT / "tests" / "kernels" / "test_kernels.py")
    for name, more_flags in VARIANTS.items():
        with tempfile.TemporaryDirectory() as folder:
            print(f"Compiling with sanitizers: {name} ...", flush=True)
            _build(Path(folder), FLAGS + more_flags)
            pytest = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", tests]
            for arguments in (pytest, [__file__, *times]):
                if _run(Path(folder), *arguments):
                    return 1
    print("The sanitizers found nothing.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
