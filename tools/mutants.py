"""Faults put into the code one at a time: do the fast tests notice each of them?

    python tools/mutants.py                # the named faults, then a seeded sample of 220 others
    python tools/mutants.py --named-only
    python tools/mutants.py --sample 20 --seed 7 --workers 1
    python tools/mutants.py --files 'backends/*.py' --sample 50

A fault is one change of a comparison, an operator, a number, a truth value, a returned value or an
argument. Which files are changed, and which tests must notice, is in ``tests/mutants/map.toml``;
faults of known consequence, each with the test that must notice it, are in
``tests/mutants/named.toml``; those that no test can notice, or that change nothing, are in
``tests/mutants/survivors.toml`` with the reason.

Each worker changes a copy of the tree of its own. The libraries are imported once, in the parent; a
test run is a fork of it. Exit code 1 if a named fault lives, if less than 95 % of the sample is
noticed, or if one lives that ``survivors.toml`` does not argue.
"""

from __future__ import annotations

import argparse
import ast
import fnmatch
import importlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "tests" / "mutants"
LEAST = 0.95
# a test run that takes so many times as long as without a fault, and so many seconds more, hangs
HANGS = (5.0, 60.0)
# what decides no result: types, checks of lengths, how much is kept or how it looks
NO_RESULT = frozenset(
    {
        "strict", "dtype", "copy", "encoding", "maxsize", "repr", "description", "indent",
        "timeout", "parents", "exist_ok", "missing_ok", "keepdims", "json_schema_extra",
        "stacklevel",
    }
)  # fmt: skip
# of these the order of two arguments changes nothing
COMMUTATIVE = frozenset(
    {"max", "min", "maximum", "minimum", "hypot", "isclose", "union", "gcd", "allclose", "add"}
)
# what takes seconds to import and is the same for every fault; plugins of pytest must be left to it
LIBRARIES = (
    "numpy", "scipy.optimize", "scipy.integrate", "scipy.stats", "xarray", "pandas",
    "matplotlib.pyplot", "qiskit", "qiskit.primitives", "qiskit.quantum_info", "qiskit_aer",
    "qiskit_ibm_runtime",
    "pydantic", "typer", "rich.table", "rich.console", "jinja2", "pytest", "qutip",
)  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One changed place.

    Attributes:
        file: relative to the root.
        start, end: bytes of the file that are replaced.
        new: what replaces them.
        line: number of the line.
        before, after: that line without and with the fault.
        tests: what must notice it, in this order; the later ones only if the first do not.
        name: of a named fault.
    """

    file: str
    start: int
    end: int
    new: bytes
    line: int
    before: str
    after: str
    tests: tuple[tuple[str, ...], ...]
    name: str = ""

    @property
    def title(self) -> str:
        """What is shown of it."""
        return f"{self.name or self.file + ':' + str(self.line)}: {self.before} → {self.after}"


# ------------------------------------------------------------------------------ where faults can be

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


class _Places(ast.NodeVisitor):
    """Pairs of a node and what may stand in its place."""

    def __init__(self) -> None:
        self.found: list[tuple[ast.expr, ast.expr]] = []

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        # neither annotations nor decorators; the defaults of arguments, yes
        for default in [*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]:
            self.visit(default)
        for statement in node.body:
            self.visit(statement)

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:
            self.visit(statement)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        """What a refusal says is no result."""

    def visit_Assert(self, node: ast.Assert) -> None:
        """An assertion is for the type checker or is itself a test."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Words."""

    def visit_Assign(self, node: ast.Assign) -> None:
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        if "__all__" not in names:
            self.visit(node.value)

    def visit_Compare(self, node: ast.Compare) -> None:
        if len(node.ops) == 1:
            other = _COMPARISONS[type(node.ops[0])]()
            self.found.append((node, ast.Compare(node.left, [other], node.comparators)))
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in _OPERATORS and not isinstance(node.left, ast.JoinedStr):
            self.found.append((node, ast.BinOp(node.left, _OPERATORS[type(node.op)](), node.right)))
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        self.found.append((node, ast.BoolOp(other, node.values)))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not | ast.USub):
            self.found.append((node, node.operand))
        if not isinstance(node.operand, ast.Constant):
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self.found.append((node, ast.Constant(not node.value)))
        elif isinstance(node.value, int | float):
            self.found.append((node, ast.Constant(node.value + 1)))

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is None or (
            isinstance(node.value, ast.Constant) and node.value.value is None
        ):
            return
        self.found.append((node.value, ast.Constant(None)))
        self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        plain = not any(isinstance(a, ast.Starred) for a in node.args[:2])
        if len(node.args) >= 2 and plain and _called(node) not in COMMUTATIVE:
            swapped = [node.args[1], node.args[0], *node.args[2:]]
            self.found.append((node, ast.Call(node.func, swapped, node.keywords)))
        for keyword in node.keywords:
            if keyword.arg is not None and keyword.arg not in NO_RESULT:
                rest = [k for k in node.keywords if k is not keyword]
                self.found.append((node, ast.Call(node.func, node.args, rest)))
        self.visit(node.func)
        for value in [*node.args, *(k.value for k in node.keywords if k.arg not in NO_RESULT)]:
            self.visit(value)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.found.append((node, ast.IfExp(node.test, node.orelse, node.body)))
        self.generic_visit(node)


def places_of(file: str, tests: tuple[tuple[str, ...], ...]) -> list[Mutant]:
    """Every fault of these kinds that a file can have."""
    source = (ROOT / file).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    visitor = _Places()
    visitor.visit(ast.parse(source))
    found = {}
    for node, other in visitor.found:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        new = f"({ast.unparse(ast.fix_missing_locations(other))})".encode()
        found[start, end, new] = _mutant(file, source, start, end, new, tests)
    return list(found.values())


def _mutant(
    file: str,
    source: bytes,
    start: int,
    end: int,
    new: bytes,
    tests: tuple[tuple[str, ...], ...],
    name: str = "",
) -> Mutant:
    old = " ".join(source[start:end].decode().split())
    line = source.count(b"\n", 0, start) + 1
    return Mutant(file, start, end, new, line, old, " ".join(new.decode().split()), tests, name)


def _compiles(mutant: Mutant) -> bool:
    source = (ROOT / mutant.file).read_bytes()
    try:
        ast.parse(source[: mutant.start] + mutant.new + source[mutant.end :])
    except SyntaxError:
        return False
    return True


def sampled(size: int, seed: int, pattern: str) -> list[Mutant]:
    """A sample, as large from each group of ``map.toml`` as its share of all places says."""
    every: list[Mutant] = []
    for group in tomllib.loads((HERE / "map.toml").read_text(encoding="utf-8"))["group"]:
        tests = tuple(tuple(stage) for stage in group["tests"])
        for file in group["files"]:
            if fnmatch.fnmatch(file, pattern):
                every += places_of(file, tests)
    every.sort(key=lambda m: (m.file, m.start, m.end, m.new))
    random.Random(seed).shuffle(every)
    return list(itertools.islice((m for m in every if _compiles(m)), size))


def named() -> list[Mutant]:
    """The faults of ``named.toml``; ``SystemExit`` where the code that one changes is gone."""
    found, gone = [], []
    for row in tomllib.loads((HERE / "named.toml").read_text(encoding="utf-8"))["fault"]:
        source, old = (ROOT / row["file"]).read_bytes(), row["old"].encode()
        if source.count(old) != 1:
            times = source.count(old)
            gone.append(f"{row['name']}: {times} times in {row['file']}: {row['old']!r}")
            continue
        start = source.index(old)
        new, tests = row["new"].encode(), (tuple(row["tests"]),)
        found.append(_mutant(row["file"], source, start, start + len(old), new, tests, row["name"]))
    if gone:
        raise SystemExit("\n".join(["named.toml: wanted code that is once in its file", *gone]))
    return found


def argued() -> dict[tuple[str, str, str], str]:
    """(file, code, fault) → why no test notices it."""
    rows = tomllib.loads((HERE / "survivors.toml").read_text(encoding="utf-8")).get("survivor", [])
    return {(row["file"], row["before"], row["after"]): row["why"] for row in rows}


# ---------------------------------------------------------------------------------------- running


def copy_of_tree(place: Path) -> Path:
    """The files of the project, without what git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in listed.stdout.splitlines():
        source, target = ROOT / name, place / name
        if name == ".venv" or not (source.exists() or source.is_symlink()):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(os.readlink(source))
        else:
            shutil.copy2(source, target)
    return place


@dataclass
class _Slot:
    """A copy of the tree and what is judged in it: a fork that runs one stage of the tests."""

    tree: Path
    mutant: Mutant
    source: bytes
    began: float
    stage: int = 0
    child: int = 0
    deadline: float = 0.0

    def start(self, usual: float) -> None:
        """Run the tests of this stage, which take so many seconds without a fault."""
        self.deadline = time.monotonic() + HANGS[0] * usual + HANGS[1]
        self.child = os.fork()
        if self.child == 0:
            _as_child(self.tree, self.mutant.tests[self.stage])

    def fate(self) -> str | None:
        """``noticed``, ``lives``, ``slow`` or ``broken``; None while its tests run.

        ``next``: they passed, and there is a stage after this one.
        """
        done, status = os.waitpid(self.child, os.WNOHANG)
        if not done:
            if time.monotonic() < self.deadline:
                return None
            os.killpg(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)
            return "slow"
        code = os.waitstatus_to_exitcode(status)
        if code == 0 and self.stage + 1 < len(self.mutant.tests):
            return "next"
        # pytest: 0 all passed, 1 some failed, 2 stopped by an error of collection; a killed fork
        return "lives" if code == 0 else "noticed" if code in (1, 2) or code < 0 else "broken"


def _as_child(tree: Path, tests: Sequence[str]) -> None:
    code = 3
    try:
        os.setpgid(0, 0)
        os.chdir(tree)
        with (tree / "mutant.log").open("w") as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        sys.path.insert(0, str(tree / "src"))
        os.environ["PYTHONPATH"] = str(tree / "src")
        # a faulty ledger must not be the user's
        os.environ["XDG_STATE_HOME"] = str(tree / "state")
        import pytest

        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _seconds(tree: Path, tests: Sequence[str]) -> float:
    """How long they take without a fault. Raises ``SystemExit`` if they do not pass."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _as_child(tree, tests)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != 0:
        log = (tree / "mutant.log").read_text(errors="replace")
        raise SystemExit(f"without a fault these do not pass: {', '.join(tests)}\n{log[-3000:]}")
    return time.monotonic() - began


def judged(mutants: Sequence[Mutant], workers: int) -> Iterator[tuple[Mutant, str, float]]:
    """Each with its fate and seconds, as they come."""
    waiting, running = list(reversed(mutants)), list[_Slot]()
    usual: dict[tuple[str, ...], float] = {}
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        whole, *free = [copy_of_tree(Path(folder) / str(k)) for k in range(workers + 1)]

        def start(slot: _Slot) -> None:
            tests = slot.mutant.tests[slot.stage]
            if tests not in usual:
                usual[tests] = _seconds(whole, tests)
            slot.start(usual[tests])

        while waiting or running:
            while waiting and free:
                mutant, tree = waiting.pop(), free.pop()
                file = tree / mutant.file
                slot = _Slot(tree, mutant, file.read_bytes(), time.monotonic())
                changed = slot.source[: mutant.start] + mutant.new + slot.source[mutant.end :]
                file.write_bytes(changed)
                start(slot)
                running.append(slot)
            time.sleep(0.05)
            for slot in list(running):
                fate = slot.fate()
                if fate == "next":
                    slot.stage += 1
                    start(slot)
                elif fate is not None:
                    if fate == "broken":
                        log = (slot.tree / "mutant.log").read_text(errors="replace")
                        print(f"tests of {slot.mutant.title} could not run:\n{log[-2000:]}")
                    (slot.tree / slot.mutant.file).write_bytes(slot.source)
                    running.remove(slot)
                    free.append(slot.tree)
                    yield slot.mutant, fate, time.monotonic() - slot.began


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=220)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--files", default="*", help="pattern of the files that are changed")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--named-only", action="store_true")
    parser.add_argument("--only", default="", help="part of the name of named faults")
    parser.add_argument("--no-named", action="store_true")
    parser.add_argument("--out", type=Path, help="write every fault and its fate, as JSON")
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    first = [] if given.no_named else [m for m in named() if given.only in m.name]
    others = [] if given.named_only else sampled(given.sample, given.seed, given.files)
    for name in LIBRARIES:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    known, rows = argued(), []
    for mutant, fate, seconds in judged([*first, *others], given.workers):
        why = known.get((mutant.file, mutant.before, mutant.after), "")
        word = "argued" if fate == "lives" and why else fate
        print(f"{word:8s} {seconds:6.1f} s  {mutant.title}", flush=True)
        rows.append(
            {
                "name": mutant.name, "file": mutant.file, "line": mutant.line,
                "before": mutant.before, "after": mutant.after, "fate": fate, "why": why,
                "seconds": round(seconds, 1),
            }
        )  # fmt: skip
    if given.out is not None:
        given.out.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    alive = [row for row in rows if row["fate"] in ("lives", "broken")]
    random_rows = [row for row in rows if not row["name"]]
    noticed = sum(row["fate"] in ("noticed", "slow") for row in random_rows)
    share = noticed / len(random_rows) if random_rows else 1.0
    print(f"named: {len(first)}, alive {sum(bool(row['name']) for row in alive)}")
    print(f"sample: {noticed} of {len(random_rows)} noticed, {100 * share:.1f} %")
    unargued = [row for row in alive if row["name"] or not row["why"]]
    for row in unargued:
        print(f"  lives: {row['file']}:{row['line']} {row['before']} → {row['after']}")
    return int(bool(unargued) or share < LEAST)


if __name__ == "__main__":
    sys.exit(main())
