"""Print what identifies each fitted network, to compare installations.

    diff <(one/bin/python tests/digest.py) <(another/bin/python tests/digest.py)

Which versions it ran with goes to the standard error stream. The output layer of
RandomReLUClassifier is found by an optimizer of SciPy, which is not the same in all
releases; so it takes part only with `--output-layers`, for installations of one SciPy.
"""

import sys

import numpy as np
import scipy
import sklearn
from test_determinism import VARIANTS, digest, fitted

from sklearn_memorize import kernels


def main():
    print(
        f"NumPy {np.__version__}, SciPy {scipy.__version__}, scikit-learn "
        f"{sklearn.__version__}, {kernels.backend()} kernels",
        file=sys.stderr,
    )
    for variant, (name, _) in VARIANTS.items():
        optimized = name == "RandomReLUClassifier"
        n_layers = 1 if optimized and "--output-layers" not in sys.argv else None
        layers = "" if n_layers is None else ", first layer"
        print(digest(fitted(variant), n_layers), variant + layers)


if __name__ == "__main__":
    main()
