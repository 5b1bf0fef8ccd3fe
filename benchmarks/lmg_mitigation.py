"""What each mitigation is worth: N=6, γ=0.8, g0=1 from silent, on the noise of a device snapshot.

    python benchmarks/lmg_mitigation.py [--seeds 3] [--shots 4000] [--device fake_fez]

First table: the start and eight points, s = 0.75 … 6, with 1 … 8 Trotter steps on a line of six
qubits, forty two-qubit gates a step, 320 at the last point. Runs as ``qbrain run lmg`` makes them
(replay, r ≡ 1): one that measures everything on three lines and one with circuits at phase zero;
what each chain of mitigations makes of the same circuits. Errors are root mean squares over the
points, of E against the exact answer (the formula's own error included), averaged over seeds. No
mitigation sees the exact answer of any circuit but those that end where they started.

Second table: the number of Trotter steps K, when every point is reached in one go (fast-forward),
by the same K or, last, each by its own, as the run chooses it.
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
from qbrain.experiments.engine.run import make_experiment
from qbrain.experiments.lmg.config import LMGConfig
from qbrain.experiments.lmg.protocol import LMGExperiment
from qbrain.experiments.systems import SYSTEMS

MODEL = {"neurons": 6, "gamma": 0.8, "g0": 1.0, "tau_r": 0.0, "time": 6.0, "steps": 8}
EVERYTHING = {"mitigation": "parity+readout+echo+zne", "placements": 3}
KINDS = {"raw": "none", "parity": "parity", "parity+echo": "parity+echo"}


def run(settings: Mapping[str, Any]) -> dict[str, Any]:
    """One run in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        return qbrain.run("lmg", out=Path(folder) / "run", **{**MODEL, **settings}).json()


def averaged(results: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Figures of each chain, averaged over runs, and the scatter of its error."""
    table: dict[str, dict[str, float]] = {}
    for rows in zip(*(result["mitigations"] for result in results), strict=True):
        name = rows[0]["mitigation"]
        table[name] = {
            key: float(np.mean([row[key] for row in rows]))
            for key in rows[0]
            if key != "mitigation" and rows[0][key] is not None
        }
        table[name]["scatter"] = float(np.std([row["rmse_excitation"] for row in rows]))
    return table


def mitigation_table(common: Mapping[str, Any], seeds: int) -> None:
    table: dict[str, dict[str, float]] = {}
    for settings in (EVERYTHING, {"mitigation": "parity+zero"}):
        results = [run({**common, **settings, "seed": seed}) for seed in range(seeds)]
        table |= averaged(results)
    print(f"two-qubit gates at the last point: {results[0]['two_qubit_gates']}")
    print(
        "\n| mitigation | RMSE of E | ± (seeds) | within 2 bars | kept | extra shots "
        "| Hellinger fidelity |\n|---|---|---|---|---|---|---|"
    )
    for name, row in table.items():
        print(
            f"| {name} | {row['rmse_excitation']:.4f} | {row['scatter']:.4f} "
            f"| {row['within_two_bars']:.0%} | {row['kept_fraction']:.0%} "
            f"| {row['extra_shots']:.0f} | {row['hellinger_fidelity']:.3f} |"
        )


def chosen_steps(settings: Mapping[str, Any]) -> list[int]:
    """Trotter steps of each point, as a run chooses them."""
    experiment, *_ = make_experiment(SYSTEMS["lmg"], LMGConfig.from_mapping(settings))
    assert isinstance(experiment, LMGExperiment)
    assert experiment.circuits is not None
    return [experiment.circuits.trotter(phase.phase) for phase in experiment.brain.planned[1:]]


def steps_table(common: Mapping[str, Any], seeds: int) -> None:
    """RMSE by steps; the chosen ones stand under the same bound on the formula's error."""
    forward = {**common, "evolution": "fast-forward", "max_trotter_error": 0.2}
    print(
        "\n| steps K | two-qubit gates | formula alone | raw | parity | parity + echo |"
        "\n|---|---|---|---|---|---|"
    )
    for k in range(1, 9):
        results = [
            run({**forward, "trotter_steps": k, "mitigation": "parity+echo", "seed": seed})
            for seed in range(seeds)
        ]
        rows = averaged(results)
        print(
            f"| {k} | {results[0]['two_qubit_gates']} | {results[0]['trotter_error']:.4f} | "
            + " | ".join(f"{rows[kind]['rmse_excitation']:.4f}" for kind in KINDS)
            + " |"
        )
    for kind, mitigation in KINDS.items():
        settings = {**forward, "mitigation": mitigation}
        chosen = chosen_steps({**MODEL, **settings, "seed": 0})
        results = [run({**settings, "seed": seed}) for seed in range(seeds)]
        found = np.mean([result["rmse_excitation"] for result in results])
        cells = " | ".join(f"{found:.4f}" if name == kind else "" for name in KINDS)
        print(
            f"| chosen for {kind}: {chosen} | {results[0]['two_qubit_gates']} "
            f"| {results[0]['trotter_error']:.4f} | {cells} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--shots", type=int, default=4000)
    parser.add_argument("--device", default="fake_fez")
    arguments = parser.parse_args()
    began = time.perf_counter()
    common = {"backend": arguments.device, "shots": arguments.shots}
    mitigation_table(common, arguments.seeds)
    steps_table(common, arguments.seeds)
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
