"""Change the code in one place at a time; does a test notice? `make mutation`.

cosmic-ray lists all changes of `constructions/`, `kernels/` and `network/`; a sample of
them is drawn. Each is made in a copy of the last commit, and runs the tests that reach
the changed line, the fastest first, until one fails. What is written to `--log` is not
run again.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

from cosmic_ray.commands.init import _all_work_items
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("constructions", "kernels", "network")
PYTEST = [
    sys.executable,
    "-m",
    "pytest",
    "-q",
    "-o",
    "addopts=",
    "-p",
    "no:cacheprovider",
]
# Seconds that the tests of one mutant took before the change, all together.
BUDGET = 30
MEMORY = 12 << 30

# The copies run fewer examples twice the same way, and tell how long each test takes.
CONFTEST = """
import json
import os
from hypothesis import Phase, settings
settings.register_profile(
    "mutation", derandomize=True, database=None, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("mutation")
durations = {}

def pytest_runtest_logreport(report):
    # What fails before any change notices none.
    seconds = float("inf") if report.failed else report.duration
    durations[report.nodeid] = durations.get(report.nodeid, 0.0) + seconds

def pytest_sessionfinish(session):
    if "DURATIONS" in os.environ:
        with open(os.environ["DURATIONS"], "w") as file:
            json.dump(durations, file)
"""


def copy_of_last_commit(folder):
    folder.mkdir(parents=True)
    archive = subprocess.run(
        ["git", "archive", "HEAD"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
    (folder / "conftest.py").write_text(CONFTEST)
    return folder


def environment_of(copy):
    options = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return {**os.environ, **options, "PYTHONPATH": str(copy)}


class Reach:
    """Which tests reach which lines, and how long each takes."""

    def __init__(self, copy, durations):
        self.seconds = json.loads(durations.read_text())
        self.tests = defaultdict(set)  # of (file, line), of file, of folder
        database = sqlite3.connect(copy / ".coverage")
        rows = database.execute(
            "SELECT path, context, fromno, tono FROM arc JOIN file ON file.id = file_id"
            " JOIN context ON context.id = context_id WHERE context != ''"
        )
        for path, context, *lines in rows:
            test = context.rpartition("|")[0]
            name = Path(path).resolve().relative_to(copy.resolve()).as_posix()
            for place in (
                *((name, abs(line)) for line in lines),
                name,
                Path(name).parent,
            ):
                self.tests[place].add(test)

    def of(self, mutation):
        """Return the tests that reach a line; of a constant, those of the file."""
        name = mutation.module_path.as_posix()
        lines = range(mutation.start_pos[0], mutation.end_pos[0] + 1)
        tests = set().union(*(self.tests[name, line] for line in lines))
        tests = tests or self.tests[name] or self.tests[mutation.module_path.parent]
        chosen, total = [], 0.0
        for test in sorted(tests, key=lambda test: (self.seconds.get(test, 0), test)):
            seconds = total + self.seconds.get(test, 0)
            if seconds > BUDGET and chosen or seconds == float("inf"):
                break
            chosen.append(test)
            total = seconds
        return chosen, total


class _WithoutAnnotations(ast.NodeTransformer):
    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_FunctionDef(self, node):
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node):
        node.annotation = ast.Constant(None)
        return node


def meaning(source):
    """Return what of the source is run: annotations are not."""
    return ast.dump(_WithoutAnnotations().visit(ast.parse(source)))


def changed(mutation, source):
    """Return the changed source, or None if what is run stays the same."""
    operator = get_operator(mutation.operator_name)(**mutation.operator_args)
    code = mutate_code(source, operator, mutation.occurrence)
    try:
        return None if code is None or meaning(code) == meaning(source) else code
    except SyntaxError:
        return None


def sample(copy, n_mutants, seed, only):
    """Draw mutants, and return them with what each changes the source to."""
    files = [
        path.relative_to(copy)
        for folder in FOLDERS
        for path in sorted((copy / "sklearn_memorize" / folder).rglob("*.py"))
        if re.search(only, path.as_posix())
    ]
    here = os.getcwd()
    os.chdir(copy)
    mutations = [item.mutations[0] for item in _all_work_items(files, {})]
    os.chdir(here)
    print(f"{len(mutations):,} mutants of {len(files)} files", flush=True)
    random.Random(seed).shuffle(mutations)
    drawn = []
    for mutation in mutations:
        if len(drawn) == n_mutants:
            break
        code = changed(mutation, (copy / mutation.module_path).read_text())
        if code is not None:
            drawn.append((mutation, code))
    return drawn


def limit(pid, seconds):
    """Stop what runs away: a starved test is not one, so processor time is counted."""
    if hasattr(resource, "prlimit"):
        resource.prlimit(pid, resource.RLIMIT_CPU, (seconds, seconds + 5))
        resource.prlimit(pid, resource.RLIMIT_AS, (MEMORY, MEMORY))


def run(copy, tests, seconds, compiled):
    """Return "survived" if all of the tests pass, else what happened."""
    (copy / "tests.txt").write_text("\n".join(tests))
    environment = environment_of(copy)
    with tempfile.TemporaryDirectory() as cache:
        if compiled:  # callers of a changed kernel must be compiled again
            environment["NUMBA_CACHE_DIR"] = cache
        process = subprocess.Popen(
            [*PYTEST, "-x", "@tests.txt"],
            cwd=copy,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        allowed = round(60 + 4 * seconds + 120 * compiled)
        limit(process.pid, allowed)
        try:
            output, _ = process.communicate(timeout=20 * allowed)
        except subprocess.TimeoutExpired:
            output = ""
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode == 0:
        return "survived", ""
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
    if process.returncode < 0:
        return "stopped", ""
    if process.returncode > 2 and not failed:
        raise RuntimeError(output[-2000:])
    return "killed", failed[0] if failed else output[-300:]


def judge(copies, reach, mutation, code):
    """Make one change in a copy that nobody else works in, test it, and undo it."""
    tests, seconds = reach.of(mutation)
    record = {
        "file": mutation.module_path.as_posix(),
        "line": mutation.start_pos[0],
        "operator": mutation.operator_name.removeprefix("core/"),
        "occurrence": mutation.occurrence,
    }
    copy = copies.get()
    path = copy / mutation.module_path
    source = path.read_text()
    try:
        path.write_text(code)
        if tests:
            compiled = "kernels" in path.parts
            record["outcome"], record["by"] = run(copy, tests, seconds, compiled)
        else:
            record["outcome"] = "survived"
    finally:
        path.write_text(source)
        copies.put(copy)
    before, after = source.splitlines(), code.splitlines()
    record["was"] = [line for line in before if line not in after]
    record["is"] = [line for line in after if line not in before]
    return record


def prepare(folder, n_workers):
    """Copy the last commit, and run all tests once to see what they reach."""
    first = copy_of_last_commit(folder / "0")
    durations = str(folder / "durations.json")
    environment = {**environment_of(first), "DURATIONS": durations}
    command = [*PYTEST, "--cov", "--cov-context=test", "--cov-report="]
    # The extras, too.
    command += ["--extras", "with"]
    subprocess.run(command, cwd=first, env=environment)
    for number in range(1, n_workers):
        shutil.copytree(first, folder / str(number))


def report(records):
    """Print the survivors, and the figures of each file."""
    per_file = defaultdict(Counter)
    for record in records:
        per_file[record["file"]][record["outcome"] == "survived"] += 1
        if record["outcome"] == "survived":
            print(f"\n{record['file']}:{record['line']} {record['operator']}")
            print("\n".join([f"- {line}" for line in record["was"]]))
            print("\n".join([f"+ {line}" for line in record["is"]]))
    print(f"\n{'':52}{'mutants':>9}{'killed':>9}")
    for name, counts in sorted(per_file.items()):
        print(f"{name:52}{counts.total():9}{counts[False]:9}")
    killed = sum(counts[False] for counts in per_file.values())
    share = killed / max(len(records), 1)
    print(f"{'all':52}{len(records):9}{killed:9}   {share:.1%}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mutants", type=int, default=400, help="how many to draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="regular expression for file names")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="of the copies; kept if given")
    parser.add_argument("--log", type=Path, help="JSON lines, one for each mutant")
    return parser.parse_args()


def main():
    options = arguments()
    folder = options.folder or Path(tempfile.mkdtemp())
    if not (folder / "durations.json").exists():
        prepare(folder, options.workers)
    paths = [folder / str(number) for number in range(options.workers)]
    copies = SimpleQueue()
    for path in paths:
        copies.put(path)
    reach = Reach(paths[0], folder / "durations.json")
    drawn = sample(paths[0], options.mutants, options.seed, options.only)
    log = options.log or folder / "mutants.jsonl"
    done = [json.loads(line) for line in log.open()] if log.exists() else []
    known = {(r["file"], r["operator"], r["occurrence"]) for r in done}

    def work(drawn):
        mutation, code = drawn
        name = mutation.operator_name.removeprefix("core/")
        if (mutation.module_path.as_posix(), name, mutation.occurrence) in known:
            return
        record = judge(copies, reach, mutation, code)
        done.append(record)
        with log.open("a") as file:
            file.write(json.dumps(record) + "\n")
        print(record["outcome"], record["file"], record["line"], name, flush=True)

    with ThreadPoolExecutor(options.workers) as pool:
        for _ in pool.map(work, drawn):
            pass
    report(done)
    if options.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
