"""Mitigations of the field's packages against the chains here, on the same circuits.

    pip install --no-deps qiskit-noise-learning
    python benchmarks/mitigation_packages.py [--seeds 3] [--device fake_boston]

Four neurons, γ = 0.8, r ≡ 1, t = 0.75 … 6 in eight steps of one Trotter step each, up to 120
two-qubit gates, on the noise of a snapshot's gates and readouts. ``qiskit-mitigation`` (it comes
with the IBM client) has PEC and PEA on noise learnt by ``qiskit-noise-learning``, gate folding, and
twirled readout (TREX), by IBM's executor on the local simulator; 128 randomisations of 32 shots.
The chains are those of ``qbrain run lmg --mitigation parity+readout+echo+zne`` with 4000 shots a
circuit. Figures are root mean square errors of E over the eight times, the product formula's own
error included, and the shots of a run, those of learning aside. The packages' randomisations
have no seed.
"""

from __future__ import annotations

import argparse
import time
import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator

import qbrain
from qbrain.backends.snapshot import cut

N = 4
MODEL = {
    "neurons": N, "gamma": 0.8, "tau_r": 0.0, "time": 6.0, "steps": 8, "trotter_steps": 1,
    "noise": "gates", "shots": 4000,
}  # fmt: skip
FACTORS = {"noise_factors": (1, 1.5, 2), "extrapolator": ("exponential", "linear")}
RANDOMISED = {"shots_per_randomization": 32, "num_randomizations": 128}


def circuits_of(device: str) -> tuple[list[QuantumCircuit], np.ndarray]:
    """The run's circuits at t > 0, all on the same qubits, and the exact E at their times."""
    qubits, bits = QuantumRegister(N, "q"), ClassicalRegister(N, "meas")
    found = []
    job: Any = qbrain.build("lmg", **MODEL, backend=device, mitigation="none", seed=1)
    while not isinstance(job, qbrain.Run):
        for circuit in job.circuits:
            found.append(QuantumCircuit(qubits, bits))
            found[-1].compose(circuit, range(N), range(N), inplace=True)
        job = qbrain.combine(job, qbrain.execute(job))
    return found[1:], job.data.exact_excitation.values[1:]


def ours(device: str, seeds: int) -> None:
    rows: dict[str, list[tuple[float, int]]] = {}
    for seed in range(1, seeds + 1):
        run = qbrain.run(
            "lmg", **MODEL, backend=device, mitigation="parity+readout+echo+zne", seed=seed
        )
        for row in run.json()["mitigations"]:
            # the start, which has hardly an error, is one of nine times
            error = row["rmse"] * np.sqrt((MODEL["steps"] + 1) / MODEL["steps"])
            shots = MODEL["shots"] * MODEL["steps"] + row["extra_shots"]
            rows.setdefault(row["mitigation"], []).append((error, shots))
    for name, found in rows.items():
        tell(name, [error for error, _ in found], found[0][1])


def theirs(device: str, seeds: int) -> None:
    from qiskit_ibm_runtime.executor import Executor
    from qiskit_ibm_runtime.executor_noise_learner import NoiseLearnerV3
    from qiskit_mitigation import (
        PEA,
        PEC,
        TREX,
        GateFolding,
        MitigationTask,
        find_combined_unique_layers,
    )

    part = cut(device, N, noise="gates")
    backend = AerSimulator(
        noise_model=part.mixtures,
        method="density_matrix",
        n_qubits=N,
        coupling_map=part.target.build_coupling_map(),
    )
    circuits, exact = circuits_of(device)
    layers = find_combined_unique_layers(circuits, [PEC() for _ in circuits], box_types="gates")
    learnt = {"noise_maps": NoiseLearnerV3(mode=backend).run(layers).result().to_dict(layers)}
    ones = [("I" * N, 0.5)] + [("I" * (N - 1 - k) + "Z" + "I" * k, -0.5 / N) for k in range(N)]
    kinds: dict[str, tuple[Any, bool, dict[str, Any]]] = {
        "twirled, raw": (MitigationTask, False, {}),
        "TREX": (MitigationTask, True, {}),
        "PEC, TREX": (PEC, True, learnt),
        "PEA, TREX": (PEA, True, {**learnt, **FACTORS}),
        "gate folding, TREX": (GateFolding, True, FACTORS),
    }
    for name, (kind, twirled, options) in kinds.items():
        errors, shots = [], 0
        for _ in range(seeds):
            values, shots = [], 0
            for circuit in circuits:
                task, readout = kind(), TREX() if twirled else None
                program = task.prepare(
                    circuit=circuit,
                    observables=[SparsePauliOp.from_list(ones)],
                    parameters=None,
                    trex=readout,
                    **RANDOMISED,
                    **options,
                )
                if readout is not None:
                    program = readout.prepare(RANDOMISED["num_randomizations"], program)
                result = Executor(mode=backend).run(program).result()
                values.append(float(np.ravel(task.postprocess(result).data.evs)[0]))
                shots += program.shots * sum(int(np.prod(item.shape)) for item in program.items)
            errors.append(float(np.sqrt(np.mean((np.array(values) - exact) ** 2))))
        tell(name, errors, shots)


def tell(name: str, errors: list[float], shots: int) -> None:
    each = " ".join(f"{error:.4f}" for error in errors)
    mean = float(np.sqrt(np.mean(np.square(errors))))
    print(f"| {name} | {mean:.4f} | {each} | {shots:,} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="fake_boston")
    arguments = parser.parse_args()
    if find_spec("qiskit_noise_learning") is None:
        print("left out: pip install --no-deps qiskit-noise-learning")
        return
    warnings.simplefilter("ignore")
    began = time.perf_counter()
    print("| mitigation | RMSE of E | each | shots |\n|---|---|---|---|")
    ours(arguments.device, arguments.seeds)
    theirs(arguments.device, arguments.seeds)
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
