"""One fit in a process of its own: how long it takes, and how much memory.

Run by `_measure.in_child` with a job in JSON as its only argument. The data are read
from files, so that making them does not show in the peak.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from pathlib import Path

import numpy as np

_STATUS = Path("/proc/self/status")


def _status(field):
    """Return a size from /proc/self/status, in bytes."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith(field):
            return 1024 * int(line.split()[1])
    raise KeyError(field)


def _forget_peak():
    """Return the memory in use, and let the peak count from here (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _status("VmRSS:")
    except OSError:
        return _peak()


def _peak():
    if _STATUS.exists():
        return _status("VmHWM:")
    in_bytes = sys.platform == "darwin"
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if in_bytes else 1024
    )


def _limit_memory(allowance):
    """Let the process take no more than `allowance` further bytes of its own.

    Pages of a file that is mapped for reading are not its own.
    """
    total = _status("VmData:") + allowance
    resource.setrlimit(resource.RLIMIT_DATA, (total, total))


def _load(folder, name, mapped=False):
    return np.load(Path(folder, f"{name}.npy"), mmap_mode="r" if mapped else None)


def _fit_ours(X, y, job):
    from sklearn_memorize import MemorizingClassifier

    return MemorizingClassifier(**job["parameters"]).fit(X, y)


def _textbook(job):
    from _textbook import fit_textbook

    folder = job["folder"]
    weights, biases = _load(folder, "weights"), _load(folder, "biases")
    orders = [
        (number, _load(folder, f"order{number}"))
        for number in range(100)
        if Path(folder, f"order{number}.npy").exists()
    ]

    def fit(X, y, job):
        return fit_textbook(X, y, weights, biases, orders, job.get("limit"))

    return fit


def _warm_up(X, y, job):
    """Load the compiled kernels and all threads, on a few samples of each class."""
    few = np.concatenate([np.flatnonzero(y == label)[:40] for label in np.unique(y)])
    parameters = {**job["parameters"], "n_hyperplanes": 64}
    model = _fit_ours(np.array(X[few]), y[few], {"parameters": parameters})
    model.predict(X[:100])


def _describe(model):
    if hasattr(model, "network_"):
        return {
            "neurons": int(model.second_layer_widths_.sum()),
            "interpolates": bool(model.interpolates_),
        }
    return {"neurons": model.n_neurons}


def main():
    warnings.simplefilter("ignore")
    job = json.loads(sys.argv[1])
    X = _load(job["folder"], "X", job.get("mapped", False))
    y = _load(job["folder"], "y")
    fit = _textbook(job) if job["contender"] == "textbook" else _fit_ours
    if job["contender"] == "ours" and job.get("warm", True):
        _warm_up(X, y, job)
    if "allowance" in job:
        _limit_memory(job["allowance"])
    seconds, model = [], None
    before = _forget_peak()
    for _ in range(job.get("repeats", 1)):
        model = None
        start = time.perf_counter()
        model = fit(X, y, job)
        seconds.append(time.perf_counter() - start)
    sizes = {"before": before, "peak": _peak()}
    print(json.dumps({"seconds": seconds, **sizes, **_describe(model)}))


if __name__ == "__main__":
    main()
