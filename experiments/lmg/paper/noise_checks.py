"""What the noise of a device allows: runs on a snapshot beside references computed elsewhere."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...engine.run import start
from ...engine.system import System
from ...papers.claims import Check
from ..config import LMGConfig

__all__ = ["BACKEND", "measure_noise_checks"]

# the references have three decimals
HALF_A_DIGIT = 5e-4

BACKEND = "fake_fez"
# as in the table of systems, which knows the LMG's folder and is not known in it
_LMG = System(
    "lmg", LMGConfig, "qbrain.experiments.lmg.protocol:LMGExperiment", "The LMG quantum brain."
)
_COMMON: dict[str, Any] = {"backend": BACKEND, "shots": 4000, "seed": 7, "tau_r": 0.0, "g0": 1.0}
_SIX = {"neurons": 6, "gamma": 0.8}
_SECTOR = {"gamma": 0.8, "encoding": "dicke"}

# what is run, its settings, and the reference: RMSE of E raw and after parity (None: no parity)
_RUNS: tuple[tuple[str, Mapping[str, Any], float, float | None], ...] = (
    ("N = 6, γ = 1, one layer, one period",
     {"neurons": 6, "gamma": 1.0, "time": 18.85, "steps": 16}, 0.012, 0.006),
    ("N = 6, γ = 0.8, one to eight Trotter steps",
     {**_SIX, "time": 6.0, "steps": 8, "trotter_steps": 1}, 0.080, 0.063),
    ("N = 6, γ = 0.8, sector on 2 qubits, twenty periods",
     {**_SECTOR, "neurons": 6, "time": 157.0, "steps": 80}, 0.006, None),
    ("N = 14, sector on 3 qubits, evolution",
     {**_SECTOR, "neurons": 14, "time": 36.0, "steps": 11}, 0.045, None),
    ("N = 14, sector on 3 qubits, state",
     {**_SECTOR, "neurons": 14, "time": 36.0, "steps": 11, "synthesis": "isometry"}, 0.008, None),
    ("N = 30, sector on 4 qubits, evolution",
     {**_SECTOR, "neurons": 30, "time": 36.0, "steps": 11}, 0.196, None),
    ("N = 30, sector on 4 qubits, state",
     {**_SECTOR, "neurons": 30, "time": 36.0, "steps": 11, "synthesis": "isometry"}, 0.015, None),
)  # fmt: skip


def measure_noise_checks() -> Iterator[Check]:
    """Measure the RMSE of E on the noise of the FakeFez snapshot: no larger than its reference.

    Circuits shorter than those of the reference do better than it, which agrees too. Four do not
    agree, over seeds 1 to 6: one layer at γ = 1 leaves 0.0155 to 0.0177 raw against 0.012 and 0.010
    to 0.012 after parity against 0.006, the sector of six neurons 0.0074 to 0.0082 against 0.006,
    the state of thirty 0.016 to 0.018 against 0.015. Readings here are as asymmetric as the
    snapshot says; with the mean of both errors the layer leaves 0.008 to 0.009 after parity.
    """
    for name, settings, raw, kept in _RUNS:
        with tempfile.TemporaryDirectory() as folder:
            config = LMGConfig.from_mapping({**_COMMON, **settings})
            result = start(_LMG, config, Path(folder) / "run", draw=False).result
        rows = {row["mitigation"]: row["rmse_excitation"] for row in result["mitigations"]}
        gates = result["two_qubit_gates"]
        for label, reference in (("raw", raw), ("parity", kept)):
            if reference is not None:
                yield Check(
                    None,
                    f"RMSE of E, noise of {BACKEND}, {name} ({gates} CZ), {label}",
                    rows[label],
                    reference,
                    HALF_A_DIGIT,
                    None,
                    at_most=True,
                )
