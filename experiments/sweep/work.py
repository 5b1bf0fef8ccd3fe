"""The points of a sweep, as a worker does them: a reference trajectory or a whole run each.

What a worker does not need is not imported: a sweep of reference trajectories loads no Qiskit.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from qbrain.classical_feedback.synapse import Synapse
from qbrain.reference.lmg import LMG, simulate

from ..lmg.config import LMGConfig
from .journal import DONE, Outcome

__all__ = ["Job", "do_points", "sees"]

_EXACT_SERIES = ("excitation", "r", "U", "phase")
_RUN_SERIES = (*_EXACT_SERIES, "excitation_stderr", "exact_excitation")
_RUN_FIGURES = (
    *("rmse_excitation", "rmse_excitation_raw", "max_error_excitation", "rmse_r"),
    *("population_fidelity", "kept_fraction", "shot_error", "trotter_error", "step_error"),
    *("qubits", "circuits", "two_qubit_gates", "depth", "seed"),
)
# a run writes files and draws through libraries that keep state: one at a time in a process
_one_run = threading.Lock()


@dataclass(frozen=True)
class Job:
    """A point to do: its key, its configuration, and the folder of its run (backend exact: '')."""

    key: str
    config: LMGConfig
    folder: str


def do_points(jobs: Sequence[Job]) -> tuple[list[Outcome], float]:
    """What came of every job, failures included, and the seconds it took."""
    began = time.perf_counter()
    return [_attempt(job) for job in jobs], time.perf_counter() - began


def sees(file: str) -> bool:
    """Whether this process can read the file: asked of workers that are to write beside it."""
    return Path(file).is_file()


def _attempt(job: Job) -> Outcome:
    try:
        return _run(job) if job.folder else _trajectory(job)
    except Exception as error:  # no point may end the sweep; the status says what happened
        from ..errors import EXIT_BAD_INPUT, EXIT_REFUSED, ConfigError
        from ..faults import exit_code

        known = isinstance(error, ConfigError) or exit_code(error) in (
            EXIT_BAD_INPUT,
            EXIT_REFUSED,
        )
        why = " ".join(str(error).split())
        return Outcome(
            job.key, why if known else f"{type(error).__name__}: {why}".rstrip(": "), final=known
        )


def _trajectory(job: Job) -> Outcome:
    """The reference at the times a run would measure; figures are over these times."""
    config = job.config
    model = LMG(config.neurons, config.gamma, config.g0, config.field)
    synapse = Synapse(config.tau_r, config.tau_f, config.release)
    times = config.time / config.steps * np.arange(config.steps + 1)
    data = simulate(model, synapse, config.initial, times)
    figures = {
        "mean_excitation": float(data.excitation.mean()),
        "variance_excitation": float(data.excitation.var()),
        "least_r": float(data.r.min()),
    }
    return Outcome(job.key, DONE, {name: data[name].values for name in _EXACT_SERIES}, figures)


def _run(job: Job) -> Outcome:
    """A run in its folder; one that a killed worker left behind goes on."""
    from ..lmg import protocol as lmg

    path = Path(job.folder)
    # the sweep has a progress bar of its own
    with _one_run, redirect_stderr(io.StringIO()):
        begun = (path / "run.toml").exists()
        result = lmg.resume(path) if begun else lmg.start(job.config, path)
        data = xr.load_dataset(path / "result.nc", engine="h5netcdf")
    series = {name: data[name].values for name in _RUN_SERIES}
    return Outcome(job.key, DONE, series, {name: result[name] for name in _RUN_FIGURES})
