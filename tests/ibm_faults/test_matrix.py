"""The failure matrix: some cells in every run of the tests, all of them under ``-m slow``."""

from __future__ import annotations

import copy

import pytest

from ibm_faults.cells import FAULTS, GROUPS, REQUESTS, all_cells, everywhere
from ibm_faults.harness import Cell, Runner, Trial

# one of each kind of end; the others are slow
FEW = (
    "413 at submit, for ever, auto",
    "taken, but 502, once, orbit, job",
    "result: of another job, once, orbit, job",
    "killed, ledger lost, orbit",
)


CELLS = {cell.name: cell for cell in all_cells()}


def holds(runner: Runner, cell: Cell) -> None:
    report = runner.try_cell(cell)
    assert not report.wrong, f"{report.line()}\n{report.first.err}"
    assert report.met


@pytest.mark.parametrize("name", FEW)
def test_a_cell(runner: Runner, name: str) -> None:
    holds(runner, CELLS[name])


@pytest.mark.slow
def test_four_faults_at_every_request_of_a_run(runner: Runner) -> None:
    holds(runner, everywhere("503", "drop", "null", "html"))


def test_a_run_to_which_all_that_may_pass_happens(runner: Runner) -> None:
    names = (
        "404 at metrics, for ever, job",
        "401 at poll, once, job",
        "hang at results, once, job",
        "result: half the shots, once, orbit, job",
        "job: an unknown state, once, job",
        "list: strangers, for ever, job",
        "status: a new word, for ever, job",
    )

    def arrange(trial: Trial) -> None:
        for name in names:
            CELLS[name].arrange(trial)

    holds(runner, Cell("all that may pass", arrange))


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
    """A run that does not do as its cell says is reported."""

    def other_numbers(_: Trial) -> None:
        runner.known["orbit"][0][0]["0"] = -1

    runner.right("orbit")
    saved = copy.deepcopy(runner.known["orbit"])
    try:
        report = runner.try_cell(Cell("wrong", other_numbers, frozenset({4})))
    finally:
        runner.known["orbit"] = saved
    assert report.wrong == ("exit 0, wanted 4", "wrong numbers accepted")
    assert not report.met
