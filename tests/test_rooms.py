"""The import contract: rooms, layers and no circles, read from the source."""

import ast
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("backends", "circuits", "classical_feedback", "reference")
SYSTEMS = ("lmg", "spiqgan", "hodgkin_huxley", "open_system", "qlif")
E = "qbrain.experiments"


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("qbrain", include_external_packages=False)


def arrows(graph, one, other):
    """Imports from anything in ``one`` of anything in ``other``."""
    inside = {one} | graph.find_descendants(one)
    return [
        (module, found)
        for module in sorted(inside)
        for found in sorted(graph.find_modules_directly_imported_by(module))
        if found == other or found.startswith(other + ".")
    ]


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
