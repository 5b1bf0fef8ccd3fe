"""The rooms' import table, read from the source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {"circuits", "reference", "classical_feedback", "backends", "experiments"}
MAY_IMPORT = {room: {room} for room in ROOMS} | {"experiments": ROOMS}


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_what_the_table_allows(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    for path in files:
        for name in imports(path):
            parts = name.split(".")
            assert parts[0] not in ROOMS, f"{path}: bare import of {name}"
            if parts[0] == "qbrain":
                assert parts[1] in MAY_IMPORT[room], f"{path}: {room} may not import {name}"
