"""Run directories: durable, atomic, and clear about what is wrong with them."""

import os
from pathlib import Path

import pytest

from qbrain.experiments.engine.folder import RunDirectory
from qbrain.experiments.errors import RunDirectoryError


def new(path: Path) -> RunDirectory:
    return RunDirectory.create(path, "lmg", {"config": {"neurons": 3}, "device": {}})


def test_a_new_run_records_what_it_is(tmp_path):
    record = new(tmp_path / "run").record()
    assert record["run"]["system"] == "lmg"
    assert len(record["run"]["id"]) == 16
    assert record["config"] == {"neurons": 3}
    assert record["versions"]["qiskit"][0].isdigit()


def test_a_folder_with_a_run_is_not_overwritten(tmp_path):
    new(tmp_path)
    with pytest.raises(RunDirectoryError, match="already holds a run"):
        new(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(RunDirectoryError, match="out: cannot write to"):
        new(file / "run")


def test_journal_gives_back_what_was_appended(tmp_path):
    run = new(tmp_path)
    steps = [{"step": k, "value": 0.1 * k} for k in range(5)]
    for step in steps:
        run.append_step(step)
    assert RunDirectory.open(tmp_path).steps() == steps


@pytest.mark.parametrize("cut", range(1, 12))
def test_half_a_last_line_is_cut_off_and_overwritten(tmp_path, cut):
    run = new(tmp_path)
    for k in range(3):
        run.append_step({"step": k})
    file = tmp_path / "steps.jsonl"
    with file.open("r+b") as handle:
        handle.truncate(file.stat().st_size - cut)
    assert len(run.steps()) == 2
    run.append_step({"step": 2})
    assert [s["step"] for s in run.steps()] == [0, 1, 2]


@pytest.mark.parametrize("line", ["{not json}", '{"step": 7}', "[]", '{"other": 1}', "\\xff"])
def test_a_line_that_is_no_step_is_refused(tmp_path, line):
    run = new(tmp_path)
    run.append_step({"step": 0})
    with (tmp_path / "steps.jsonl").open("a") as handle:
        handle.write(line + "\n")
    with pytest.raises(RunDirectoryError, match="line 2 is not the record of a step"):
        run.steps()


@pytest.mark.parametrize("text", ["", "[run", "[run]\nsystem = 3", "[run]\nsystem = 'lmg'"])
def test_a_corrupt_record_is_refused(tmp_path, text):
    (tmp_path / "run.toml").write_text(text)
    with pytest.raises(RunDirectoryError, match="not an intact run record"):
        RunDirectory.open(tmp_path)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(RunDirectoryError, match="no run here"):
        RunDirectory.open(tmp_path)


def test_a_second_process_is_refused(tmp_path):
    run = new(tmp_path)
    with (
        run.locked(),
        pytest.raises(RunDirectoryError, match="another process"),
        RunDirectory.open(tmp_path).locked(),
    ):
        pass
    with run.locked():
        pass


def test_a_failed_write_leaves_the_old_file(tmp_path):
    run = new(tmp_path)
    run.write_result({"a": 1})

    def breaks(path):
        path.write_bytes(b"{half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run.write("result.json", breaks)
    assert run.result() == {"a": 1}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(RunDirectoryError, match="out: cannot write to"):
        new(tmp_path / "run")
