"""Peak memory of a fit against what the library says it will take.

`MemorizingClassifier.fit` compares its sizes with the memory before it draws anything.
For six shapes from tall to wide and sparse this prints that number, the memory that
the process gained from there to its peak, and the ratio of the two. Each fit runs in a
process of its own. Linux only: the peak is read from /proc.

    python benchmarks/memory.py [--only tall,text] [--csv FILE]
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from scipy import sparse

MEBIBYTE = 2**20
SHAPES = {
    "tall": "1,000,000 x 2, two moons",
    "table": "200,000 x 20, five clusters a class",
    "images": "20,000 x 784, ten classes",
    "spectra": "2,000 x 20,000, two classes",
    "few words": "2,000 x 2^18, sparse, 100 words a row",
    "text": "20,000 x 2^18, sparse, 100 words a row",
}
WAYS = ("random", "adapted")
HEADER = (
    "shape",
    "hyperplanes",
    "estimate (MiB)",
    "peak (MiB)",
    "peak / estimate",
    "seconds",
)


def moons(rng):
    angle = rng.uniform(0, np.pi, 1_000_000)
    y = rng.integers(0, 2, len(angle))
    X = np.c_[np.cos(angle), np.sin(angle)]
    X = np.where(y[:, np.newaxis], [1.0, 0.5] - X, X)
    return X + 0.05 * rng.standard_normal(X.shape), y


def clusters(rng, n_samples, n_features, n_classes, n_clusters, spread):
    centers = rng.standard_normal((n_classes * n_clusters, n_features))
    which = rng.integers(0, len(centers), n_samples)
    X = spread * rng.standard_normal((n_samples, n_features), dtype=np.float32)
    X += centers[which]
    return X, which % n_classes


def words(rng, n_samples, n_features=1 << 18, n_words=100):
    """Rows like hashed documents: the k-th word is about as frequent as 1 / k."""
    ranks = (n_features ** rng.random((n_samples, n_words))).astype(np.intp) - 1
    columns = rng.permutation(n_features)[ranks]
    signs = rng.choice([-1.0, 1.0], n_samples * n_words)
    starts = np.arange(n_samples + 1) * n_words
    X = sparse.csr_array((signs, columns.ravel(), starts), (n_samples, n_features))
    X.sum_duplicates()
    lengths = np.sqrt(X.multiply(X).sum(axis=1))
    X.data /= np.repeat(lengths, np.diff(X.indptr))
    return X, rng.integers(0, 2, n_samples)


def samples_of(shape, rng):
    if shape == "tall":
        return moons(rng)
    if shape == "table":
        return clusters(rng, 200_000, 20, 2, 5, 0.3)
    if shape == "images":
        return clusters(rng, 20_000, 784, 10, 5, 0.5)
    if shape == "spectra":
        return clusters(rng, 2_000, 20_000, 2, 5, 0.5)
    return words(rng, 20_000 if shape == "text" else 2_000)


def status(field):
    """Return a size from /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return 1024 * int(line.split()[1])
    raise KeyError(field)


def measure(shape, hyperplanes):
    """Fit, and print the estimate and the peak in JSON."""
    from sklearn_memorize import MemorizingClassifier
    from sklearn_memorize.constructions.random_hyperplanes import _estimator

    X, y = samples_of(shape, np.random.default_rng(0))
    few = np.random.default_rng(0).standard_normal((50, 3))
    MemorizingClassifier(hyperplanes=hyperplanes).fit(few, np.arange(50) % 2)
    checked = {}

    def check_room(n_bytes, what):
        checked.update(estimate=n_bytes, before=status("VmRSS:"))
        Path("/proc/self/clear_refs").write_text("5")

    _estimator.check_room = check_room
    start = time.perf_counter()
    model = MemorizingClassifier(hyperplanes=hyperplanes, random_state=0).fit(X, y)
    seconds = time.perf_counter() - start
    peak = status("VmHWM:") - checked["before"]
    assert model.interpolates_
    result = {"estimate": checked["estimate"], "peak": peak, "seconds": seconds}
    print(json.dumps(result))


def row_of(shape, hyperplanes):
    """Return one row of the table, measured in a process of its own."""
    command = [sys.executable, __file__, "--measure", shape, hyperplanes]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if process.returncode:
        return SHAPES[shape], hyperplanes, "-", "-", "failed", "-"
    result = json.loads(process.stdout.splitlines()[-1])
    return (
        SHAPES[shape],
        hyperplanes,
        f"{result['estimate'] / MEBIBYTE:,.0f}",
        f"{result['peak'] / MEBIBYTE:,.0f}",
        f"{result['peak'] / result['estimate']:.2f}",
        f"{result['seconds']:.0f}",
    )


def write(path, row):
    """Write a row of the table; the others that the file has stay."""
    rows = {}
    if path.exists():
        with path.open(newline="") as file:
            rows = {tuple(row[:2]): row for row in list(csv.reader(file))[1:]}
    rows[row[:2]] = row
    order = list(SHAPES.values())
    rows = sorted(
        rows.values(), key=lambda row: (order.index(row[0]), row[1] != "random")
    )
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER, *rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", help="names of shapes, with commas between them")
    parser.add_argument("--csv", type=Path, help="where the table is written to")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(*options.measure)
        return
    names = options.only.split(",") if options.only else SHAPES
    print(*HEADER, sep=" | ")
    for shape in names:
        for hyperplanes in WAYS:
            row = row_of(shape, hyperplanes)
            print(*row, sep=" | ", flush=True)
            if options.csv:
                write(options.csv, row)


if __name__ == "__main__":
    main()
