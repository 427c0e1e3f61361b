"""Memorize Two Moons in the chunks of a dask array, and measure what grows.

    python benchmarks/dask_moons.py                          # 10**6, 10**7, 10**8 rows
    python benchmarks/dask_moons.py --n-samples 1000000 2000000 --in-memory

Each number of rows is measured in a process of its own. Each worker is a process with
one thread that makes its own samples, each chunk from a seed of its own, and keeps
them; no process ever holds all of them. With `--in-memory` the same samples are also
fitted in one process, and the two networks are compared.

Measured are the memory of the process that calls `fit` and that of the workers, from
the moment when the samples are there; the time of `fit`; and every message between
processes, its bytes included. The scheduler is a process of its own. Verdicts say
whether the memory of the client is flat, whether that of a worker is at most 1.5 times
its samples and codes, and whether a row takes at most 1.3 times as long as in the
smallest number of rows. Workers do not steal tasks from each other here: the chunks are
spread evenly, and with a task its chunk would be copied.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import subprocess
import sys
import time
from collections import Counter

import dask.array as da
import numpy as np
from dask.distributed import Client, wait
from distributed.comm.tcp import TCP
from distributed.deploy.subprocess import SubprocessCluster
from distributed.diagnostics.plugin import SchedulerPlugin
from sklearn.datasets import make_moons

from sklearn_memorize import MemorizingClassifier

MIB = 1 << 20
# What is called flat, worth its memory, and as fast: the bounds of the verdicts.
MOST_GROWTH, MOST_MEMORY, MOST_TIME = 32, 1.5, 1.3


def moons(number: int, size: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Return chunk `number` of Two Moons, scaled to about the unit disc."""
    X, y = make_moons(size, noise=noise, random_state=number)
    return X / 2.2, y.astype(np.uint8)


def dask_moons(n_samples: int, chunk: int, noise: float):
    """Return the samples and labels as dask arrays; nothing is computed."""
    n_chunks = -(-n_samples // chunk)
    sizes = tuple(min(chunk, n_samples - k * chunk) for k in range(n_chunks))

    def part(block_info, which):
        number = block_info[None]["chunk-location"][0]
        return moons(number, sizes[number], noise)[which]

    X = da.map_blocks(
        part, which=0, chunks=(sizes, (2,)), dtype=float, meta=np.empty((0, 0))
    )
    y = da.map_blocks(
        part, which=1, chunks=(sizes,), dtype=np.uint8, meta=np.empty(0, np.uint8)
    )
    return X, y


def memory(name: str = "VmRSS") -> float:
    """Return the resident size of this process in MiB; of "VmHWM", the peak."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) / 1024 for line in lines if name in line)


def forget_peak() -> float:
    """Give back what is free, let the peak start again, and return the size."""
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as reset:
        reset.write("5")
    return memory()


def count_messages() -> None:
    """Count what this process sends to others, and the largest message."""
    send = TCP.write
    counts: Counter = Counter()

    async def counted(self, *arguments, **options):
        n_bytes = await send(self, *arguments, **options)
        counts["messages"] += 1
        counts["bytes"] += n_bytes
        counts["largest"] = max(counts["largest"], n_bytes)
        return n_bytes

    # The class is the same for all functions that are sent to this process.
    TCP.write, TCP.counts = counted, counts


def forget_messages() -> None:
    TCP.counts.clear()


def sent() -> dict[str, int]:
    return dict(TCP.counts)


class CountedTasks(SchedulerPlugin):
    """Count the tasks that are done."""

    name = "counted-tasks"

    def transition(self, key, start, finish, *args, **kwargs):
        TCP.counts["tasks"] += finish == "memory"


def same_network(a, b) -> bool:
    pairs = zip(a.network_.coverings, b.network_.coverings, strict=True)
    return all(
        np.array_equal(p.hyperplanes.directions, q.hyperplanes.directions)
        and np.array_equal(p.hyperplanes.scaled_biases, q.hyperplanes.scaled_biases)
        and np.array_equal(p.masks, q.masks)
        and np.array_equal(p.bounds, q.bounds)
        and np.array_equal(p.starts, q.starts)
        for p, q in pairs
    ) and np.array_equal(a.sample_indices_, b.sample_indices_)


def measured(given: argparse.Namespace, n_samples: int) -> dict:
    """Fit once, and return what was measured."""
    model = MemorizingClassifier(
        hyperplanes="random",
        n_draws=given.n_draws,
        min_hyperplanes=given.min_hyperplanes,
        random_state=0,
    )
    os.environ["DASK_DISTRIBUTED__SCHEDULER__WORK_STEALING"] = "False"
    cluster = SubprocessCluster(
        n_workers=given.n_workers,
        threads_per_worker=1,
        worker_kwargs={"memory_limit": given.memory_limit, "dashboard": False},
        scheduler_kwargs={"dashboard": False},
    )
    with cluster, Client(cluster) as client:
        client.wait_for_workers(given.n_workers)
        count_messages()
        client.run(count_messages)
        client.run_on_scheduler(count_messages)
        client.register_plugin(CountedTasks())
        # What is imported and started at first is not what is measured.
        X, y = dask_moons(20_000, 5_000, given.noise)
        MemorizingClassifier(**{**model.get_params(), "n_draws": 2}).fit(X, y)
        del X, y
        empty = client.run(forget_peak)
        X, y = client.persist(dask_moons(n_samples, given.chunk, given.noise))
        wait([X, y])
        client.run(forget_peak)
        client.run(forget_messages)
        client.run_on_scheduler(forget_messages)
        of_scheduler = client.run_on_scheduler(memory)
        forget_peak()
        forget_messages()
        before = memory()
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
        messages = {
            "client": sent(),
            "scheduler": client.run_on_scheduler(sent),
        }
        for number, counts in enumerate(client.run(sent).values()):
            messages[f"worker {number}"] = counts
        peaks = client.run(memory, "VmHWM")
        result = {
            "rows": n_samples,
            "chunks": X.numblocks[0],
            "seconds": seconds,
            "hyperplanes": model.n_hyperplanes_,
            "neurons": model.second_layer_widths_.tolist(),
            "client_before": before,
            "client_growth": memory("VmHWM") - before,
            "scheduler_growth": client.run_on_scheduler(memory) - of_scheduler,
            "worker_peak": max(peaks.values()),
            "worker_growth": max(peaks[worker] - empty[worker] for worker in peaks),
            "worker_held": held(model, X, given),
            "messages": messages,
        }
        correct = int((model.predict(X) == y).sum().compute())
        result["recalled"] = correct == n_samples and model.interpolates_
        if given.in_memory:
            values, labels = X.compute(), y.compute()
    if given.in_memory:
        again = MemorizingClassifier(**model.get_params())
        start = time.perf_counter()
        again.fit(values, labels)
        result["seconds_in_memory"] = time.perf_counter() - start
        result["same_network"] = same_network(model, again)
    return result


def held(model, X, given: argparse.Namespace) -> float:
    """Return the MiB of the samples, labels and codes that a worker keeps."""
    n_at_once = min(2, model.n_draws_)
    n_bits = n_at_once * model.n_hyperplanes_ / model.n_draws_
    n_chunks = -(-X.numblocks[0] // given.n_workers)
    rows = min(n_chunks * given.chunk, X.shape[0])
    return rows * (8 * X.shape[1] + 1 + n_bits / 8) / MIB


def report(found: dict) -> None:
    print(f"{found['rows']:,} rows in {found['chunks']} chunks")
    print(f"  fit               {found['seconds']:10.1f} s")
    print(f"  a row             {1e6 * found['seconds'] / found['rows']:10.3f} us")
    print(f"  hyperplanes       {found['hyperplanes']:10}, neurons {found['neurons']}")
    print(f"  all recalled      {found['recalled']!s:>10}")
    print(f"  client before fit {found['client_before']:10.0f} MiB")
    print(f"  client's growth   {found['client_growth']:10.1f} MiB")
    print(f"  scheduler's growth{found['scheduler_growth']:10.1f} MiB")
    print(f"  worker's peak     {found['worker_peak']:10.0f} MiB")
    print(f"  without its start {found['worker_growth']:10.0f} MiB")
    print(f"  samples and codes {found['worker_held']:10.0f} MiB")
    print(f"  tasks             {found['messages']['scheduler']['tasks']:10,}")
    for name, counts in found["messages"].items():
        print(
            f"  sent by {name}: {counts.get('messages', 0):,} messages, "
            f"{counts.get('bytes', 0) / MIB:.1f} MiB, the largest "
            f"{counts.get('largest', 0) / MIB:.2f} MiB"
        )
    if "same_network" in found:
        print(f"  fit in memory     {found['seconds_in_memory']:10.1f} s")
        print(f"  same network      {found['same_network']!s:>10}")
    sys.stdout.flush()


def verdicts(all_found: list[dict]) -> None:
    first, last = all_found[0], all_found[-1]
    growth = last["client_growth"]
    share = last["worker_growth"] / last["worker_held"]
    ratio = last["seconds"] / last["rows"] / (first["seconds"] / first["rows"])
    lines = (
        ("MiB that the client grows by", growth, MOST_GROWTH),
        ("worker's memory, in samples and codes", share, MOST_MEMORY),
        ("time a row, compared to the fewest rows", ratio, MOST_TIME),
    )
    for what, value, most in lines:
        verdict = "holds" if value <= most else "FAILS"
        print(f"{what:40} {value:8.2f}  at most {most:4}  {verdict}")
    recalled = all(found["recalled"] for found in all_found)
    print(f"{'all rows recalled':40} {recalled!s:>8}")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--n-samples", type=int, nargs="+", default=[10**6, 10**7, 10**8]
    )
    parser.add_argument("--chunk", type=int, default=500_000)
    parser.add_argument("--noise", type=float, default=0.03)
    parser.add_argument("--n-draws", type=int, default=1)
    parser.add_argument("--n-workers", type=int, default=2)
    parser.add_argument("--min-hyperplanes", type=int, default=256)
    parser.add_argument("--memory-limit", default="8GiB", help="of each worker")
    parser.add_argument("--in-memory", action="store_true")
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    given = options()
    if given.json:
        print(json.dumps(measured(given, given.n_samples[0])))
        return
    all_found = []
    for n_samples in given.n_samples:
        command = [sys.executable, __file__, "--json", "--n-samples", str(n_samples)]
        for name in ("chunk", "noise", "n-draws", "n-workers", "min-hyperplanes"):
            command += [f"--{name}", str(vars(given)[name.replace("-", "_")])]
        command += ["--memory-limit", given.memory_limit]
        command += ["--in-memory"] if given.in_memory else []
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        all_found.append(json.loads(output.splitlines()[-1]))
        report(all_found[-1])
    verdicts(all_found)


if __name__ == "__main__":
    main()
