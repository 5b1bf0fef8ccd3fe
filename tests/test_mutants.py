"""The faults that ``make mutants`` puts into the code can be put in, and change something."""

import ast
import importlib.util
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_SPEC = importlib.util.spec_from_file_location("mutants", ROOT / "tools/mutants.py")
mutants = importlib.util.module_from_spec(_SPEC)


@pytest.fixture(scope="module", autouse=True)
def _loaded():
    import sys

    sys.modules["mutants"] = mutants
    _SPEC.loader.exec_module(mutants)
    yield
    del sys.modules["mutants"]


def tree_of(source):
    return ast.dump(ast.parse(source))


def test_named_faults_are_in_the_code_and_their_tests_exist():
    found = mutants.named()
    assert len({m.name for m in found}) == len(found) >= 30
    for mutant in found:
        source = (ROOT / mutant.file).read_bytes()
        changed = source[: mutant.start] + mutant.new + source[mutant.end :]
        assert tree_of(changed) != tree_of(source), mutant.name
        for test in mutant.tests[0]:
            assert (ROOT / test).is_file(), test


def test_a_sample_is_the_same_every_time_and_each_fault_changes_the_code():
    one, other = (mutants.sampled(60, 3, "classical_feedback/*") for _ in range(2))
    assert one == other
    assert len(one) == 60
    assert mutants.sampled(60, 4, "classical_feedback/*") != one
    for mutant in one:
        source = (ROOT / mutant.file).read_bytes()
        assert mutant.before == " ".join(source[mutant.start : mutant.end].decode().split())
        changed = source[: mutant.start] + mutant.new + source[mutant.end :]
        assert tree_of(changed) != tree_of(source), mutant.title
    assert {m.file for m in mutants.sampled(9, 3, "backends/ledger.py")} == {"backends/ledger.py"}


def test_every_group_names_files_and_tests_that_exist():
    groups = tomllib.loads((ROOT / "tests/mutants/map.toml").read_text())["group"]
    files = [file for group in groups for file in group["files"]]
    assert len(files) == len(set(files))
    for name in files + [test for group in groups for stage in group["tests"] for test in stage]:
        assert (ROOT / name).is_file(), name


def test_kinds_of_faults(tmp_path, monkeypatch):
    code = (
        "def f(a: int = 1, *, b=2):\n"
        '    """Words 3."""\n'
        "    if a < b and not a:\n"
        "        raise ValueError(f'{a + 1}')\n"
        "    assert a > 0\n"
        "    x = g(a, b, dtype=4, axis=0)\n"
        "    return max(a, b) + x\n"
    )
    (tmp_path / "f.py").write_text(code)
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    found = {(m.before, m.after) for m in mutants.places_of("f.py", ())}
    assert found == {
        ("1", "(2)"),
        ("2", "(3)"),
        ("a < b and not a", "(a < b or not a)"),
        ("a < b", "(a <= b)"),
        ("not a", "(a)"),
        ("g(a, b, dtype=4, axis=0)", "(g(b, a, dtype=4, axis=0))"),
        ("g(a, b, dtype=4, axis=0)", "(g(a, b, dtype=4))"),
        ("0", "(1)"),
        ("max(a, b) + x", "(None)"),
        ("max(a, b) + x", "(max(a, b) - x)"),
    }
