"""Fit every construction to ever more data, and say how its time grows.

For each estimator one decade of samples, and one of features: the processor time of
`fit` on one thread, the exponent that fits it, and what it is to be at most.

    python benchmarks/growth.py [--case NAME ...] [--quick]

writes `growth.csv`, which the documentation shows. `--quick` takes a tenth of the
samples, to see that everything runs, and prints the rows only. All rows take about ten
minutes on one idle core.

Two distributions: *arcs* are samples of a closed curve in R^d, (cos t, sin t,
cos 2t / 2, ...), whose four classes are arcs with gaps between them, so that what a
cover or a separator needs does not grow with N. *labels at random* are normally
distributed samples of two classes that mean nothing, for the networks whose size is a
function of N and d alone.
"""

from __future__ import annotations

import argparse
import csv
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from sklearn_memorize.constructions import all_estimators

TABLE = Path(__file__).resolve().parent / "growth.csv"
COLUMNS = ("estimator", "data", "of", "from, to", "seconds", "exponent", "≤", "met")
STEPS = (1.0, 10**0.5, 10.0)
# Exponents of measured times are good to so much.
TOLERANCE = 0.1
# Times are the least of several, of more if they are short: the first fit to so much
# data also asks the system for memory.
LONG, LEAST_REPEATS, MOST_REPEATS = 0.5, 3, 7
N_FEATURES = 20


def arcs(n_samples, n_features):
    """Sample four arcs of a closed curve in `n_features` dimensions."""
    rng = np.random.default_rng(0)
    labels = rng.integers(4, size=n_samples)
    t = (labels + rng.uniform(0, 0.7, n_samples)) * (np.pi / 2)
    numbers = np.arange(1, n_features // 2 + 1)
    waves = t[:, np.newaxis] * numbers
    curve = np.stack([np.cos(waves), np.sin(waves)], axis=2) / numbers[:, np.newaxis]
    return curve.reshape(n_samples, -1), labels


def random_labels(n_samples, n_features):
    """Sample a normal distribution and a coin."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, n_features))
    return X, rng.integers(2, size=n_samples)


@dataclass(frozen=True)
class Case:
    """What is measured of an estimator, and what its exponents are to be at most.

    `in_samples` is the power of N, which is multiplied by log N if `and_log`.
    """

    data: str
    n_samples: int
    in_samples: float
    in_features: float
    and_log: bool = False

    def limit(self, of: str) -> float:
        """Return the exponent over the decade that is measured."""
        if of == "d":
            return self.in_features
        if not self.and_log:
            return self.in_samples
        ends = np.array([self.n_samples, 10 * self.n_samples])
        logs = np.log(np.log(ends))
        return self.in_samples + float(np.diff(logs)[0] / np.log(10))


MAKE = {"arcs": arcs, "labels at random": random_labels}
RANDOM = "labels at random"
CASES = {
    "MemorizingClassifier": Case("arcs", 10_000, 1, 1),
    "RandomThresholdTransformer": Case("arcs", 10_000, 1, 1),
    "NearbySetClassifier": Case("arcs", 10_000, 1, 1),
    "RobustMemorizingClassifier": Case(RANDOM, 1_000, 2, 1),
    "SmallReLUClassifier": Case(RANDOM, 3_000, 1, 1, and_log=True),
    "SmallReLURegressor": Case(RANDOM, 3_000, 1, 1, and_log=True),
    "DeepThresholdClassifier": Case(RANDOM, 10_000, 1, 1, and_log=True),
    "SlabClassifier": Case(RANDOM, 10_000, 1, 2, and_log=True),
    "SlabRegressor": Case(RANDOM, 10_000, 1, 2, and_log=True),
    "ResidualMemorizingClassifier": Case(RANDOM, 1_000, 2, 2),
    "RandomReLUClassifier": Case("arcs", 10_000, 1, 1),
    "BitExtractionClassifier": Case(RANDOM, 10_000, 1, 1, and_log=True),
    "NarrowClassifier": Case(RANDOM, 10_000, 1, 1, and_log=True),
    "InterpolatingNeighborsClassifier": Case(RANDOM, 10_000, 1, 1, and_log=True),
    "InterpolatingNeighborsRegressor": Case(RANDOM, 10_000, 1, 1, and_log=True),
    "MemorizingRegressor": Case(RANDOM, 3_000, 1, 1, and_log=True),
}


def cpu_seconds(estimator, X, y) -> float:
    """Return the processor time of a fit, the least of several."""
    times: list[float] = []
    while len(times) < LEAST_REPEATS or (
        len(times) < MOST_REPEATS and sum(times) < LONG
    ):
        start = time.process_time()
        clone(estimator).fit(X, y)
        times.append(time.process_time() - start)
    return min(times)


def exponent(sizes, seconds) -> float:
    """Return the slope of the line through the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def measure(kind, of: str, scale: float) -> dict[str, str]:
    """Return a row: growth in samples (`of` is "N") or in features ("d")."""
    case, estimator = CASES[kind.__name__], kind()
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=0)
    n_samples = round(case.n_samples * scale)
    if of == "N":
        shapes = [(round(n_samples * step), N_FEATURES) for step in STEPS]
    else:
        shapes = [(n_samples, 2 * round(N_FEATURES * step / 2)) for step in STEPS]
    seconds = [cpu_seconds(estimator, *MAKE[case.data](*shape)) for shape in shapes]
    sizes = [shape[0 if of == "N" else 1] for shape in shapes]
    found, limit = exponent(sizes, seconds), case.limit(of)
    cells = (
        kind.__name__,
        case.data,
        of,
        f"{sizes[0]:,} – {sizes[-1]:,}",
        f"{seconds[0]:.3f} – {seconds[-1]:.3f}",
        f"{found:.2f}",
        f"{limit:.2f}",
        "yes" if found <= limit + TOLERANCE else "no",
    )
    return dict(zip(COLUMNS, cells, strict=True))


def write(rows) -> None:
    """Replace the rows that are there, and leave the others."""
    known = {}
    if TABLE.exists():
        with TABLE.open(newline="", encoding="utf-8") as file:
            known = {(row["estimator"], row["of"]): row for row in csv.DictReader(file)}
    known |= {(row["estimator"], row["of"]): row for row in rows}
    order = [(name, of) for name in CASES for of in "Nd" if (name, of) in known]
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(known[key] for key in order)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--case", action="append", help="an estimator; may be repeated")
    parser.add_argument("--quick", action="store_true", help="see above")
    options = parser.parse_args()
    for kind in all_estimators():
        if options.case and kind.__name__ not in options.case:
            continue
        for of in "Nd":
            with threadpool_limits(1):
                row = measure(kind, of, 0.1 if options.quick else 1.0)
            print(" | ".join(row.values()), flush=True)
            if not options.quick:
                write([row])


if __name__ == "__main__":
    main()
