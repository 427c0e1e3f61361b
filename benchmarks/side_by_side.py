"""Measure the library beside the textbook, the bare product and other classifiers.

Prints a table for each case, and writes them to `results.md`, next to this file:

    python benchmarks/side_by_side.py [--case NAME ...] [--repeats 3] [--quick]
        [--earlier PYTHON]

A run of some cases replaces these and leaves the others; `results.json` keeps the
figures. With `--quick` all cases run on small data, to see that they run, and nothing
is written. MNIST is read from $SKLEARN_MEMORIZE_DATA/data/mnist (by default ../shared),
or else fetched from OpenML. The largest cases take 6 GB of memory and 2 GB of temporary
files; all of them take about an hour on two cores.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import _cases_fit as fit
import _cases_growth as growth
import _cases_predict as predict
from _measure import machine
from _report import as_markdown, table_as_markdown, update
from sklearn.exceptions import ConvergenceWarning

from sklearn_memorize.exceptions import InterpolationWarning

HERE = Path(__file__).resolve().parent
CASES = {
    "mnist-70k": fit.mnist_70k,
    "mnist-10k": fit.mnist_10k,
    "mnist-1-vs-9": fit.mnist_1_vs_9,
    "moons-1m": fit.moons_1m,
    "mnist-70k-predict": predict.mnist_70k_predict,
    "two-cores": growth.two_cores,
    "default-predict": predict.default_predict,
    "one-row": predict.one_row,
    "instruction-sets": fit.instruction_sets,
    "numpy-kernels": fit.numpy_kernels,
    "fresh-process": growth.fresh_process,
    "moons-growth": growth.growth_in_samples,
    "classifiers": predict.classifiers,
    "wide": fit.wide,
    "memmap": growth.mapped_input,
    "growth-n": growth.growth_in_hyperplanes,
    "growth-classes": growth.growth_in_classes,
    "growth-d": growth.growth_in_features,
    "earlier": fit.earlier_version,
}


@dataclass(frozen=True)
class Settings:
    """How thoroughly to measure."""

    repeats: int
    quick: bool
    slow_samples: int
    earlier: str | None = None

    def size(self, full, quick):
        return quick if self.quick else full


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--case", action="append", choices=CASES, help="may be repeated; else all"
    )
    parser.add_argument("--repeats", type=int, default=3, help="medians of this many")
    parser.add_argument(
        "--quick", action="store_true", help="small data, write nothing"
    )
    parser.add_argument(
        "--slow-samples", type=int, default=10_000, help="that SVC and MLP learn from"
    )
    parser.add_argument(
        "--earlier", help="interpreter of an environment with an earlier version"
    )
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    settings = Settings(
        arguments.repeats, arguments.quick, arguments.slow_samples, arguments.earlier
    )
    without_earlier = [name for name in CASES if name != "earlier"]
    names = arguments.case or (CASES if arguments.earlier else without_earlier)
    warnings.simplefilter("ignore", InterpolationWarning)
    warnings.simplefilter("ignore", ConvergenceWarning)
    command = " ".join(["python benchmarks/side_by_side.py", *sys.argv[1:]])
    circumstances = {**machine(), "command": command, "repeats": settings.repeats}
    missed, broken = [], []
    for name in names:
        start = time.perf_counter()
        try:
            table = CASES[name](settings)
        except Exception:
            # The cases to come may take an hour, and do not depend on this one.
            traceback.print_exc()
            broken.append(name)
            continue
        case = {**asdict(table), "circumstances": circumstances}
        print(table_as_markdown(name, case), "\n", flush=True)
        for goal in table.goals:
            print(f"  {'met ' if goal.met else 'MISSED'} {goal.what}: {goal.measured}")
            missed += [] if goal.met else [f"{name}: {goal.what}"]
        print(f"  ({name} took {time.perf_counter() - start:.0f} s)\n", flush=True)
        if not settings.quick:
            known = update(HERE / "results.json", name, table, circumstances)
            (HERE / "results.md").write_text(as_markdown(known, CASES))
    if missed and not settings.quick:
        print("Missed:", *missed, sep="\n  ")
    if broken:
        sys.exit(f"Broken: {', '.join(broken)}")


if __name__ == "__main__":
    main()
