"""What a sweep keeps of the LMG brain's points, in names and units."""

from __future__ import annotations

from ..engine.system import PointRecord

__all__ = ["POINTS"]

_TIME = "1/coupling"

POINTS = PointRecord(
    title="LMG quantum brain: a sweep",
    series=(
        *("excitation", "r", "U", "phase"),
        *("excitation_stderr", "exact_excitation"),
    ),
    metrics=(
        *("rmse_excitation", "rmse_excitation_raw", "max_error_excitation", "rmse_r"),
        *("population_fidelity", "kept_fraction", "shot_error", "trotter_error", "step_error"),
        *("qubits", "circuits", "two_qubit_gates", "depth", "seed"),
    ),
    shown="excitation",
    trajectory="qbrain.experiments.lmg.trajectory:trajectory",
    units={
        **dict.fromkeys(("tau_r", "tau_f", "time", "phase"), _TIME),
        **dict.fromkeys(("g0", "field"), "coupling"),
    },
    other_unit="1",
    long_names={
        "excitation": "fraction of active neurons E",
        "excitation_stderr": "standard error of E, with what the feedback passes on",
        "exact_excitation": "E of the exact result",
        "r": "synaptic efficacy r",
        "U": "release probability U",
        "phase": "integral of r over time",
        "mean_excitation": "mean of E over the reported times",
        "variance_excitation": "variance of E over the reported times",
        "least_r": "least r at the reported times",
        "rmse_excitation": "root-mean-square error of E against the exact result",
        "rmse_excitation_raw": "the same without mitigation",
        "max_error_excitation": "largest error of E",
        "rmse_r": "root-mean-square error of r",
        "population_fidelity": "Hellinger fidelity of the populations, mean over time",
        "kept_fraction": "fraction of shots kept",
        "shot_error": "root-mean-square standard error of E from shots alone",
        "trotter_error": "root-mean-square Trotter error of E",
        "step_error": "root-mean-square error of E from the finite feedback step",
        "two_qubit_gates": "two-qubit gates of the largest circuit",
        "depth": "depth of the deepest circuit",
        "circuits": "circuits run",
    },
)
