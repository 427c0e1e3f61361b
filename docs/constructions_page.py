"""Write what the documentation and the README say of each construction.

All of it comes from the registry: `python docs/constructions_page.py` brings the table
in the README up to date, and building the documentation writes its tables and sections.
"""

import csv
import sys
from collections.abc import Iterable
from pathlib import Path
from textwrap import indent

from sklearn_memorize.constructions import all_constructions

DOCS = Path(__file__).resolve().parent
README = DOCS.parent / "README.md"
SIZES = DOCS.parent / "experiments" / "measured" / "parameters_against_n.csv"
HEADER = ("estimator", "network", "after")
BEGIN, END = "<!-- constructions: begin -->\n", "<!-- constructions: end -->"


def write_constructions(folder: Path) -> None:
    """Write the pieces that `constructions.rst` includes."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "constructions_overview.rst", _overview())
    _write(folder / "constructions_sections.rst", _sections())
    _write(folder / "constructions_sizes.rst", _sizes())
    _write(folder / "papers.rst", _papers())


def readme_table() -> str:
    """Return the table of all constructions, in Markdown."""
    lines = [HEADER, ["---"] * 3]
    for each in all_constructions():
        names = ", ".join(f"`{kind.__name__}`" for kind in each.estimators)
        paper = each.paper
        source = f"{paper.authors}, [{paper.venue}]({paper.link})"
        lines.append((names, each.network, source))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_readme(path: Path = README) -> None:
    """Write the table into the README, between its two marks."""
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    _write(path, [before, BEGIN, readme_table(), END, after])


def _overview() -> Iterable[str]:
    yield ".. list-table::\n   :header-rows: 1\n   :widths: auto\n\n"
    yield _row(HEADER)
    for each in all_constructions():
        sections = [
            f":ref:`{kind.__name__} <construction-{kind.__name__}>`"
            for kind in each.estimators
        ]
        # An initial at the beginning of a cell would number a list.
        source = f"\\ {each.paper.authors}, `{each.paper.venue} <{each.paper.link}>`__"
        yield _row((", ".join(sections), each.network, source))


def _papers() -> Iterable[str]:
    """Which paper to cite for which estimator."""
    for each in all_constructions():
        paper = each.paper
        names = ", ".join(f"`{kind.__name__}`" for kind in each.estimators)
        yield f'- {names}: {paper.authors}, "{paper.title}", '
        yield f"`{paper.venue} <{paper.link}>`__\n"


def _sizes() -> Iterable[str]:
    """The numbers of parameters, one column for each power of ten."""
    with SIZES.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    decades = sorted({int(row["N"]) for row in rows if not row["N"].strip("10")})
    sizes: dict[str, dict[int, str]] = {}
    for row in rows:
        size = _short(int(row["parameters"]))
        shown = size if row["how"] == "built" else f"*{size}*"
        sizes.setdefault(row["construction"], {})[int(row["N"])] = shown
    yield ".. list-table::\n   :header-rows: 1\n   :widths: auto\n\n"
    yield _row(["construction", *(f"N = {_short(n)}" for n in decades)])
    for construction, by_number in sizes.items():
        yield _row([construction, *(by_number.get(n, "\\-") for n in decades)])


def _short(number: int) -> str:
    """Write a number in three digits, from 100,000 on with a unit."""
    for unit, name in ((10**12, "T"), (10**9, "G"), (10**6, "M")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return f"{number:,}"


def _row(cells: Iterable[str]) -> str:
    first, *others = cells
    return "".join([f"   * - {first}\n", *(f"     - {cell}\n" for cell in others)])


def _sections() -> Iterable[str]:
    for each in all_constructions():
        yield from _section(each)


def _section(construction) -> Iterable[str]:
    """Paper, estimators and code from the record; the rest from the folder's text."""
    folder = _folder_of(construction)
    title, _, text = folder.__doc__.partition("\n\n")
    title = title.removesuffix(".")
    for kind in construction.estimators:
        yield f".. _construction-{kind.__name__}:\n"
    yield f"\n{title}\n{'-' * len(title)}\n\n"
    paper = construction.paper
    yield f'Paper\n   {paper.authors}, "{paper.title}",\n'
    yield f"   `{paper.venue} <{paper.link}>`__\n"
    names = ", ".join(f":class:`{kind.__name__}`" for kind in construction.estimators)
    yield f"Estimator\n   {names}\nCode\n"
    for piece in construction.code:
        yield indent(_code(piece), "   ")
    yield f"{text.strip()}\n\n"


def _folder_of(construction):
    """Return the package that holds the record."""
    module = construction.estimators[0].__module__
    return sys.modules[module.rpartition(".")[0]]


def _code(piece) -> str:
    """Return a link to the source of a function or class, and its first line."""
    path = piece.__module__.replace(".", "/")
    shown = path.removeprefix("sklearn_memorize/")
    directive = "class" if isinstance(piece, type) else "function"
    return (
        f"`{shown}.py <_modules/{path}.html>`__\n\n"
        f".. py:{directive}:: {piece.__name__}\n   :module: {piece.__module__}\n\n"
        f"   {piece.__doc__.partition(chr(10))[0]}\n\n"
    )


def _write(path: Path, pieces: Iterable[str]) -> None:
    """Write the file, unless it stands there already word for word."""
    text = "".join(pieces)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_readme()
