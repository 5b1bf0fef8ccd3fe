"""What a backend made of a trained spike generator: windows, ⟨Z⟩ and how far both are from exact.

The noise is classical and is drawn before anything is sent: ``noise_points`` values of z for whole
windows. Each value and bin is a circuit (each value alone, of a recurrent generator), measured
``shots`` times. Windows of spikes are then drawn from what was measured at these values:

    sigmoid: ⟨Z_i⟩ of each value, bin and neuron, p = σ(a ⟨Z_i⟩ + b), spikes drawn independently;
    words: each value's distribution of words in each bin, from which a word a bin is drawn (given
        the noise, bins are independent);
    words of a recurrent generator: every shot is a window as it was measured.

Readout errors are measured by two circuits sent along, and are taken out of ⟨Z⟩ and of the
distributions; single shots cannot be corrected. Few noise values alone make windows differ from
those of the generator; the same windows from exact probabilities at the very same values show by
how much. Shots make ⟨Z⟩ uncertain by up to 1/√shots; p then has that spread beside its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.experiment import Fit
from ..engine.measures import rms
from ..engine.mitigation_rows import common_row
from .circuits import Bound
from .config import SpiQGANConfig
from .measured import Measured
from .result import OBSERVABLE
from .source import Source
from .windows import Windows, measured_windows

__all__ = ["BackendResult", "backend_result"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class BackendResult:
    """What a backend made of a generator.

    Attributes:
        backend: its name.
        spikes: ``mitigated`` (where readout errors were taken out), ``raw`` and ``exact``: windows
            (windows, bins, neurons), and the number of the noise value of each.
        expectations: the same keys: ⟨Z⟩ (points, bins, neurons), +1 for no spike.
        fit: of ⟨Z⟩.
        summary: numbers for the run's JSON object.
    """

    backend: str
    spikes: dict[str, Windows]
    expectations: dict[str, Array]
    fit: Fit
    summary: dict[str, Any]

    @property
    def best(self) -> str:
        """Which windows stand for the backend: ``mitigated`` where there are such, else ``raw``."""
        return "mitigated" if "mitigated" in self.spikes else "raw"

    def sources(self, parameters: int, quantum_parameters: int) -> list[Source]:
        """The backend's windows, first the ones that stand for it, and the exact ones beside."""
        named = [(self.backend, self.backend, self.best)]
        if self.best == "mitigated":
            named = [(self.backend, f"{self.backend}, readout corrected", "mitigated")]
            named.append((f"{self.backend} raw", f"{self.backend}, as read", "raw"))
        points = self.summary["noise_points"]
        named.append(("same noise, exact", f"exact, at the same {points} noise values", "exact"))
        found = []
        for name, label, key in named:
            windows, groups = self.spikes[key]
            found.append(
                Source(name, label, windows, parameters, quantum_parameters, groups=groups)
            )
        return found


def backend_result(config: SpiQGANConfig, bound: Bound, measured: Measured) -> BackendResult:
    """Windows and ⟨Z⟩ of what was measured.

    Raises ``EstimateError`` for an assignment matrix that cannot be inverted.
    """
    spikes, found = measured_windows(bound, measured, config.samples, config.seed or 0)
    fit = _fit(found, config.shots)
    calibration = measured.calibration
    summary: dict[str, Any] = {
        "shots": config.shots,
        "noise_points": config.noise_points,
        "mitigation": "none" if calibration is None else "readout",
        "mitigations": _mitigation_rows(config, found, measured),
        # names of version 0.1
        "rmse_expectation": fit.rmse,
        "rmse_expectation_raw": fit.rmse_raw,
        "shot_error_expectation": fit.shot_error,
    }
    if calibration is not None:
        summary["readout_calibration"] = [calibration.record()]
    return BackendResult(config.backend, spikes, found, fit, summary)


def _mitigation_rows(
    config: SpiQGANConfig, found: dict[str, Array], measured: Measured
) -> list[dict[str, Any]]:
    """A row a mitigation: errors of ⟨Z⟩ at all noise values, bins and neurons."""
    exact = found["exact"]
    spread = np.sqrt(np.clip(1 - exact**2, 0, 1) / config.shots)
    rows = [{"mitigation": "raw", **common_row(found["raw"], spread, exact), "extra_shots": 0}]
    calibration = measured.calibration
    if calibration is not None:
        names = [
            (p, b) for p in range(len(exact)) for b in range(len(measured.orders) // len(exact))
        ]
        errors = np.array([calibration.readout[list(measured.orders[name])] for name in names])
        wide = spread / (1 - errors.sum(axis=-1)).reshape(exact.shape)
        row = common_row(found["mitigated"], wide, exact)
        # two circuits of known state
        rows.append({"mitigation": "readout", **row, "extra_shots": 2 * config.shots})
    return rows


def _fit(found: dict[str, Array], shots: int) -> Fit:
    exact, best = found["exact"], found.get("mitigated", found["raw"])
    return Fit(
        OBSERVABLE,
        rmse=rms(best - exact),
        max_error=float(np.abs(best - exact).max()),
        rmse_raw=rms(found["raw"] - exact),
        shot_error=rms(np.sqrt(np.clip(1 - exact**2, 0, 1) / shots)),
    )
