"""The import contract: rooms, layers and no circles, read from the source."""

import ast
import json
import os
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("backends", "circuits", "classical_feedback", "reference")
E = "qbrain.experiments"
BASE = {"errors", "report", "engine"}
SYSTEMS = ("lmg", "spiqgan", "hodgkin_huxley", "open_system", "qlif")
# what each part of experiments may import of the others
MAY_IMPORT = {
    "errors": set(),
    "report": {"errors"},
    "engine": {"errors", "report"},
    "spikes": BASE,
    "papers": BASE,
    "devices": BASE | {"papers"},
    # its circuits and its recommendation are the brain's; its command has the engine's options
    "first_light": BASE | {"lmg", "options"},
    **dict.fromkeys(SYSTEMS, BASE | {"spikes", "papers"}),
}
# spikes may import a system in these places only
OF_LMG = {
    (f"{E}.spikes.from_lmg", f"{E}.lmg.config"): "reads a run of the brain with its configuration",
}
IMPORTED_BY = {
    f"{E}.systems": {f"{E}.{part}" for part in ("cli", "face", "compare", "resuming", "sweep")},
    f"{E}.cli": {"qbrain.__main__"},
}


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("qbrain", include_external_packages=False)


def part_of(module):
    """The part of experiments that a module belongs to: its folder, or the module itself."""
    return module.removeprefix(f"{E}.").split(".")[0] if module.startswith(f"{E}.") else None


def test_no_imports_in_a_circle(graph):
    """Imports for annotations alone count, too."""
    imports = {m: graph.find_modules_directly_imported_by(m) for m in graph.modules}
    assert sum(len(found) for found in imports.values()) > len(imports) > 200
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(reversed(error.args[1])))


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_a_part_of_experiments_imports_what_lies_below_it(graph, part):
    inside = {f"{E}.{part}"} | graph.find_descendants(f"{E}.{part}")
    allowed = MAY_IMPORT[part] | {part}
    for module in sorted(inside):
        for found in sorted(graph.find_modules_directly_imported_by(module)):
            if found.startswith(tuple(f"qbrain.{room}" for room in ROOMS)):
                continue
            assert part_of(found) in allowed or (module, found) in OF_LMG, (
                f"{module} may not import {found}"
            )


def test_no_exception_that_nothing_needs(graph):
    for importer, imported in OF_LMG:
        assert graph.direct_import_exists(importer=importer, imported=imported)


@pytest.mark.parametrize("module", IMPORTED_BY)
def test_who_imports_what_knows_all_systems(graph, module):
    found = graph.find_modules_that_directly_import(module)
    assert found
    for importer in sorted(found):
        part = f"{E}.{part_of(importer)}" if part_of(importer) else importer
        assert part in IMPORTED_BY[module], f"{importer} may not import {module}"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_nothing_of_ours_but_itself(graph, room):
    inside = {f"qbrain.{room}"} | graph.find_descendants(f"qbrain.{room}")
    assert len(inside) > 3
    for module in inside:
        for found in graph.find_modules_directly_imported_by(module):
            assert found.startswith(f"qbrain.{room}"), f"{module} may not import {found}"


def test_inside_a_room_imports_are_relative_and_between_rooms_absolute():
    for room in (*ROOMS, "experiments"):
        files = sorted((ROOT / room).rglob("*.py"))
        assert files
        for path in files:
            depth = len(path.relative_to(ROOT).parts) - 1
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom):
                    assert node.level <= depth, f"{path}: leaves its room"
                    names = [node.module or ""] if node.level == 0 else []
                elif isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                else:
                    continue
                for name in names:
                    first, *rest = name.split(".")
                    assert first not in (*ROOMS, "experiments"), f"{path}: bare import of {name}"
                    if first == "qbrain" and rest:
                        assert rest[0] != room, f"{path}: wanted a relative import of {name}"


def test_outside_the_checkout_only_qbrain_can_be_imported(tmp_path):
    """The rooms are folders of the checkout, and modules of qbrain alone."""
    names = ["qbrain", *ROOMS, "experiments", "tests", "benchmarks", "examples", "docs", "tools"]
    code = f"""
import json
from importlib.util import find_spec
found = {{}}
for name in {names}:
    spec = find_spec(name)
    if spec is not None:
        found[name] = [spec.origin, *(spec.submodule_search_locations or [])]
print(json.dumps(found))
"""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    found = json.loads(told.stdout)
    assert "qbrain" in found
    for name, places in found.items():
        # another distribution may have a module of such a name
        assert ROOT / name not in {Path(place).resolve() for place in places if place}, (
            f"{name}: {places}"
        )
