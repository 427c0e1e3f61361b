"""Tables of what was measured: kept as JSON, shown as Markdown."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

__all__ = ["Goal", "Table", "as_markdown", "update"]


@dataclass
class Goal:
    """What was to be reached, and what was measured."""

    what: str
    measured: str
    met: bool


@dataclass
class Table:
    """What one case measured."""

    title: str
    columns: list[str]
    rows: list[list] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *cells):
        self.rows.append([_text(cell) for cell in cells])

    def at_least(self, what, ratio, goal):
        """Set a goal that a ratio is to reach."""
        self.goals.append(
            Goal(f"{what}: ≥ {goal:g} ×", f"{_text(ratio)} ×", bool(ratio >= goal))
        )

    def at_most(self, what, value, goal, unit="×"):
        """Set a goal that a value is not to exceed."""
        self.goals.append(
            Goal(f"{what}: ≤ {goal:g} {unit}", f"{_text(value)} {unit}", value <= goal)
        )

    def holds(self, what, measured, met):
        """Set a goal that is met or not."""
        self.goals.append(Goal(what, measured, bool(met)))


def _text(cell):
    """Write numbers with three or four digits that count."""
    if cell is None:
        return "–"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        if abs(cell) >= 100:
            return f"{cell:,.0f}"
        return f"{cell:.3g}" if abs(cell) < 1 else f"{cell:.4g}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def update(path, name, table, circumstances):
    """Replace what `path` (JSON) says about one case, and leave the others."""
    known = json.loads(path.read_text()) if path.exists() else {}
    known[name] = {**asdict(table), "circumstances": circumstances}
    path.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    return known


def as_markdown(known, order):
    """Write all cases, in this order, as one page: goals first, then the tables."""
    names = [name for name in order if name in known]
    page = [_HEADER, "## Goals\n"]
    page += ["| case | goal | measured | met |", "|---|---|---|---|"]
    for name in names:
        for goal in known[name]["goals"]:
            verdict = "yes" if goal["met"] else "**no**"
            page.append(f"| {name} | {goal['what']} | {goal['measured']} | {verdict} |")
    for name in names:
        page += ["", table_as_markdown(name, known[name])]
    return "\n".join(page) + "\n"


def table_as_markdown(name, case):
    """Write one case."""
    lines = [f"## {name}: {case['title']}", "", "| " + " | ".join(case["columns"])]
    lines[-1] += " |"
    lines.append("|---" + "|---:" * (len(case["columns"]) - 1) + "|")
    lines += ["| " + " | ".join(row) + " |" for row in case["rows"]]
    for note in case["notes"]:
        lines += ["", note]
    return "\n".join([*lines, "", _circumstances(case["circumstances"])])


def _circumstances(facts):
    names = ("numpy", "scikit-learn", "kernels")
    versions = [f"{name} {facts[name]}" for name in names if name in facts]
    return (
        f"*{facts['date']}, `{facts['command']}`, medians of {facts['repeats']}; "
        f"{facts['cores']} cores of {facts['processor']}; Python {facts['python']}, "
        f"{', '.join(versions)}.*"
    )


_HEADER = """# Side by side

Written by `python benchmarks/side_by_side.py` (or `make bench`); each case by one run
of one process, its contenders taking turns on the same data, the same hyperplanes and
the same order of drawing. Times are medians of wall-clock seconds.

*Textbook* is `benchmarks/_textbook.py`: float32 activations, one matrix-vector product
for each second-layer neuron, one class against the rest, in NumPy with all cores.
*Floor* is the bare product `X @ W.T` in float32 with all cores. *Ours* is
`MemorizingClassifier` with `n_jobs=-1`, validation, certificate and all.

Peak memory is that of a fresh process which holds the data, beyond what it held before
the fit ("added") and in total. The first fit of a process is a case of its own
(fresh-process).
"""
