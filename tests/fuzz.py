"""Judge every estimator on many generated data sets: `make fuzz`.

A run of 50,000 cases takes an hour or two on one core. `--part 1/3` does the first
third of it, so that parts can run one after the other or side by side. With `--csv`
the counts are added to those of a file, whose table the documentation shows.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from support.cases import CASES
from support.oracle import RECALLED, REFUSED, WARNED

BATCH = 500
COLUMNS = ("", "cases", RECALLED, WARNED, REFUSED, "share refused", "failed")


class Tally:
    """What became of the cases of one estimator, or function."""

    def __init__(self):
        self.outcomes = Counter()
        self.failures = []
        self.slowest = 0.0

    def count(self, work):
        start = time.perf_counter()
        outcome = work()
        self.slowest = max(self.slowest, time.perf_counter() - start)
        self.outcomes[outcome] += 1

    @property
    def counts(self):
        """Numbers of cases that were recalled, warned of, refused; that failed."""
        kinds = [self.outcomes[kind] for kind in (RECALLED, WARNED, REFUSED)]
        return [*kinds, len(self.failures)]


def run_batch(name, number, n_cases, tally):
    """Judge one batch; hypothesis shrinks what fails."""
    options = settings(
        deadline=None,
        max_examples=n_cases,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )

    @seed(number)
    @options
    @given(CASES[name])
    def holds(case):
        tally.count(case)

    try:
        holds()
    except Exception:
        tally.failures.append(traceback.format_exc(limit=-3))


def batches(n_cases, n_parts, part, first_seed):
    """Yield the seeds and sizes of the batches of one part, for one estimator."""
    starts = range(0, n_cases, BATCH)
    for number, start in list(enumerate(starts))[part - 1 :: n_parts]:
        yield first_seed + number, min(BATCH, n_cases - start)


def row_of(name, counts):
    """Return one row of the table."""
    *kinds, n_failed = counts
    total = sum(counts)
    return [name, total, *kinds, f"{kinds[-1] / max(1, total):.1%}", n_failed]


def add_to_file(path, tallies):
    """Add counts to those of a file, or begin one."""
    counts = {name: tally.counts for name, tally in tallies.items()}
    if path.exists():
        with path.open(newline="") as file:
            rows = list(csv.reader(file))[1:]
        for name, _, recalled, warned, refused, _, failed in rows:
            before = map(int, (recalled, warned, refused, failed))
            here = counts.get(name, [0] * 4)
            counts[name] = [a + b for a, b in zip(before, here, strict=True)]
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(row_of(name, counts[name]) for name in CASES if name in counts)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=54_000, help="for all together")
    parser.add_argument("--part", default="1/1", help="for example 2/3")
    parser.add_argument("--seed", type=int, default=0, help="of the first batch")
    parser.add_argument("--only", nargs="+", choices=CASES)
    parser.add_argument("--csv", type=Path, help="a file to add the counts to")
    return parser.parse_args()


def main():
    options = arguments()
    part, n_parts = map(int, options.part.split("/"))
    names = options.only or CASES
    each = -(-options.cases // len(names))
    start = time.perf_counter()
    tallies = {}
    line = "{:34}{:>8}{:>10}{:>8}{:>9}{:>15}{:>8}"
    print(line.format(*COLUMNS))
    for name in names:
        tally = tallies[name] = Tally()
        for number, n_cases in batches(each, n_parts, part, options.seed):
            run_batch(name, number, n_cases, tally)
        print(
            line.format(*row_of(name, tally.counts)),
            f"  slowest {tally.slowest:.2f} s",
            flush=True,
        )
        for failure in tally.failures:
            print(failure, flush=True)
    if options.csv:
        add_to_file(options.csv, tallies)
    n_cases = sum(sum(tally.counts) for tally in tallies.values())
    n_failed = sum(len(tally.failures) for tally in tallies.values())
    seconds = time.perf_counter() - start
    print(f"{n_cases:,} cases in {seconds:.0f} s: {n_failed} silent misfits or crashes")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
