"""Cells of the failure matrix: what goes wrong, where, how often, in which mode, and how the run
may end.

The policy that the exit codes follow: what may pass is tried again until the deadline and then
ends with 4; what will not pass ends with 4 at once; a fault of what is only bookkeeping (usage,
metrics, the end of a session) never ends a run.
"""

from __future__ import annotations

import re
import signal
import sqlite3
from collections.abc import Iterator
from typing import Any

from ibm_loopback.answers import (
    DEVICES,
    HARMLESS_RESULTS,
    JOBS,
    LISTS,
    METRICS,
    RESULTS,
    SESSIONS,
    SUBMISSIONS,
)
from ibm_loopback.faults import FOREVER, Fault, error_body
from ibm_loopback.limits import Limits
from ibm_loopback.server import LoopbackIBM

from .harness import Cell, Trial

__all__ = ["GROUPS", "all_cells", "everywhere"]

DONE, DEVICE, BAD_INPUT = frozenset({0}), frozenset({4}), frozenset({2})
EITHER = DONE | DEVICE

# method and path of each request of a run, in their order
REQUESTS: dict[str, tuple[str, str]] = {
    "token": ("POST", r"/identity/token$"),
    "search": ("POST", r"/resources/search$"),
    "plan": ("GET", r"/loopback-plan$"),
    "backends": ("GET", r"/backends$"),
    "configuration": ("GET", r"/configuration$"),
    "properties": ("GET", r"/properties$"),
    "session open": ("POST", r"/sessions$"),
    "usage": ("GET", r"/instances/usage$"),
    "status": ("GET", r"/backends/[^/]+/status$"),
    "submit": ("POST", r"/jobs$"),
    "list": ("GET", r"/jobs$"),
    "poll": ("GET", r"/jobs/[^/]+$"),
    "results": ("GET", r"/results$"),
    "metrics": ("GET", r"/metrics$"),
    "session close": ("PATCH", r"/sessions/"),
}
PERMANENT = (400, 402, 403, 404, 409, 413, 422)
PASSING = (408, 425, 429, 500, 502, 503, 504)
BROKEN = ("drop", "cut", "hang", "html", "portal", "null", "empty", "truncated", "trickle")
FAULTS = (*(str(status) for status in (*PERMANENT, 401, *PASSING)), *BROKEN)
TIMES = {"once": 1, "3 times": 3, "for ever": FOREVER}
MODES = ("auto", "session", "batch", "job")
# for these answers the client waits as long as it likes, which is longer than a run's patience
SLOW = {("hang", "token"), ("hang", "search"), ("hang", "plan")}
# without these a run can go on
BOOKKEEPING = ("metrics", "session close")
# these the client or the run may do without, or not
OPTIONAL = ("token", "plan", "usage", "status", "list")


def fault(kind: str, where: str, count: int = 1, *, after: bool = False, skip: int = 0) -> Fault:
    """A fault of the matrix by its name."""
    method, path = REQUESTS[where]
    at: dict[str, Any] = {"method": method, "path": path, "count": count, "skip": skip}
    at["after"] = after
    if kind.isdigit():
        return Fault("status", status=int(kind), **at)
    if kind == "html":
        return Fault("html", status=502, **at)
    if kind == "portal":
        return Fault("html", status=200, **at)
    if kind == "trickle":
        return Fault("trickle", seconds=6.0, **at)
    return Fault(kind, **at)


def adds(*faults: Fault) -> Any:
    """Arrange these faults; copies, for a fault counts what it struck."""

    def arrange(trial: Trial) -> None:
        trial.server.faults += [Fault(**vars(one)) for one in faults]

    return arrange


def _codes(kind: str, where: str, count: int, mode: str) -> frozenset[int]:
    """Exit codes that the policy allows for a fault of the transport."""
    if where in BOOKKEEPING:
        return DONE
    if kind == "trickle":
        return EITHER  # every byte comes in time, the whole may not
    if kind.isdigit() and int(kind) in (401, *PERMANENT) and where in ("token", "search"):
        return EITHER | BAD_INPUT  # the account's key is not taken
    if kind.isdigit() and int(kind) in PERMANENT:
        if where == "submit":
            return DEVICE
        if where == "session open":
            return DONE if mode == "auto" else DEVICE
        return EITHER if count < FOREVER or where in OPTIONAL else DEVICE
    if where in OPTIONAL or (where == "session open" and mode == "auto"):
        return DONE if count == 1 and (kind, where) not in SLOW else EITHER
    if count == 1:
        return EITHER if (kind, where) in SLOW else DONE
    # a job that was taken all the same is found by its tag
    taken = where == "submit" and fault(kind, where).takes_effect
    return EITHER if count < FOREVER or taken else DEVICE


def transport(modes: tuple[str, ...] = MODES) -> Iterator[Cell]:
    """Every fault of the transport at every request, once, three times and for ever."""
    for mode in modes:
        for where in REQUESTS:
            if where.startswith("session") and mode == "job":
                continue
            # a session is worth its while for several jobs
            form = "replay" if where.startswith("session") else "orbit"
            for kind in FAULTS:
                for times, count in TIMES.items():
                    words = ""
                    if kind.isdigit() and int(kind) in PERMANENT and where == "submit":
                        words = re.escape(error_body(int(kind))["errors"][0]["message"][:20])
                    yield Cell(
                        f"{kind} at {where}, {times}, {mode}",
                        adds(fault(kind, where, count)),
                        _codes(kind, where, count, mode),
                        form=form,
                        mode=mode,
                        words=words,
                        stays=where == "session close"
                        or (where == "session open" and fault(kind, where).takes_effect),
                    )


def taken(modes: tuple[str, ...] = MODES) -> Iterator[Cell]:
    """The job is taken and the answer to its submission lost."""
    for mode in modes:
        # 408, 425 and 429 say that the request was not worked on
        for kind in ("500", "502", "503", "504", *BROKEN):
            for times, count in TIMES.items():
                for form in ("orbit", "replay"):
                    yield Cell(
                        f"taken, but {kind}, {times}, {form}, {mode}",
                        adds(fault(kind, "submit", count, after=True)),
                        DONE if count == 1 else EITHER,
                        form=form,
                        mode=mode,
                        # doubles can be cancelled as long as they wait
                        options={"queue_seconds": 0.5},
                    )
        for kind in ("502", "drop", "cut", "hang"):
            yield Cell(
                f"taken, but {kind}, and the list lags, {mode}",
                adds(fault(kind, "submit", 1, after=True)),
                EITHER,
                mode=mode,
                options={"queue_seconds": 0.5, "list_lag_seconds": 1.5},
                lag=2.5,
            )


def everywhere(*kinds: str, mode: str = "batch") -> Cell:
    """One run that meets these faults, one after the other, at every request."""
    # without a token the client goes on with the bare key
    ordered = [where for where in REQUESTS if where != "token"]
    return Cell(
        f"{', '.join(kinds)} at every request, {mode}",
        adds(*(fault(kind, where) for where in ordered for kind in kinds)),
        EITHER if "hang" in kinds else DONE,
        form="replay",
        mode=mode,
        stays=True,
        # one wait after the other
        patience=20.0,
    )


def answers(modes: tuple[str, ...] = ("job", "session")) -> Iterator[Cell]:
    """Answers whose content is wrong."""
    for mode in modes:
        for count in (1, FOREVER):
            times = "once" if count == 1 else "for ever"

            def altered(change: Any, where: str, count: int = count) -> Any:
                method, path = REQUESTS[where]
                return lambda trial: trial.server.alter(
                    change, method=method, path=path, count=count
                )

            for name, change in RESULTS.items():
                for form in ("orbit", "replay"):
                    right = DONE if name in HARMLESS_RESULTS else EITHER if count == 1 else DEVICE
                    if name in ("circuits in another order", "time stamps not a number"):
                        # each circuit is known by its metadata; the client reads no such stamps
                        right = EITHER
                    yield Cell(
                        f"result: {name}, {times}, {form}, {mode}",
                        altered(change, "results"),
                        right,
                        form=form,
                        mode=mode,
                    )
            for name, change in JOBS.items():
                right = DONE if name == "new fields" or count == 1 else EITHER
                if name == "ran too long":
                    right = EITHER
                yield Cell(
                    f"job: {name}, {times}, {mode}",
                    altered(change, "poll"),
                    right,
                    mode=mode,
                    # a job that is said to be cancelled, or is not there, may be sent once more
                    resends=1 if name == "ran too long" else 0,
                )
            for name, change in SUBMISSIONS.items():
                yield Cell(
                    f"submission: {name}, {times}, {mode}",
                    altered(change, "submit"),
                    DONE if name == "new fields" or count == 1 else EITHER,
                    mode=mode,
                    options={"queue_seconds": 0.5},
                )
            for name, change in LISTS.items():
                yield Cell(
                    f"list: {name}, {times}, {mode}",
                    altered(change, "list"),
                    EITHER,
                    mode=mode,
                )
            for name, change in METRICS.items():
                yield Cell(
                    f"metrics: {name}, {times}, {mode}", altered(change, "metrics"), DONE, mode=mode
                )
            for name, change in SESSIONS.items():
                if mode != "job":
                    yield Cell(
                        f"session: {name}, {times}, {mode}",
                        altered(change, "session open"),
                        EITHER,
                        form="replay",
                        mode=mode,
                        stays=True,
                    )
            for where, changes in DEVICES.items():
                for name, change in changes.items():
                    yield Cell(
                        f"{where}: {name}, {times}, {mode}",
                        altered(change, where),
                        # a device without gates, or that reads nothing, has no line; an account
                        # without devices has no such device
                        DONE
                        if name in ("new fields", "no limits")
                        else BAD_INPUT | DEVICE
                        if "coin" in name
                        else EITHER
                        | (BAD_INPUT if "gates" in name or where == "backends" else DONE),
                        mode=mode,
                    )


# ---- what the service decides


def _device(status: str) -> Any:
    return lambda trial: trial.server.set_device("ibm_fez", status, "Back at noon.")


def _mend_device(trial: Trial) -> None:
    trial.server.set_device("ibm_fez")


def _revoke_when(trial: Trial, where: str) -> None:
    """Revoke the tokens at the first such request, after it was let in."""
    method, path = REQUESTS[where]

    def change(code: int, body: Any) -> tuple[int, Any]:
        trial.server.revoke_tokens()
        return code, body

    trial.server.alter(change, method=method, path=path)


def service(modes: tuple[str, ...] = MODES) -> Iterator[Cell]:
    """Limits, states of devices, tokens, sessions that end, jobs that fail or vanish."""
    for mode in modes:
        # nobody waits for ever in a test: a job that waits beyond the deadline may end the run
        yield Cell(
            f"device retired, {mode}",
            _device("retired"),
            BAD_INPUT | DEVICE,
            mode=mode,
            heal=_mend_device,
            fault=False,
        )
        for number, reason in (("1517", "The instruction rzz"), ("9999", "Internal error")):
            yield Cell(
                f"job fails with {number}, {mode}",
                lambda trial, n=number, r=reason: trial.server.fail_jobs(1, r, int(n)),
                DEVICE,
                mode=mode,
                fault=False,
                words=reason,
            )
        yield Cell(
            f"jobs refused beyond the limits, {mode}",
            lambda trial: None,
            BAD_INPUT | DEVICE,
            mode=mode,
            fault=False,
            options={"limits": Limits(executions=300)},
            heal=lambda trial: setattr(trial.server, "limits", Limits()),
            words="executions",
        )
        yield Cell(
            f"jobs fail beyond the limits, {mode}",
            lambda trial: None,
            BAD_INPUT | DEVICE,
            mode=mode,
            fault=False,
            options={"limits": Limits(executions=300), "validation": "job"},
            heal=lambda trial: setattr(trial.server, "limits", Limits()),
        )
        yield Cell(
            f"payload too large, {mode}",
            lambda trial: None,
            DEVICE,
            mode=mode,
            fault=False,
            options={"limits": Limits(payload_bytes=500)},
            heal=lambda trial: setattr(trial.server, "limits", Limits()),
            words="Payload too large",
        )
        yield Cell(
            f"time of the instance used up, refused, {mode}",
            lambda trial: None,
            DEVICE,
            mode=mode,
            fault=False,
            options={"usage_limit_seconds": 0, "out_of_usage": "refuse"},
            heal=lambda trial: setattr(trial.server, "usage_limit_seconds", 36_000),
            words="usage limit",
        )
        for where in ("properties", "submit", "poll", "results"):
            yield Cell(
                f"tokens revoked after {where}, {mode}",
                lambda trial, where=where: _revoke_when(trial, where),
                DONE,
                form="replay",
                mode=mode,
            )
        yield Cell(
            f"open plan, {mode}",
            lambda trial: None,
            DEVICE if mode == "session" else DONE,
            form="replay",
            mode=mode,
            fault=False,
            options={"plan": "open"},
            words="open plan",
            heal=lambda trial: setattr(trial.server, "plan", "premium"),
        )
        if mode in ("session", "batch"):
            yield Cell(
                f"session closes after a job, {mode}",
                _close_after_one,
                DONE,
                form="replay",
                mode=mode,
            )
        yield Cell(
            f"connections refused for half a second, {mode}",
            lambda trial: trial.server.refuse(0.5),
            DONE,
            mode=mode,
            fault=False,
        )
        yield Cell(
            f"job deleted between its end and its result, {mode}",
            _delete_when_polled,
            EITHER,
            mode=mode,
            resumed=EITHER,
            again=("--resend", "0"),
            resends=1,
        )
        yield Cell(
            f"a wrong key, {mode}",
            lambda trial: _wrong_key(trial.server),
            BAD_INPUT | DEVICE,
            mode=mode,
            fault=False,
            heal=lambda trial: setattr(trial.server, "token", trial.server.token[:-1]),
        )


def _wrong_key(server: LoopbackIBM) -> None:
    """The service knows another key than the one that the run brings."""
    right = server.token
    brought = server.environment()
    server.environment = lambda: brought  # type: ignore[method-assign]
    server.token = f"{right}x"


def _close_after_one(trial: Trial) -> None:
    def change(code: int, body: Any) -> tuple[int, Any]:
        trial.server.close_session(body["id"], after_jobs=1)
        return code, body

    trial.server.alter(change, method="POST", path=r"/sessions$")


def _delete_when_polled(trial: Trial) -> None:
    def change(code: int, body: Any) -> tuple[int, Any]:
        if body["status"] == "Completed":
            trial.server.delete_job(body["id"])
        return code, body

    trial.server.alter(change, method="GET", path=REQUESTS["poll"][1], count=FOREVER)


# ---- between kill and resume


def _hold(trial: Trial) -> None:
    trial.server.hold()


def _one_taken(trial: Trial) -> bool:
    return trial.server.submissions() > 0


def _worse(properties: dict[str, Any], qubits: set[int]) -> None:
    for qubit in qubits:
        for entry in properties["qubits"][qubit]:
            if entry["name"] in ("readout_error", "prob_meas0_prep1", "prob_meas1_prep0"):
                entry["value"] = 0.4


def _newer(properties: dict[str, Any]) -> None:
    properties["last_update_date"] = "2026-01-02T03:04:05+00:00"


def _calibrations() -> dict[str, Any]:
    def own_line_worse(properties: dict[str, Any], _: dict[str, Any]) -> None:
        _newer(properties)
        _worse(properties, {136, 143})

    def qubit_gone(properties: dict[str, Any], _: dict[str, Any]) -> None:
        _newer(properties)
        properties["qubits"][136] = []

    def edge_gone(properties: dict[str, Any], _: dict[str, Any]) -> None:
        _newer(properties)
        properties["gates"] = [
            gate for gate in properties["gates"] if sorted(gate["qubits"]) != [136, 143]
        ]

    return {
        "newer": lambda properties, _: _newer(properties),
        "own line worse": own_line_worse,
        "own qubit without properties": qubit_gone,
        "own edge gone": edge_gone,
        "no properties": lambda properties, _: properties.clear(),
    }


def _ledgers() -> dict[str, Any]:
    def lost(trial: Trial) -> None:
        for path in trial.folder.glob("ledger.sqlite*"):
            path.unlink()

    def garbage(trial: Trial) -> None:
        lost(trial)
        trial.ledger.write_bytes(b"this was a ledger once\n" * 300)

    def cut_short(trial: Trial) -> None:
        with sqlite3.connect(trial.ledger) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        whole = trial.ledger.read_bytes()
        lost(trial)
        trial.ledger.write_bytes(whole[: len(whole) // 2])

    def old_schema(trial: Trial) -> None:
        with sqlite3.connect(trial.ledger) as database:
            rows = database.execute("SELECT tag, run, step, backend, state, job FROM jobs")
            kept = rows.fetchall()
            database.execute("DROP TABLE jobs")
            database.execute(
                "CREATE TABLE jobs (tag TEXT PRIMARY KEY, run TEXT, step INTEGER, backend TEXT, "
                "state TEXT, job TEXT)"
            )
            database.executemany("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?)", kept)
        database.close()

    def another_table(trial: Trial) -> None:
        lost(trial)
        with sqlite3.connect(trial.ledger) as database:
            database.execute("CREATE TABLE jobs (colour TEXT)")
        database.close()

    def a_folder(trial: Trial) -> None:
        lost(trial)
        trial.ledger.mkdir()

    def of_another_job(trial: Trial) -> None:
        with sqlite3.connect(trial.ledger) as database:
            database.execute("UPDATE jobs SET job = 'd0000000000000000000'")
        database.close()

    return {
        "lost": lost,
        "garbage": garbage,
        "cut short": cut_short,
        "of an old schema": old_schema,
        "of another table": another_table,
        "a folder": a_folder,
        "with an id that the service does not know": of_another_job,
    }


def _locked(trial: Trial) -> None:
    """Somebody else holds the ledger; let go when the trial's server ends."""
    database = sqlite3.connect(trial.ledger, check_same_thread=False)
    database.execute("BEGIN EXCLUSIVE")
    trial.closing.append(database.close)


def _mended_ledger(trial: Trial) -> None:
    """As it is after somebody took a broken ledger away."""
    for path in trial.folder.glob("ledger.sqlite*"):
        path.rmdir() if path.is_dir() else path.unlink()


def killed(forms: tuple[str, ...] = ("orbit", "replay")) -> Iterator[Cell]:
    """Killed (-9) once the first job was taken; something changes; resumed."""
    base: dict[str, Any] = {
        "arrange": _hold,
        "kill": _one_taken,
        "codes": frozenset({-signal.SIGKILL}),
        "fault": False,
    }
    for form in forms:
        for mode in ("job", "session", "batch"):
            yield Cell(f"killed, {form}, {mode}", form=form, mode=mode, **base)
        for name, change in _calibrations().items():
            broken = name in ("own qubit without properties", "own edge gone", "no properties")
            yield Cell(
                f"killed, calibration {name}, {form}",
                form=form,
                heal=lambda trial, change=change: trial.server.calibrate("ibm_fez", change),
                # jobs that are still to be sent may need what is gone
                resumed=EITHER | BAD_INPUT if broken and form == "replay" else DONE,
                mended=_mended_calibration,
                **base,
            )
        for name, change in _ledgers().items():
            yield Cell(
                f"killed, ledger {name}, {form}",
                form=form,
                heal=change,
                resumed=DONE | BAD_INPUT | DEVICE,
                mended=None if name == "lost" else _mended_ledger,
                **base,
            )
        yield Cell(
            f"killed, ledger locked by another, {form}",
            form=form,
            heal=_locked,
            resumed=DONE | BAD_INPUT | DEVICE,
            mended=lambda trial: trial.close(),
            **base,
        )
        yield Cell(
            f"killed, the job deleted by the service, {form}",
            form=form,
            heal=lambda trial: trial.server.delete_job(next(iter(trial.server.jobs))),
            # a second job costs: it may want to be asked for
            resumed=EITHER,
            again=("--resend", "0"),
            resends=1,
            **base,
        )
        yield Cell(
            f"killed, the list empty, {form}",
            form=form,
            heal=lambda trial: trial.server.alter(
                LISTS["empty although there are jobs"], method="GET", path=r"/jobs$", count=FOREVER
            ),
            resumed=EITHER,
            **base,
        )
        yield Cell(
            f"killed, another account, {form}",
            form=form,
            heal=_other_account,
            resumed=DEVICE | BAD_INPUT,
            mended=_first_account,
            **base,
        )
        yield Cell(
            # before anything is about to be sent, any account may send it: exit 0, and one job
            f"killed at once, another account, {form}",
            form=form,
            heal=_other_account,
            resumed=EITHER | BAD_INPUT,
            mended=_first_account,
            **{**base, "kill": lambda trial: trial.begun},
        )
        yield Cell(
            f"killed, device retired, {form}",
            form=form,
            heal=_device("retired"),
            resumed=EITHER | BAD_INPUT,
            mended=_mend_device,
            **base,
        )
        for number, reason in enumerate(("Internal error", "Out of memory")):
            yield Cell(
                f"killed, the job fails {number + 1}, {form}",
                arrange=lambda trial, reason=reason: (
                    trial.server.hold(),
                    trial.server.fail_jobs(1, reason),
                ),
                kill=_one_taken,
                codes=frozenset({-signal.SIGKILL}),
                form=form,
                resumed=EITHER,
                fault=False,
            )


def _mended_calibration(trial: Trial) -> None:
    from ibm_loopback.device import open_device

    trial.server.devices["ibm_fez"] = open_device("ibm_fez", False)


def _other_account(trial: Trial) -> None:
    trial.first_account = (trial.server.token, trial.server.instance)
    trial.server.change_account("another-key", trial.server.instance.replace("00000000", "7" * 8))


def _first_account(trial: Trial) -> None:
    trial.server.change_account(*trial.first_account)


GROUPS: dict[str, Any] = {
    "transport": transport,
    "taken": taken,
    "answers": answers,
    "service": service,
    "killed": killed,
}


def all_cells() -> Iterator[Cell]:
    """The whole matrix."""
    for group in GROUPS.values():
        yield from group()
    for kind in FAULTS:
        if not kind.isdigit() or int(kind) in (*PASSING, 401):
            yield everywhere(kind)
