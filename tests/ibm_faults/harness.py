"""One cell of the failure matrix: a run on a service at fault, then healed, then resumed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ibm_loopback.server import FINAL, LoopbackIBM

__all__ = [
    "FORMS",
    "HELD",
    "NOTHING",
    "Cell",
    "Client",
    "Ended",
    "Report",
    "Runner",
    "Trial",
    "begun_and_killed",
]

ROOT = Path(__file__).resolve().parents[2]
_SMALL = ["--neurons", "6", "--gamma", "0.8", "--encoding", "dicke", "--seed", "1"]
_SMALL += ["--shots", "200", "--backend", "ibm_fez"]
# options of a form, and how many jobs it sends
FORMS: dict[str, tuple[list[str], int]] = {
    "orbit": ([*_SMALL, "--evolution", "orbit", "--time", "4", "--steps", "4"], 1),
    "replay": ([*_SMALL, "--evolution", "replay", "--time", "2", "--steps", "2"], 3),
}
PATIENCE = 4.0
TIMEOUT = 1.0
# what a run may take at most, its patience and its work
LIMIT = 20.0
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """How a command ended; code None: it did not, within the limit."""

    code: int | None
    seconds: float
    cpu: float
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line on stderr."""
        return next((line for line in reversed(self.err.splitlines()) if line.strip()), "")


class Client:
    """The process of :mod:`.client`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("QISKIT_IBM_")
        }
        environment |= {
            "HOME": str(home),
            "OMP_NUM_THREADS": "1",
            "RAYON_NUM_THREADS": "1",
            # another checkout may be tried with these cells
            "PYTHONPATH": str(Path(os.environ.get("QBRAIN_SRC", ROOT)) / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "MPLCONFIGDIR": str(Path.home() / ".cache" / "matplotlib"),
            "USAGE_DATA_OPT_OUT": "True",
            "QBRAIN_IBM_TIMEOUT": str(TIMEOUT),
            "QBRAIN_IBM_MAX_WAIT": str(LIMIT - PATIENCE),
        }
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("client.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
            bufsize=1,
        )
        assert self._process.stdout is not None
        self._ready = selectors.DefaultSelector()
        self._ready.register(self._process.stdout, selectors.EVENT_READ)
        self._read(120.0)

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.kill()  # it holds nothing, and taking its imports down takes seconds
        self._process.wait(20)
        self._ready.close()
        self._process.stdout.close()

    def _read(self, timeout: float) -> dict[str, Any] | None:
        """The next line, None if none comes in time."""
        if not self._ready.select(max(timeout, 0.0)):
            return None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the client has ended")
        found: dict[str, Any] = json.loads(line)
        return found

    def call(
        self,
        argv: list[str],
        folder: Path,
        environment: dict[str, str],
        *,
        limit: float = LIMIT,
        kill: Callable[[], bool] | None = None,
        by: int = signal.SIGKILL,
        hurry: bool = True,
    ) -> Ended:
        """Run ``qbrain`` with these arguments; sent the signal ``by`` once ``kill`` says so."""
        assert self._process.stdin is not None
        out, err = folder / "stdout", folder / "stderr"
        order = {
            "argv": argv,
            "env": {**environment, "QBRAIN_LEDGER": str(folder / "ledger.sqlite")},
            "cwd": str(folder),
            "out": str(out),
            "err": str(err),
            "hurry": hurry,
        }
        start = time.monotonic()
        print(json.dumps(order), file=self._process.stdin, flush=True)
        answer = self._read(20.0)
        assert answer is not None
        process, ended, struck, late = int(answer["pid"]), None, False, False
        while ended is None:
            ended = self._read(0.02 if kill is not None and not struck else 0.25)
            if ended is not None:
                break
            if time.monotonic() - start > limit:
                os.kill(process, signal.SIGKILL)
                late = True
            elif not struck and kill is not None and kill():
                os.kill(process, by)
                struck = True
        seconds = time.monotonic() - start
        code = int(ended["code"])
        return Ended(
            None if late else code,
            seconds,
            float(ended["cpu"]),
            out.read_text(),
            err.read_text(),
        )


@dataclass
class Trial:
    """A cell on its way: its server and its folder."""

    server: LoopbackIBM
    folder: Path
    # of the account that a cell changes
    first_account: tuple[str, str] = ("", "")
    # what a cell holds until the trial is over
    closing: list[Callable[[], Any]] = field(default_factory=list)

    def close(self) -> None:
        """Let go of what a cell holds."""
        while self.closing:
            self.closing.pop()()

    @property
    def run(self) -> Path:
        """The run's folder."""
        return self.folder / "run"

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.folder / "ledger.sqlite"

    @property
    def begun(self) -> bool:
        """Whether there is a run to resume."""
        return (self.run / "run.toml").exists()

    def settle(self, seconds: float = 10.0) -> None:
        """Wait until the service has done what it has."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and any(
            job.state not in FINAL for job in self.server.jobs.values()
        ):
            time.sleep(0.02)


Hook = Callable[[Trial], Any]


@dataclass(frozen=True)
class Cell:
    """What goes wrong, and how the run may end.

    Attributes:
        name: of the cell, unique.
        arrange: lets things go wrong, before the run.
        codes: exit codes that are right.
        form: of :data:`FORMS`.
        mode: ``--execution-mode``.
        words: what the last line says where the code is not 0, a regular expression.
        kill: when the run is killed, if it is.
        heal: after the run; what the service had is cleared already.
        resumed: exit codes that are right for the resumed run.
        mended: before a second resumed run, which must reach the end.
        again: arguments that this second one needs besides.
        patience: seconds until a run gives up.
        lag: seconds by which the run takes the list of jobs to be behind.
        resends: how many jobs may run again, because the service lost them.
        stays: whether a session may stay open: nobody was told its id, or it could not be closed.
        fault: whether it is vacuous where no request met a fault.
        options: of the server.
        arguments: further ones of the command.
    """

    name: str
    arrange: Hook
    codes: frozenset[int] = frozenset({0})
    form: str = "orbit"
    mode: str = "job"
    words: str = ""
    kill: Callable[[Trial], bool] | None = None
    heal: Hook | None = None
    resumed: frozenset[int] = frozenset({0})
    mended: Hook | None = None
    again: tuple[str, ...] = ()
    patience: float = PATIENCE
    lag: float = 0.3
    resends: int = 0
    stays: bool = False
    fault: bool = True
    options: dict[str, Any] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()


NOTHING = Cell("undisturbed", lambda trial: None, fault=False)


@dataclass(frozen=True)
class Report:
    """What became of a cell; it is right where ``wrong`` is empty."""

    cell: Cell
    first: Ended
    wrong: tuple[str, ...]
    met: bool
    seconds: float
    jobs: int

    def line(self) -> str:
        """The cell in a line."""
        state = ", ".join(self.wrong) or ("right" if self.met else "not met")
        return (
            f"{self.cell.name:66s} exit {self.first.code!s:>5s} {self.seconds:5.1f} s  {state}"
            + (f"  | {self.first.last[:150]}" if self.wrong else "")
        )


def _open_sessions(server: LoopbackIBM) -> int:
    return sum(s.accepting_jobs and s.closed is None for s in server.sessions.values())


def _counts(run: Path) -> list[Any]:
    """Readings of the journal, as they were counted."""
    journal = run / "steps.jsonl"
    if not journal.exists():
        return []
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    return [[reading["counts"] for reading in row["readings"]] for row in rows]


class Runner:
    """Runs cells with one client; a context manager."""

    def __init__(self, home: Path | None = None) -> None:
        self._own = home is None
        self.home = Path(tempfile.mkdtemp(prefix="qbrain-faults-")) if home is None else home
        self._client = Client(self.home)
        # readings of a form to which nothing happened
        self.known: dict[str, list[Any]] = {}
        self._number = 0

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        if self._own:
            shutil.rmtree(self.home, ignore_errors=True)

    def right(self, form: str) -> list[Any]:
        """Readings of a form to which nothing happened."""
        if form not in self.known:
            nothing = replace(NOTHING, form=form)
            with self.trial(nothing) as trial:
                ended = self.run(nothing, trial)
                if ended.code != 0:
                    raise RuntimeError(f"the undisturbed run ended with {ended.code}: {ended.err}")
                self.known[form] = _counts(trial.run)
        return self.known[form]

    @contextlib.contextmanager
    def trial(self, cell: Cell) -> Iterator[Trial]:
        """A server and a folder for a cell."""
        self._number += 1
        folder = self.home / f"{self._number:05d}"
        folder.mkdir()
        with LoopbackIBM(**{"devices": ["ibm_fez"], **cell.options}) as server:
            trial = Trial(server, folder)
            try:
                yield trial
            finally:
                trial.close()
                server.clear()
        shutil.rmtree(folder, ignore_errors=True)

    def command(
        self, argv: list[str], trial: Trial, cell: Cell | None = None, **more: Any
    ) -> Ended:
        """A command of ``qbrain`` in a trial's folder, with the cell's patience.

        ``more``: see :meth:`Client.call`.
        """
        cell = NOTHING if cell is None else cell
        environment = trial.server.environment() | {
            "QBRAIN_IBM_PATIENCE": str(cell.patience),
            "QBRAIN_IBM_LIST_LAG": str(cell.lag),
        }
        limit = LIMIT + cell.patience - PATIENCE
        return self._client.call(argv, trial.folder, environment, limit=limit, **more)

    def run(self, cell: Cell, trial: Trial, **more: Any) -> Ended:
        """The run that a cell is about."""
        argv = ["run", "lmg", *FORMS[cell.form][0], "--execution-mode", cell.mode]
        argv += [*cell.arguments, "--out", "run", "--json"]
        kill = cell.kill
        ends = None if kill is None else lambda: kill(trial)
        return self.command(argv, trial, cell, **{"kill": ends, **more})

    def _again(self, cell: Cell, trial: Trial, more: tuple[str, ...] = ()) -> Ended:
        if trial.begun:
            return self.command(["resume", "run", "--json", *more], trial, cell)
        return self.run(cell, trial)

    def try_cell(self, cell: Cell) -> Report:
        """Run, heal, resume; say what was wrong."""
        right = self.right(cell.form)
        start = time.monotonic()
        with self.trial(cell) as trial:
            server = trial.server
            cell.arrange(trial)
            first = self.run(cell, trial)
            met = not cell.fault or any(request.fault for request in server.log)
            wrong = list(self._judge(cell, trial, first, cell.codes))
            if first.code not in (None, KILLED) and not cell.stays and _open_sessions(server):
                wrong.append("session left open")
            server.clear()
            trial.settle()
            last = first
            if cell.heal is not None:
                cell.heal(trial)
            if first.code != 0:
                last = self._again(cell, trial)
                wrong += [
                    f"resume: {what}" for what in self._judge(cell, trial, last, cell.resumed)
                ]
                if last.code != 0:
                    server.clear()
                    if cell.mended is not None:
                        cell.mended(trial)
                    last = self._again(cell, trial, cell.again)
            trial.settle()
            done = [job for job in server.jobs.values() if job.state == "COMPLETED"]
            if last.code != 0:
                wrong.append(
                    "results lost" if done else f"ends with {last.code}: {last.last[:200]}"
                )
            elif _counts(trial.run) != right:
                wrong.append("wrong numbers accepted")
            if len(done) > FORMS[cell.form][1] + cell.resends:
                wrong.append("jobs twice")
            return Report(
                cell, first, tuple(wrong), met, time.monotonic() - start, server.submissions()
            )

    def _judge(
        self, cell: Cell, trial: Trial, ended: Ended, codes: frozenset[int]
    ) -> Iterator[str]:
        if ended.code is None:
            yield "endless"
            return
        if cell.kill is not None and ended.code == KILLED:
            return
        if "Traceback (most recent call last)" in ended.err:
            yield "traceback"
        elif ended.code not in codes:
            yield f"exit {ended.code}, wanted {' or '.join(str(code) for code in sorted(codes))}"
        elif ended.code != 0:
            if not ended.last.startswith("qbrain: ") or len(ended.last) > 900:
                yield "no line"
            if re.search(r"<\w+>", ended.last):
                yield "a page in the line"
            if cell.words and not re.search(cell.words, ended.last):
                yield "not the service's words"
            if ended.code == 4 and trial.begun and "qbrain resume" not in ended.last:
                yield "resume not named"


HELD = replace(NOTHING, kill=lambda trial: trial.server.submissions() > 0)


def begun_and_killed(runner: Runner, trial: Trial, form: str = "orbit") -> None:
    """A run that was killed once its first job was taken, which then ran."""
    trial.server.hold()
    ended = runner.run(replace(HELD, form=form), trial)
    assert ended.code == KILLED
    trial.server.release()
    trial.settle()
