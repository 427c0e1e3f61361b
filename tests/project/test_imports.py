"""Imports run downwards: which rooms there are, and who knows whom.

All imports count, those inside functions and those for type checkers too: what hides
there is known all the same.
"""

import ast
from pathlib import Path

import pytest
from support.data import ROOT

PACKAGE = ROOT / "sklearn_memorize"
# From the bottom; a room knows what stands before it. Rooms of one line do not know
# each other.
FLOORS = [
    ["exceptions"],
    ["kernels"],
    ["exact"],
    ["network"],
    ["_estimator"],
    ["constructions"],
    ["inspection", "model_selection", "datasets", "applications"],
    # Writes out what all rooms below hold.
    ["export"],
    # Draws what the studies measured.
    ["plotting"],
    ["__init__", "__main__"],
]
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}


def module_of(path):
    """Return the dotted name of a file below the package, without the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    if parts == ("__init__",):
        return "__init__"
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# What is written in C says in a stub what it is.
MODULES = {
    module_of(path): path
    for path in PACKAGE.rglob("*.py*")
    if path.suffix in (".py", ".pyi")
}


def imported(name, path):
    """Return the modules of the package that a module imports, anywhere in its text."""
    package = [] if name == "__init__" else name.split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.update(in_package(alias.name.split("."), []))
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else None
            parts = (node.module or "").split(".") if node.module else []
            target = parts if base is None else [PACKAGE.name, *base, *parts]
            found.update(in_package(target, [alias.name for alias in node.names]))
    return found - {name}


def in_package(parts, names):
    """Yield the modules that `from parts import names` reads."""
    if parts[:1] != [PACKAGE.name]:
        return
    base = ".".join(parts[1:])
    of_base = False
    for name in names:
        inner = f"{base}.{name}" if base else name
        if inner in MODULES:
            yield inner
        else:
            of_base = True
    if of_base or not names:
        yield base or "__init__"


GRAPH = {name: imported(name, path) for name, path in MODULES.items()}


def room_of(module):
    return module.partition(".")[0]


def circles():
    """Return the groups of modules that reach each other (Tarjan's algorithm)."""
    index, low, stack, found = {}, {}, [], []

    def visit(module):
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in sorted(GRAPH[module]):
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            group = [stack.pop()]
            while group[-1] != module:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for module in sorted(GRAPH):
        if module not in index:
            visit(module)
    return found


def test_every_import_is_seen():
    assert "exact._signs" in MODULES
    assert "constructions" in GRAPH["__init__"] or any(
        other.startswith("constructions.") for other in GRAPH["__init__"]
    )
    assert all(other in MODULES for others in GRAPH.values() for other in others)


def test_no_module_imports_itself_in_a_circle():
    assert circles() == []


@pytest.mark.parametrize("room", LEVEL)
def test_a_room_knows_only_what_stands_below_it(room):
    upwards = {
        f"{module} imports {other}"
        for module, others in GRAPH.items()
        if room_of(module) == room
        for other in others
        if room_of(other) != room and LEVEL[room_of(other)] >= LEVEL[room]
    }
    assert upwards == set()


def test_there_are_at_most_twelve_rooms_and_each_has_its_place():
    rooms = {room_of(module) for module in MODULES}
    assert rooms == set(LEVEL)
    assert len(rooms - {"__init__", "__main__"}) <= 12
    entries = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    expected = {room if (PACKAGE / room).is_dir() else f"{room}.py" for room in rooms}
    assert entries == expected | {"py.typed"}


def test_tests_mirror_the_package():
    """Whoever looks for the tests of a room finds a folder of its name."""
    tests = Path(__file__).parents[1]
    folders = [
        PACKAGE,
        *(PACKAGE / room for room in LEVEL if (PACKAGE / room).is_dir()),
        *(path for path in (PACKAGE / "constructions").iterdir() if path.is_dir()),
    ]
    for folder in folders:
        parts = [part.lstrip("_") for part in folder.relative_to(PACKAGE).parts]
        if "pycache__" not in parts:
            assert list(tests.joinpath(*parts).glob("test_*.py")), folder
