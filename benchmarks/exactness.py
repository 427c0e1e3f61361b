"""Compare the codes of many samples with exact rational arithmetic.

Samples are rounded to a coarse grid, and half of the hyperplanes are moved so that they
pass exactly through a sample or next to one: where rounding decides, it is wrong half
of the time. Every code that plain single precision gets wrong, and a sample of those
that its error bound leaves open, are computed once more with Python's integers.

    python benchmarks/exactness.py [--codes 100000000] [--output exactness.md]
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path

import numpy as np
from scipy import sparse

from sklearn_memorize import kernels
from sklearn_memorize.constructions.random_hyperplanes._hyperplane_layer import (
    HyperplaneLayer,
)

SAMPLE = 2000
N_HYPERPLANES = 1000


def grid(rng, n_samples):
    """Return points of a grid, and hyperplanes of few bits: many exact zeros."""
    X = rng.integers(-8, 9, (n_samples, 20)) / 8.0
    directions = np.round(4 * rng.standard_normal((N_HYPERPLANES, 20))) / 4
    return X, directions, 0.0


def gaussian(rng, n_samples):
    """Return ordinary data; hyperplanes pass as near to samples as rounding allows."""
    X = rng.standard_normal((n_samples, 50))
    return X, rng.standard_normal((N_HYPERPLANES, 50)), 1e-8


def plane(rng, n_samples):
    """Return points of the plane, whose products are never stored."""
    X = rng.standard_normal((n_samples, 2))
    return X, rng.standard_normal((N_HYPERPLANES, 2)), 1e-8


def far(rng, n_samples):
    """Return data far from the origin, where single precision loses most digits."""
    X = rng.standard_normal((n_samples, 30)) + 1e6
    return X, rng.standard_normal((N_HYPERPLANES, 30)), 1e-4


def pixels(rng, n_samples):
    """Return images of few grey values, so black that zeros are passed over."""
    X = rng.integers(0, 256, (n_samples, 100)) * (rng.random((n_samples, 100)) < 0.1)
    return X.astype(np.float32), rng.standard_normal((N_HYPERPLANES, 100)), 1e-4


CASES = {
    "grid": grid,
    "Gaussian": gaussian,
    "plane": plane,
    "far away": far,
    "pixels": pixels,
}


def hostile_layer(X, directions, noise, rng):
    """Return hyperplanes of which every second one passes through a sample."""
    directions = directions.astype(np.float32)
    through = X[rng.integers(0, len(X), len(directions))].astype(np.float64)
    biases = -np.einsum("ij,ij->i", directions.astype(np.float64), through)
    biases[::2] += noise * rng.standard_normal(len(biases[::2]))
    exponent = int(np.frexp(np.abs(X).max())[1])
    shift = X.mean(axis=0) if abs(X.mean()) > 100 * X.std() else None
    return HyperplaneLayer(directions, np.ldexp(biases, -exponent), exponent, shift)


def in_units(value):
    """Return a double in units of 2**-1074, an integer."""
    numerator, denominator = float(value).as_integer_ratio()
    return numerator << (1075 - denominator.bit_length())


def exact_bit(layer, X, row, column, biases):
    """Return [<w, x> + b > 0] in Python's integers."""
    pairs = zip(layer.directions[column].tolist(), X[row].tolist(), strict=True)
    total = sum(in_units(w) * in_units(x) for w, x in pairs)
    return total + (in_units(biases[column]) << 1074) > 0


def compare(name, n_codes, rng):
    """Return a row of the table."""
    n_wanted = n_codes // N_HYPERPLANES
    X, directions, noise = CASES[name](rng, n_wanted)
    layer = hostile_layer(X, directions, noise, rng)
    biases = layer.biases
    single = layer.directions.T, biases.astype(np.float32)
    norms = np.linalg.norm(layer.directions, axis=1)
    counts = dict.fromkeys(("codes", "flagged", "float32", "sampled", "wrong"), 0)
    seconds = 0.0
    blocks = range(0, n_wanted, 5000)
    for start in blocks:
        block = X[start : start + 5000]
        begin = time.perf_counter()
        exact = signs_as_fits_do(layer, block)
        seconds += time.perf_counter() - begin
        assert (exact == in_other_ways(layer, block)).all()
        values = block.astype(np.float32) @ single[0] + single[1]
        plain = values > 0
        reach = np.linalg.norm(block, axis=1)[:, np.newaxis] * norms + np.abs(biases)
        open_ones = np.abs(values) <= (X.shape[1] + 4) * 2.0**-24 * reach
        differ = np.nonzero(plain != exact)
        doubtful = np.nonzero(open_ones)
        chosen = rng.permutation(len(doubtful[0]))[: SAMPLE // len(blocks) + 1]
        differing = rng.permutation(len(differ[0]))[: SAMPLE // len(blocks) + 1]
        for rows, columns, picked in ((*differ, differing), (*doubtful, chosen)):
            for row, column in zip(rows[picked], columns[picked], strict=True):
                right = exact_bit(layer, block, row, column, biases)
                counts["wrong"] += int(right != exact[row, column])
                counts["sampled"] += 1
        counts["codes"] += exact.size
        counts["flagged"] += int(open_ones.sum())
        counts["float32"] += len(differ[0])
    return {"data": name, **counts, "seconds": seconds}


def signs_as_fits_do(layer, block):
    """Return the signs that a fit finds, in codes laid out to be counted."""
    everywhere = np.arange(len(block))
    return layer.encode_arranged(block, everywhere, everywhere, len(block)).bits()


def in_other_ways(layer, block):
    """Return the signs of the same points, some of them each asked for in another way.

    As predictions do; as sparse rows; and with the plain kernels.
    """
    first, second, third = np.array_split(block, 3)
    with kernels.use_backend("numpy"):
        plain = layer.signs(np.asfortranarray(third.astype(np.float64)))
    return np.concatenate(
        [layer.signs(first), layer.signs(sparse.csr_array(second)), plain]
    )


def table(rows):
    lines = [
        "| data | codes | open after float32 | float32 wrong | compared | wrong | s |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        numbers = [row[k] for k in ("codes", "flagged", "float32", "sampled", "wrong")]
        cells = " | ".join(f"{number:,}" for number in numbers)
        lines.append(f"| {row['data']} | {cells} | {row['seconds']:.1f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--codes", type=int, default=100_000_000)
    parser.add_argument("--seed", type=int, default=0)
    default = Path(__file__).with_suffix(".md")
    parser.add_argument("--output", type=Path, default=default)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    rows = []
    for name in CASES:
        rows.append(compare(name, options.codes // len(CASES), rng))
        print(rows[-1], flush=True)
    totals = {key: sum(row[key] for row in rows) for key in rows[0] if key != "data"}
    rows.append({"data": "**all**", **totals})
    text = f"""# Exact codes

Half of the hyperplanes pass through a sample, the other half next to one. "Open after
float32" counts the codes whose magnitude is below the rounding error of single
precision; "float32 wrong" those that single precision gets wrong. Of both kinds a
sample is compared with integers of unlimited size; "wrong" counts our errors among
them. Every code was computed in two ways (as fits do, and as predictions do, from
sparse rows, or in Fortran order by plain NumPy), which agreed. The last column is the
time that the codes took.

{table(rows)}

`python benchmarks/exactness.py --codes {options.codes} --seed {options.seed}`, NumPy
{np.__version__}, Python {platform.python_version()}, {platform.machine()}.
"""
    options.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
