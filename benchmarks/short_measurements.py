"""What a device's second, shorter measurement would gain, by the bundled calibrations.

    python benchmarks/short_measurements.py

For each current snapshot: duration and error of ``measure`` and of ``measure_2``, of ``reset`` and
``reset_2`` the durations, medians over all qubits; on what part of the qubits the shorter one has
the smaller error; and the infidelity (by T1 and T2 alone, median over the qubits) of a qubit that
waits for one of each. Devices without a second measurement have an empty cell.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qbrain.backends.line_costs import relaxation_infidelity
from qbrain.backends.snapshot import load

DEVICES = ("kingston", "fez", "marrakesh", "aachen", "boston", "pittsburgh", "miami", "berlin")


def calibration(target: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Durations in s and errors (nan where none is known) of an instruction, a row a qubit."""
    if name not in target.operation_names:
        return np.empty(0), np.empty(0)
    rows = [target[name].get((qubit,)) for qubit in range(target.num_qubits)]
    found = [[getattr(row, key, None) for row in rows] for key in ("duration", "error")]
    duration, error = np.array(found, dtype=float)
    return duration, error


def waiting(target: Any, durations: np.ndarray) -> float:
    """Median infidelity of a qubit that waits for the median of the durations."""
    length = float(np.nanmedian(durations))
    return float(
        np.nanmedian(
            [relaxation_infidelity(target, (q,), length) for q in range(target.num_qubits)]
        )
    )


def main() -> None:
    print(
        "| snapshot | measure, measure_2 (ns) | error | shorter is better on "
        "| reset, reset_2 (ns) | waiting for measure, measure_2 |\n|---|---|---|---|---|---|"
    )
    for device in DEVICES:
        target = load(f"fake_{device}").target
        long, short = (calibration(target, name) for name in ("measure", "measure_2"))
        kinds = [kind for kind in (long, short) if kind[0].size]
        lengths = ", ".join(f"{np.nanmedian(kind[0]) * 1e9:.0f}" for kind in kinds)
        wrong = ", ".join(f"{np.nanmedian(kind[1]):.4f}" for kind in kinds)
        idle = ", ".join(f"{waiting(target, kind[0]):.4f}" for kind in kinds)
        better = f"{np.mean(short[1] < long[1]):.0%}" if short[1].size else ""
        resets = ", ".join(
            f"{np.nanmedian(calibration(target, name)[0]) * 1e9:.0f}"
            for name in ("reset", "reset_2")
            if name in target.operation_names
        )
        print(f"| {device} | {lengths} | {wrong} | {better} | {resets} | {idle} |")


if __name__ == "__main__":
    main()
