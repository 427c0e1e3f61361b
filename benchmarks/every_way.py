"""Ask for the same predictions in every way, and count the differences.

    python benchmarks/every_way.py

A network of 2,000 hyperplanes memorizes 10,000 MNIST digits, and predicts them all in
one batch, row by row, shuffled, in both precisions and memory orders, sparse, after
pickling, with one and two jobs, and in processes with one and two threads of linear
algebra. All differences ought to be 0. MNIST is read from
$SKLEARN_MEMORIZE_DATA/data/mnist (by default ../shared), or else fetched from OpenML.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy import sparse

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.datasets import fetch_mnist

_IN_A_PROCESS = """
import pickle, sys
import numpy as np
model = pickle.load(open(sys.argv[1] + "/model", "rb"))
np.save(sys.argv[1] + "/answer.npy", model.predict(np.load(sys.argv[1] + "/X.npy")))
"""


def in_a_process(model, X, n_threads):
    """Predict in a fresh process with so many threads of linear algebra."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "model").write_bytes(pickle.dumps(model))
        np.save(Path(folder, "X.npy"), X)
        variables = {"OMP_NUM_THREADS": str(n_threads)}
        subprocess.run(
            [sys.executable, "-c", _IN_A_PROCESS, folder],
            env={**os.environ, **variables},
            check=True,
        )
        return np.load(Path(folder, "answer.npy"))


def answers(model, X):
    """Yield the predictions, and how they were asked for."""
    order = np.random.default_rng(0).permutation(len(X))
    yield "one batch", model.predict(X)
    yield "row by row", np.array([model.predict(X[[i]])[0] for i in range(len(X))])
    yield "shuffled", model.predict(X[order])[np.argsort(order)]
    yield "double precision", model.predict(X.astype(np.float64))
    yield "Fortran order", model.predict(np.asfortranarray(X))
    yield "CSR", model.predict(sparse.csr_matrix(X))
    yield "pickled", pickle.loads(pickle.dumps(model)).predict(X)
    for n_jobs in (1, 2):
        yield f"n_jobs={n_jobs}", model.set_params(n_jobs=n_jobs).predict(X)
    model.set_params(n_jobs=None)
    for n_threads in (1, 2):
        yield f"OMP_NUM_THREADS={n_threads}", in_a_process(model, X, n_threads)


def main():
    """Print the number of differences for each way of asking and rule of decision."""
    X, y = fetch_mnist(return_X_y=True)
    X, y = X[:10000] / np.float32(255), y[:10000]
    model = MemorizingClassifier(n_hyperplanes=2000, n_draws=1, random_state=0)
    model.fit(X, y)
    print("interpolates:", model.interpolates_)
    for decision in ("vote", "network"):
        model.set_params(decision=decision)
        for way, answer in answers(model, X):
            print(f"{decision:8} {way:18} {(answer != y).sum()} of {len(y)} differ")


if __name__ == "__main__":
    main()
