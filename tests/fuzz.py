"""Judge every estimator on many generated data sets: `make fuzz`.

A run of 50,000 cases takes about a quarter of an hour on one core. `--part 1/3` does
the first third of it, so that parts can run one after the other or side by side.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter

from hypothesis import HealthCheck, given, seed, settings
from support.cases import CASES
from support.oracle import RECALLED, REFUSED, WARNED

BATCH = 500


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
    def n_cases(self):
        return sum(self.outcomes.values()) + len(self.failures)


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


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=54_000, help="for all together")
    parser.add_argument("--part", default="1/1", help="for example 2/3")
    parser.add_argument("--seed", type=int, default=0, help="of the first batch")
    parser.add_argument("--only", nargs="+", choices=CASES)
    return parser.parse_args()


def main():
    options = arguments()
    part, n_parts = map(int, options.part.split("/"))
    names = options.only or CASES
    each = -(-options.cases // len(names))
    start = time.perf_counter()
    tallies = {}
    print(
        f"{'':28}{'cases':>8}{RECALLED:>10}{WARNED:>8}{REFUSED:>9}{'share':>8}"
        f"{'failed':>8}"
    )
    for name in names:
        tally = tallies[name] = Tally()
        for number, n_cases in batches(each, n_parts, part, options.seed):
            run_batch(name, number, n_cases, tally)
        kinds = [tally.outcomes[kind] for kind in (RECALLED, WARNED, REFUSED)]
        print(
            f"{name:28}{tally.n_cases:8}{kinds[0]:10}{kinds[1]:8}{kinds[2]:9}"
            f"{kinds[2] / max(1, tally.n_cases):8.1%}{len(tally.failures):8}   "
            f"slowest {tally.slowest:.2f} s",
            flush=True,
        )
        for failure in tally.failures:
            print(failure, flush=True)
    n_cases = sum(tally.n_cases for tally in tallies.values())
    n_failed = sum(len(tally.failures) for tally in tallies.values())
    seconds = time.perf_counter() - start
    print(f"{n_cases:,} cases in {seconds:.0f} s: {n_failed} silent misfits or crashes")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
