"""The failure matrix: some cells in every run of the tests, all of them under ``-m slow``."""

from __future__ import annotations

import pytest

from ibm_faults.cells import FAULTS, GROUPS, REQUESTS, all_cells, everywhere
from ibm_faults.harness import Cell, Runner

# one of each kind of end, and one run through every request for each kind of fault
FEW = (
    "413 at submit, for ever, auto",
    "403 at submit, for ever, session",
    "503 at submit, for ever, batch",
    "401 at poll, once, job",
    "hang at results, once, job",
    "404 at metrics, for ever, job",
    "taken, but 502, once, orbit, job",
    "taken, but drop, once, replay, session",
    "result: half the shots, for ever, orbit, job",
    "result: of another job, once, orbit, job",
    "job: an unknown state, once, job",
    "properties: a qubit without, for ever, job",
    "session closes after a job, session",
    "job fails with 1517, job",
    "killed, replay, session",
    "killed, calibration own line worse, orbit",
    "killed, ledger lost, replay",
    "killed, the job deleted by the service, orbit",
)
CELLS = {cell.name: cell for cell in all_cells()}


def holds(runner: Runner, cell: Cell) -> None:
    report = runner.try_cell(cell)
    assert not report.wrong, f"{report.line()}\n{report.first.err}"
    assert report.met


@pytest.mark.parametrize("name", FEW)
def test_a_cell(runner: Runner, name: str) -> None:
    holds(runner, CELLS[name])


@pytest.mark.parametrize("kind", ["503", "drop", "null", "html"])
def test_a_fault_at_every_request_of_a_run(runner: Runner, kind: str) -> None:
    holds(runner, everywhere(kind))


@pytest.mark.slow
@pytest.mark.parametrize("group", [*GROUPS, "everywhere"])
def test_the_matrix(runner: Runner, group: str) -> None:
    every = all_cells() if group == "everywhere" else GROUPS[group]()
    cells = [cell for cell in every if group != "everywhere" or "every request" in cell.name]
    reports = [runner.try_cell(cell) for cell in cells]
    wrong = [report.line() for report in reports if report.wrong and report.met]
    assert not wrong, "\n".join(wrong)
    assert sum(report.met for report in reports) > len(reports) // 2


def test_names_are_unique_and_every_request_meets_every_fault() -> None:
    assert len(CELLS) == sum(1 for _ in all_cells())
    for where in REQUESTS:
        for kind in FAULTS:
            assert any(name.startswith(f"{kind} at {where}, ") for name in CELLS)


def test_the_harness_sees_what_is_wrong(runner: Runner) -> None:
    """A run that does not do as its cell says is reported, in each way there is."""
    nothing = Cell("nothing", lambda trial: None, frozenset({4}), fault=False)
    assert runner.try_cell(nothing).wrong == ("exit 0, wanted 4",)
    vacuous = Cell("vacuous", lambda trial: None)
    assert not runner.try_cell(vacuous).met

    def flipped(trial: object) -> None:
        runner.right("orbit")[0][0]["0"] = -1

    runner.right("orbit")
    saved = [list(map(dict, row)) for row in runner.right("orbit")]
    try:
        other = Cell("other numbers", flipped, fault=False)
        assert runner.try_cell(other).wrong == ("wrong numbers accepted",)
    finally:
        runner._right["orbit"] = saved
