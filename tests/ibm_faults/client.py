"""A process that has everything imported and forks for each command of ``qbrain``.

A fork may be killed as a run is killed, ends with a run's own exit code and shares nothing with
the next, and it starts in milliseconds. The parent stays at one thread: it runs nothing itself.

Protocol: a line of JSON in (``argv``, ``env``, ``cwd``, ``out``, ``err`` and ``hurry``, whether
waits are cut), a line out with the process id, another one with the exit code once it has ended
(below zero: the signal).
"""

from __future__ import annotations

import importlib
import io
import json
import os
import pkgutil
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

# what a run imports on its way: these, and all of these rooms
IMPORTED = (
    "distributed",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.pyplot",
    "qbrain.backends",
    "qbrain.experiments.cli",
    "qbrain.experiments.engine",
    "qbrain.experiments.lmg",
    "qbrain.experiments.report",
    "qiskit.qpy",
    "qiskit.transpiler.preset_passmanagers",
    "qiskit_aer",
    "qiskit_ibm_runtime.executor_sampler",
    "qiskit_ibm_runtime.transpiler",
    "rich.progress",
    "rich.table",
    "scipy.stats",
    "xarray",
)


_sleep = time.sleep


def _hurried(seconds: float) -> None:
    """Waits between two questions are cut: of the HTTP library's second tries, 15 s a request,
    and of looks at a job that is done at once. Deadlines are on the clock and stay what they are.
    """
    _sleep(min(seconds, 0.1))


def _undrawn(_: Any, target: Any, **options: Any) -> None:
    """A picture that nobody looks at: half of a small run's time goes into its drawing."""
    data = b"<svg></svg>" if options.get("format") == "svg" else b""
    if isinstance(target, str | os.PathLike):
        Path(target).write_bytes(data)
    else:
        target.write(data if isinstance(target, io.BytesIO) else data.decode())


def _child(order: dict[str, Any]) -> int:
    os.chdir(order["cwd"])
    os.environ.update(order["env"])
    for number, name in ((1, "out"), (2, "err")):
        handle = os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(handle, number)
        os.close(handle)
    from matplotlib.figure import Figure

    from qbrain.experiments.cli import run_command

    Figure.savefig = _undrawn  # type: ignore[method-assign]
    if order["hurry"]:
        time.sleep = _hurried
    try:
        return run_command(order["argv"])
    except BaseException:
        traceback.print_exc()
        return 1


def _warm() -> None:
    """Import, write and draw what every run does."""
    for name in IMPORTED:
        module = importlib.import_module(name)
        if name.startswith("qbrain.") and hasattr(module, "__path__"):
            for found in pkgutil.walk_packages(module.__path__, f"{name}."):
                importlib.import_module(found.name)
    import matplotlib.pyplot as plt
    import xarray as xr

    with tempfile.TemporaryDirectory() as folder:
        xr.Dataset({"a": ("x", [1.0, 2.0])}).to_netcdf(f"{folder}/a.nc", engine="h5netcdf")
        figure, axes = plt.subplots(layout="constrained")
        axes.plot([1, 2], label="$a$")
        axes.legend()
        for form in ("png", "svg"):
            figure.savefig(f"{folder}/a.{form}")
        plt.close(figure)
    # a thread would not be there in a fork
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise RuntimeError(f"wanted one thread, got {threads}")


def main() -> None:
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nothing but the protocol goes there
    _warm()
    print(json.dumps({"ready": True}), file=channel, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        process = os.fork()
        if process == 0:
            channel.close()
            code = _child(order)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        print(json.dumps({"pid": process}), file=channel, flush=True)
        _, status, used = os.wait4(process, 0)
        ended = {
            "code": os.waitstatus_to_exitcode(status),
            "cpu": used.ru_utime + used.ru_stime,
        }
        print(json.dumps(ended), file=channel, flush=True)


if __name__ == "__main__":
    main()
