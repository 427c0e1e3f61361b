"""Where the repository is: what `project_urls` in setup.cfg says, nowhere else."""

import os
from configparser import ConfigParser
from pathlib import Path

SETUP = Path(__file__).resolve().parents[1] / "setup.cfg"


def repository() -> list[str]:
    """Return the address, or nothing where it is not known.

    Where setup.cfg names none, a workflow on GitHub knows which repository it is of.
    """
    parser = ConfigParser()
    parser.read(SETUP, encoding="utf-8")
    lines = parser.get("metadata", "project_urls", fallback="").split("\n")
    links = dict(line.split(" = ", 1) for line in lines if line)
    if "Source" in links:
        return [links["Source"]]
    server, name = (
        os.environ.get(f"GITHUB_{part}") for part in ("SERVER_URL", "REPOSITORY")
    )
    return [f"{server}/{name}"] if server and name else []
