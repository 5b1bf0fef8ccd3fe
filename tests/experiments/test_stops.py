"""Stops: signals, closed pipes and full outputs end a command at once, in one line that is true."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qbrain.experiments.engine import stopping

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

QBRAIN = [sys.executable, "-m", "qbrain"]
SIGNALS = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}
SECONDS = 2.0  # within which every stop ends a command
# runs that go on for long enough to be stopped, one a system
RUNS = {
    "lmg": "--neurons 6 --time 200 --steps 800 --shots 4000",
    "hodgkin-huxley": "--time 40 --steps 4000 --shots 2000",
    "open-system": "--time 40 --steps 2000 --shots 4000",
    "qlif": "--pairs 6 --ticks 20000 --circuits live --backend aer",
    "spiqgan": "--backend exact --training-steps 100000",
}


def begin(arguments, cwd, **streams):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [*QBRAIN, *arguments], cwd=cwd, env=environment, text=True,
        **{"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, **streams},
    )  # fmt: skip


def stopped(process, name):
    """Exit code as a shell has it, what stderr said, and the seconds until the end."""
    began = time.monotonic()
    process.send_signal(getattr(signal, name))
    try:
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    code = process.returncode
    return (128 - code if code < 0 else code), said, time.monotonic() - began


def wait_for(there, process):
    deadline = time.monotonic() + 100
    while not there():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    "name", ["SIGINT", *(pytest.param(n, marks=pytest.mark.slow) for n in ("SIGTERM", "SIGHUP"))]
)
def test_before_anything_was_begun(name, tmp_path):
    """Already while the command's own modules are imported."""
    process = begin(["run", "lmg", *RUNS["lmg"].split()], tmp_path)
    # the helper is forked when signals are watched, before the imports that take time
    wait_for(lambda: children(process.pid), process)
    time.sleep(0.1)
    code, said, seconds = stopped(process, name)
    how = "interrupted" if name == "SIGINT" else f"stopped by {name}"
    assert (code, said) == (SIGNALS[name], f"qbrain: {how}; nothing was begun\n")
    assert seconds < SECONDS
    assert not list(tmp_path.iterdir())


def children(pid):
    return [
        file.parent.name
        for file in Path("/proc").glob("[0-9]*/stat")
        if stat_of(file)[1:2] == [str(pid)]
    ]


def stat_of(file):
    """State, parent and so on, of a process that may be gone."""
    try:
        return file.read_text().rpartition(")")[2].split()
    except OSError:
        return []


def slow_but(first, rows):
    return [row if row in first else pytest.param(*row, marks=pytest.mark.slow) for row in rows]


@pytest.mark.parametrize(
    ("system", "name", "pause"),
    slow_but(
        [("lmg", "SIGTERM", 0.0)],
        [(s, n, p) for s in RUNS for n in SIGNALS for p in (0.0, 0.7, 3.0)],
    ),
)
def test_while_it_runs(system, name, pause, tmp_path):
    """Wherever it is: compiling, checking, simulating, training; a resumed run goes on from there.

    The folder's name has a space, and the command that is printed is true to it.
    """
    process = begin(["run", system, *RUNS[system].split(), "--out", "a run"], tmp_path)
    wait_for((tmp_path / "a run/run.toml").exists, process)
    time.sleep(pause)
    code, said, seconds = stopped(process, name)
    how = "interrupted" if name == "SIGINT" else f"stopped by {name}"
    # before it may stand what the run was at
    assert code == SIGNALS[name]
    assert said.splitlines()[-1] == f"qbrain: {how}; go on with: qbrain resume 'a run'"
    assert seconds < SECONDS


STOPPABLE = """
import time
from pathlib import Path
from qbrain.experiments.engine import stopping
stopping.watch_signals()
stopping.begun(Path("somewhere"))
print("ready", flush=True)
{work}
print("done", flush=True)
"""


@pytest.mark.parametrize("name", ["SIGTERM", pytest.param("SIGINT", marks=pytest.mark.slow)])
def test_c_code_that_keeps_the_interpreter_is_ended_all_the_same(name, tmp_path):
    # a loop in C that never gives the interpreter away, as some libraries have
    code = STOPPABLE.format(work="sum(range(10**10))")
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    code, said, seconds = stopped(process, name)
    assert seconds < SECONDS
    assert code == SIGNALS[name]
    how = "interrupted" if name == "SIGINT" else f"stopped by {name}"
    assert said == f"qbrain: {how}; go on with: qbrain resume somewhere\n"


SESSION = """
import sys, time
from pathlib import Path
from qbrain.experiments.engine import stopping
def close():
    time.sleep({seconds})
    Path("closed").touch()
stopping.watch_signals()
with stopping.on_stop(close, "session of the device"):
    print("ready", flush=True)
    time.sleep(20)
"""


@pytest.mark.parametrize(
    ("takes", "closed"), [(0.1, True), pytest.param(10, False, marks=pytest.mark.slow)]
)
def test_what_is_open_is_closed_first_if_it_can_be_in_time(takes, closed, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", SESSION.format(seconds=takes)], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    code, said, seconds = stopped(process, "SIGINT")
    assert code == 130
    assert seconds < SECONDS
    assert (tmp_path / "closed").exists() == closed
    assert ("session of the device may still be open" in said) != closed


def test_a_signal_that_is_ignored_stays_so(tmp_path):
    code = "import signal\n" + STOPPABLE.format(work="time.sleep(1)")
    ignored = "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    code = code.replace("stopping.watch", f"{ignored}stopping.watch")
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=30) == ("done\n", "")
    assert process.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("pause", [0.0, 0.5, 2.0, 4.0])
def test_a_sweep_leaves_no_worker_behind(name, pause, tmp_path):
    process = begin(
        ["sweep", "lmg", "--over", "tau_r=1:2:300", "--over", "tau_f=1:10:10", "--time", "100",
         "--steps", "200", "--out", "s"], tmp_path,
    )  # fmt: skip
    wait_for((tmp_path / "s/sweep.toml").exists, process)
    time.sleep(pause)
    workers = children(process.pid)
    code, said, seconds = stopped(process, name)
    assert code == SIGNALS[name]
    assert said.endswith("go on with: qbrain resume s\n")
    assert said.count("\n") == 1
    assert seconds < SECONDS
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


AGAIN = "--neurons 4 --time 8 --steps 12 --shots 300 --seed 5 --backend fake_fez"


@pytest.mark.slow
def test_a_run_that_was_stopped_again_and_again_has_the_same_numbers(tmp_path):
    whole = begin(["run", "lmg", *AGAIN.split(), "--out", "whole"], tmp_path)
    whole.communicate()
    assert whole.returncode == 0
    process = begin(["run", "lmg", *AGAIN.split(), "--out", "cut"], tmp_path)
    journal = tmp_path / "cut/steps.jsonl"

    def grown(lines):
        return lambda: journal.exists() and journal.read_bytes().count(b"\n") > lines

    for number, name in enumerate(SIGNALS):
        wait_for(grown(3 * number), process)
        assert stopped(process, name)[0] == SIGNALS[name]
        process = begin(["resume", "cut"], tmp_path)
    process.communicate()
    assert process.returncode == 0
    assert journal.read_bytes() == (tmp_path / "whole/steps.jsonl").read_bytes()
    for name in ("result.nc", "circuits.qpy"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


# ------------------------------------------------------------------------- stdout and the locale

EXACT = ["run", "lmg", "--neurons", "3", "--time", "1", "--steps", "1", "--backend", "exact"]


@pytest.mark.parametrize(
    "arguments",
    [["backends"], *(pytest.param(a, marks=pytest.mark.slow) for a in (["--help"], EXACT))],
)
def test_nobody_reads(arguments, tmp_path):
    source, sink = os.pipe()
    os.close(source)
    process = begin(arguments, tmp_path, stdout=sink)
    os.close(sink)
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == stopping.BROKEN_PIPE == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_stdout_is_one_line_and_the_result_is_kept(tmp_path):
    with open("/dev/full", "w") as full:
        process = begin([*EXACT, "--out", "run", "--json"], tmp_path, stdout=full)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 2
    assert said == (
        "qbrain: stdout: cannot be written: No space left on device; the result is in run\n"
    )
    assert json.loads((tmp_path / "run/result.json").read_text())["system"] == "lmg"


@pytest.mark.slow
def test_a_closed_stdout_is_none_of_the_files(tmp_path):
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *QBRAIN, *EXACT, "--out", "run"], cwd=tmp_path,
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    json.loads((tmp_path / "run/result.json").read_text())


@pytest.mark.slow
def test_an_ascii_terminal_gets_what_it_can_show(tmp_path):
    environment = {
        **os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii",
    }  # fmt: skip
    done = subprocess.run(
        [*QBRAIN, *EXACT, "--out", "größe"], cwd=tmp_path, env=environment, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()
    assert b"verdict.sentence" in done.stdout


def test_how_to_go_on_is_a_command_that_a_shell_takes(tmp_path, monkeypatch):
    monkeypatch.setattr(stopping, "_command", "")
    monkeypatch.setattr(stopping, "_folder", None)
    assert stopping.how_to_go_on() == "nothing was begun"
    assert stopping.current_folder() is None
    stopping.begun(tmp_path / "it's here")
    command = re.fullmatch("go on with: (.*)", stopping.how_to_go_on())[1]
    shown = subprocess.run(["sh", "-c", f"printf '%s\n' {command}"], capture_output=True, text=True)
    assert shown.stdout.splitlines() == ["qbrain", "resume", str(tmp_path / "it's here")]
    assert stopping.current_folder() == tmp_path / "it's here"
