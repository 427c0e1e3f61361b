"""Memorize Two Moons with 50,000,000 samples on two workers, and measure them.

    python benchmarks/dask_moons.py
    python benchmarks/dask_moons.py --n-samples 2000000 --in-memory

Each worker is a process with one thread that makes its own samples, each chunk from a
seed of its own, and keeps them; no process ever holds all of them. With
`--in-memory` the same samples are also fitted in this process, and the two networks are
compared.
"""

from __future__ import annotations

import argparse
import resource
import time

import dask.array as da
import numpy as np
from dask.distributed import Client, LocalCluster
from sklearn.datasets import make_moons

from sklearn_memorize import MemorizingClassifier

MIB = 1 << 20


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


def peak_memory() -> float:
    """Return the largest resident size of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB


def report(model, seconds: float) -> None:
    print(f"  fit                   {seconds:10.1f} s")
    print(f"  n_hyperplanes_        {model.n_hyperplanes_:10}")
    print(f"  second_layer_widths_  {model.second_layer_widths_}")
    print(f"  interpolates_         {model.interpolates_}", flush=True)


def timed(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


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


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-samples", type=int, default=50_000_000)
    parser.add_argument("--chunk", type=int, default=1_000_000)
    parser.add_argument("--noise", type=float, default=0.03)
    parser.add_argument("--n-draws", type=int, default=1)
    parser.add_argument("--min-hyperplanes", type=int, default=256)
    parser.add_argument("--memory-limit", default="6GiB", help="of each worker")
    parser.add_argument("--in-memory", action="store_true")
    return parser.parse_args()


def main() -> None:
    given = options()
    X, y = dask_moons(given.n_samples, given.chunk, given.noise)
    model = MemorizingClassifier(
        hyperplanes="random",
        n_draws=given.n_draws,
        min_hyperplanes=given.min_hyperplanes,
        random_state=0,
    )
    cluster = LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        memory_limit=given.memory_limit,
        dashboard_address=None,
    )
    with cluster, Client(cluster) as client:
        before = client.run(peak_memory)
        X, y = client.persist([X, y])
        print(f"{given.n_samples:,} samples in {X.numblocks[0]} chunks, two workers")
        report(model, timed(lambda: model.fit(X, y)))
        for number, (address, peak) in enumerate(client.run(peak_memory).items()):
            rise = peak - before[address]
            print(f"  peak of worker {number}      {peak:10.0f} MiB ({rise:.0f} more)")
        print(f"  peak of this process  {peak_memory():10.0f} MiB", flush=True)
        predicted = model.predict(X)
        print(f"  predict returns       {predicted}")
        correct = int((predicted == y).sum().compute())
        print(f"  recalled              {correct:,} of {given.n_samples:,}", flush=True)
        if given.in_memory:
            values, labels = X.compute(), y.compute()
    if given.in_memory:
        again = MemorizingClassifier(**model.get_params())
        print("The same samples in the memory of this process")
        report(again, timed(lambda: again.fit(values, labels)))
        print(f"  same network          {same_network(model, again)}")


if __name__ == "__main__":
    main()
