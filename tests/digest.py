"""Print what identifies each fitted network and its answers, one case a line.

    python tests/digest.py                       print all cases
    python tests/digest.py --output FILE         write them to a file
    python tests/digest.py --compare FILE        exit with 1 if a case differs from it
    python tests/digest.py --portable            what is the same with all versions

A line holds the name of the case and three digests: of the network, in its textbook
form, with all that `fit` has learned; of the answers for new rows; of the warnings and
of the error. A dash says that there is nothing of the kind. Only public names are used,
so that this file runs on any version of the package and tells what has changed.

What comes out of SciPy's optimizers or of LAPACK is not the same in all releases of
NumPy and SciPy, and neither are the messages of other packages: `--portable` leaves
these out. Rare large random numbers are computed with the logarithm of the C library:
digests that are compared are to be taken on one system.
Versions and cases that cannot run here are named on the standard error stream.
"""

import argparse
import dataclasses
import hashlib
import re
import sys
import warnings
from collections.abc import Iterator
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import scipy
import sklearn
from _digest_cases import Case, all_cases
from scipy import sparse

import sklearn_memorize
from sklearn_memorize import kernels

COLUMNS = ("network", "answers", "messages")
# scikit-learn lists the values that a parameter may have in the order of a Python set.
LISTED = re.compile(r"\{([^{}]*)\}")
# Differences of no interest: how long a study took.
TIME = re.compile("time|seconds|duration")


def exact_text(number) -> str:
    """Write a Python integer or fraction out."""
    return str(Fraction(number))


def numbers_in(matrix) -> Iterator[bytes]:
    """Yield a matrix as dense doubles, or as text where doubles cannot hold it.

    -0.0 becomes 0.0: which of them a weight of zero is depends on how it is stored.
    """
    yield f"numbers {matrix.shape} ".encode()
    if matrix.dtype == object:
        yield ",".join(exact_text(number) for number in matrix.flat).encode()
        return
    step = max(1, (1 << 20) // max(1, matrix.shape[-1]))
    for start in range(0, matrix.shape[0], step):
        rows = matrix[start : start + step]
        rows = rows.toarray() if sparse.issparse(rows) else rows
        as_double = rows.astype(np.float64)
        if rows.dtype.kind in "iu" and (as_double.astype(rows.dtype) != rows).any():
            raise TypeError("integers beyond double precision need dtype=object")
        yield (as_double + 0.0).tobytes()


def pieces(value) -> Iterator[bytes]:
    """Yield the bytes of a value."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, str)):
        yield f"{value!r};".encode()
    elif isinstance(value, (int, Fraction)):
        yield f"{exact_text(value)};".encode()
    elif isinstance(value, float):
        yield f"{value.hex()};".encode()
    elif sparse.issparse(value):
        yield f"{value.format} {value.dtype.str} ".encode()
        yield from numbers_in(value.tocsr())
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype.str} {value.shape} ".encode()
        held = value.dtype != object
        yield from [value.tobytes()] if held else pieces(value.tolist())
    elif isinstance(value, dict):
        shown = {str(key): part for key, part in value.items()}
        yield from pieces(
            [(key, shown[key]) for key in sorted(shown) if not TIME.search(key)]
        )
    elif isinstance(value, (list, tuple)):
        yield f"{len(value)} parts ".encode()
        for part in value:
            yield from pieces(part)
    elif all(hasattr(value, name) for name in ("weights", "biases", "activation")):
        yield f"{value.activation} ".encode()
        yield from numbers_in(value.weights)
        yield from numbers_in(value.biases)
    elif dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        yield from pieces({name: getattr(value, name) for name in names})
    else:
        raise TypeError(f"no rule for {type(value)}")


def in_order(message: str) -> str:
    """Return the message with what it lists within braces sorted."""
    return LISTED.sub(lambda found: str(sorted(found[1].split(", "))), message)


def examined(case: Case, portable: bool) -> dict[str, str]:
    """Run a case; return its digests by column."""
    digests = {column: hashlib.sha256() for column in COLUMNS}
    used = set()

    def add(column, value):
        used.add(column)
        for piece in pieces(value):
            digests[column].update(piece)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        steps = case.steps()
        n_layers = 0
        while True:
            try:
                column, value = next(steps)
            except StopIteration:
                break
            except Exception as error:
                add("messages", [type(error).__name__, in_order(str(error))])
                break
            n_layers += hasattr(value, "activation")
            if portable and case.n_layers is not None and n_layers > case.n_layers:
                break
            add(column, value)
    for warning in caught:
        add("messages", [warning.category.__name__, str(warning.message)])
    if portable:
        used.discard("messages")
    return {
        column: digests[column].hexdigest()[:16] if column in used else "-"
        for column in COLUMNS
    }


def lines(pattern: str, portable: bool) -> Iterator[str]:
    """Yield one line for each case that can run here."""
    missing = {}
    for case in all_cases():
        if not re.search(pattern, case.name) or (portable and case.n_layers == 0):
            continue
        if case.needs and not find_spec(case.needs):
            missing[case.needs] = missing.get(case.needs, 0) + 1
            continue
        yield " ".join((case.name, *examined(case, portable).values()))
    for package, n_cases in missing.items():
        print(f"{package} is not installed: {n_cases} cases left out", file=sys.stderr)


def differences(before: list[str], after: list[str], pattern: str) -> list[str]:
    """Say which cases differ, and in what."""
    old, new = (dict(line.split(" ", 1) for line in text) for text in (before, after))
    found = []
    for name in {**old, **new}:
        if not re.search(pattern, name):
            continue
        if name not in old or name not in new:
            found.append(f"{name}: only {'after' if name in new else 'before'}")
        elif old[name] != new[name]:
            pairs = zip(COLUMNS, old[name].split(), new[name].split(), strict=True)
            differ = [column for column, one, other in pairs if one != other]
            found.append(f"{name}: {', '.join(differ)}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, help="write the lines to this file")
    parser.add_argument("--compare", type=Path, help="compare with such a file")
    parser.add_argument("--cases", default="", help="names that match this pattern")
    parser.add_argument("--portable", action="store_true", help="see above")
    options = parser.parse_args()
    print(
        f"NumPy {np.__version__}, SciPy {scipy.__version__}, scikit-learn "
        f"{sklearn.__version__}, {kernels.backend()} kernels, "
        f"{sklearn_memorize.__path__[0]}",
        file=sys.stderr,
    )
    found = []
    for line in lines(options.cases, options.portable):
        found.append(line)
        if not (options.output or options.compare):
            print(line, flush=True)
    if options.output:
        options.output.write_text("\n".join(found) + "\n")
    if not options.compare:
        return 0
    differ = differences(options.compare.read_text().splitlines(), found, options.cases)
    print("\n".join(differ) or f"{len(found)} cases, none differs")
    return bool(differ)


if __name__ == "__main__":
    sys.exit(main())
