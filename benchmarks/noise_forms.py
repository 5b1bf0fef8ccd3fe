"""What the noise of a snapshot makes of a run: gates alone, with waiting, calibrated.

    python benchmarks/noise_forms.py [--devices fake_boston,…] [--seeds 7,8,9] [--only TEXT]

The runs that the README and the page of the open system quote, on the three forms of a snapshot's
noise (``--noise gates``, ``snapshot``, ``calibrated``; docs/device-noise.md says what is in each).
Figures are root mean square errors against the exact curve, of E or of m_z, as the run estimates
them and, behind the stroke, raw; averaged over seeds as a root mean square. A line is printed as
soon as it is known. All three devices and one seed take about a quarter of an hour.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import qbrain
from qbrain.backends.device_noise import NOISE_FORMS

SIX = {"neurons": 6, "shots": 4000}
BATH = {
    "neurons": 3, "start": "up", "pulses": "0:inf:0.1", "time": 4.0, "steps": 8, "shots": 20000,
}  # fmt: skip
RUNS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "lmg, one axis": (
        "lmg", {**SIX, "gamma": 1.0, "time": 12.0, "steps": 16, "evolution": "fast-forward"},
    ),
    "lmg, sector": (
        "lmg", {**SIX, "gamma": 0.8, "time": 100.0, "steps": 100, "encoding": "dicke"},
    ),
    "lmg, sector in one job": (
        "lmg",
        {
            **SIX, "gamma": 0.8, "time": 100.0, "steps": 100, "encoding": "dicke",
            "evolution": "orbit",
        },
    ),
    "lmg, qubits and echoes": (
        "lmg",
        {
            **SIX, "gamma": 0.8, "tau_r": 0.0, "time": 6.0, "steps": 8,
            "mitigation": "parity+echo",
        },
    ),
    "bath": ("open-system", BATH),
    "bath, readout corrected": ("open-system", {**BATH, "mitigation": "readout"}),
    "bath, extrapolated": (
        "open-system", {**BATH, "substeps": 2, "extrapolation": "richardson"},
    ),
    "bath, both": (
        "open-system",
        {**BATH, "substeps": 2, "extrapolation": "richardson", "mitigation": "readout"},
    ),
}  # fmt: skip


def errors(system: str, settings: Mapping[str, Any], seeds: Sequence[int]) -> tuple[str, int]:
    """RMSE of the estimate and of the raw figures, and how many two-qubit gates there were."""
    found = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            result = qbrain.run(system, out=Path(folder) / "run", seed=seed, **settings).json()
        fit = result["fit"]
        raw = fit["rmse"] if fit["rmse_raw"] is None else fit["rmse_raw"]
        found.append((fit["rmse"], raw, result["two_qubit_gates"]))
    rmse, raw = (float(np.sqrt(np.mean([row[k] ** 2 for row in found]))) for k in (0, 1))
    return f"{rmse:.4f} / {raw:.4f}", int(found[0][2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--devices", default="fake_boston,fake_pittsburgh,fake_fez")
    parser.add_argument("--seeds", default="7")
    parser.add_argument("--only", default="", help="runs whose name has this in it")
    arguments = parser.parse_args()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    began = time.perf_counter()
    print(
        f"| run | device | two-qubit gates | {' | '.join(NOISE_FORMS)} |\n|---|---|---|---|---|---|"
    )
    for name, (system, settings) in RUNS.items():
        if arguments.only not in name:
            continue
        for device in arguments.devices.split(","):
            cells = [
                errors(system, {**settings, "backend": device, "noise": noise}, seeds)
                for noise in NOISE_FORMS
            ]
            gates = " ".join(dict.fromkeys(str(gates) for _, gates in cells))
            row = " | ".join(text for text, _ in cells)
            print(f"| {name} | {device} | {gates} | {row} |", flush=True)
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
