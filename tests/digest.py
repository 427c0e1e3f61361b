"""Print what identifies each fitted network, to compare installations.

    diff <(one/bin/python tests/digest.py) <(another/bin/python tests/digest.py)

Which versions it ran with goes to the standard error stream. What comes out of SciPy's
optimizers or its LAPACK is not the same in all releases of SciPy; such layers take part
only with `--solved`, for installations of one SciPy.
"""

import sys

import numpy as np
import scipy
import sklearn
from test_determinism import VARIANTS, digest, fitted

from sklearn_memorize import kernels

# How many layers do without a solver.
SOLVED = {"RandomReLUClassifier": 1, "ResidualMemorizingClassifier": 0}


def main():
    print(
        f"NumPy {np.__version__}, SciPy {scipy.__version__}, scikit-learn "
        f"{sklearn.__version__}, {kernels.backend()} kernels",
        file=sys.stderr,
    )
    for variant, (name, _) in VARIANTS.items():
        n_layers = None if "--solved" in sys.argv else SOLVED.get(name)
        if n_layers != 0:
            part = "" if n_layers is None else f", {n_layers} layers"
            print(digest(fitted(variant), n_layers), variant + part)


if __name__ == "__main__":
    main()
