"""Time, memory, and what they were measured on."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from sklearn_memorize import kernels

__all__ = ["Timing", "alternate", "in_child", "machine", "saved"]

HERE = Path(__file__).resolve().parent
_POLL_SECONDS = 0.005
_PAUSE = 0.3


@dataclass
class Timing:
    """Wall and CPU seconds of the runs of one contender, and what the last returned."""

    walls: list = field(default_factory=list)
    cpus: list = field(default_factory=list)
    result: object = None

    @property
    def wall(self):
        return statistics.median(self.walls)

    @property
    def cpu(self):
        return statistics.median(self.cpus)


def alternate(contenders, repeats):
    """Run all contenders in turn, `repeats` times; return a Timing for each.

    Taking turns lets a slow spell of the machine hit all of them alike. The threads of
    the linear algebra library go on spinning when a product is done, at the expense of
    whoever comes next: each contender starts after a pause.
    """
    timings = {name: Timing() for name in contenders}
    for _ in range(repeats):
        for name, run in contenders.items():
            timing = timings[name]
            timing.result = None
            time.sleep(_PAUSE)
            cpu, wall = time.process_time(), time.perf_counter()
            timing.result = run()
            timing.walls.append(time.perf_counter() - wall)
            timing.cpus.append(time.process_time() - cpu)
    return timings


@contextmanager
def saved(**arrays):
    """Save arrays to a folder that lasts as long as the context."""
    with tempfile.TemporaryDirectory(prefix="side-by-side-") as folder:
        for name, values in arrays.items():
            np.save(Path(folder, f"{name}.npy"), values)
        yield folder


def in_child(watch_anonymous=False, environment=None, python=sys.executable, **job):
    """Run a job of `_child.py` in a fresh process; return what it reports.

    `python` may be the interpreter of another environment.

    With `watch_anonymous` the report also has the peak of the memory that is not
    backed by a file (a mapped input does not count), seen from outside.
    """
    surroundings = {**os.environ, **(environment or {})}
    if python != sys.executable:  # it has a package of its own
        surroundings.pop("PYTHONPATH", None)
    process = subprocess.Popen(
        [python, str(HERE / "_child.py"), json.dumps(job)],
        stdout=subprocess.PIPE,
        text=True,
        env=surroundings,
    )
    peak = 0
    while watch_anonymous and process.poll() is None:
        peak = max(peak, _anonymous_bytes(process.pid))
        time.sleep(_POLL_SECONDS)
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the job {job} failed with code {process.returncode}")
    report = json.loads(output.splitlines()[-1])
    return {**report, "anonymous": peak} if watch_anonymous else report


def _anonymous_bytes(pid):
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    sizes = [line.split()[1] for line in lines if line.startswith("RssAnon")]
    return 1024 * int(sizes[0]) if sizes else 0


def machine():
    """Describe the machine and the versions."""
    return {
        "date": date.today().isoformat(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "python": platform.python_version(),
        **{name: _version(name) for name in ("numpy", "scikit-learn")},
        "kernels": kernels.backend(),
    }


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    facts = {key.strip(): value.strip() for key, value in facts.items()}
    name = facts.get("model name", platform.machine())
    megahertz = facts.get("cpu MHz")
    model = f"family {facts.get('cpu family')}, model {facts.get('model')}"
    return f"{name} ({model}, {megahertz} MHz)" if megahertz else name
