"""Run the experiments of the paper, and say how much of it is reproduced.

    python experiments/reproduce.py [--full] [--output FOLDER]

Each experiment can be run alone too. Interrupted, it goes on where it stopped.
"""

import sys

import mnist_heat_maps
import mnist_pairs
import mnist_wide
import moons_heat_maps
import moons_sample_size
import parallel_lines
from _comparison import summary

COMPARED = {
    "Two Moons": moons_heat_maps,
    "Two Moons, growing": moons_sample_size,
    "MNIST": mnist_heat_maps,
    "MNIST, wide": mnist_wide,
    "MNIST, 1 against 9": mnist_pairs,
}


def main(argv=None):
    """Run everything and print the shares of settings that agree."""
    parallel_lines.main(argv)
    tables = {name: experiment.main(argv) for name, experiment in COMPARED.items()}
    print("Within two standard errors of the published figures:\n")
    for name, table in tables.items():
        print(f"{name:20s} {summary(table)}")


if __name__ == "__main__":
    main(sys.argv[1:])
