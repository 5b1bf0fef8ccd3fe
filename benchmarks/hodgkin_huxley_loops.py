"""Loop areas of the driven channel: as a periodic problem, and by integrating period after period.

    python benchmarks/hodgkin_huxley_loops.py

One row a drive: the area by both ways, their relative difference, the processor seconds of each and
the ratio; then Table I's fifteen areas. Wanted: an area to 1e-6 in 0.5 s, Table I in 10 s.
"""

from __future__ import annotations

import time

import numpy as np
from scipy.integrate import solve_ivp

from qbrain.reference.hodgkin_huxley.channel_drives import (
    ClassicalDrive,
    CoherentDrive,
    EntangledDrive,
)
from qbrain.reference.hodgkin_huxley.hysteresis import limit_cycle
from qbrain.reference.hodgkin_huxley.quantized_channel import (
    Channel,
    gate_rate,
    impedance,
    steady_voltage,
)
from qbrain.reference.hodgkin_huxley.table_one import Shape, table_areas

CHANNEL = Channel()
SOURCE = {"frequency": 0.5, "gate_capacitance": 1.0, "source_capacitance": 1e-5}
DRIVES = {
    "classical": ClassicalDrive(30.0, 0.5),
    "coherent": CoherentDrive(1.0, **SOURCE),
    "entangled, unnormalised, α0 = 1": EntangledDrive(1.0, 0.785, normalised=False, **SOURCE),
    "entangled, unnormalised, α0 = 2": EntangledDrive(2.0, 0.785, normalised=False, **SOURCE),
}
# near the parameters that fit Table I best with the squid axon's channel
SHAPE = Shape(swing=0.0416667, lag=0.00138889, frequency=5.0, reversal=-12.0)


def integrated_area(drive: ClassicalDrive | CoherentDrive | EntangledDrive) -> float:
    """|∮ V dI| of the period in which n repeats to 1e-9, by DOP853 and the trapezoidal rule."""

    def slope(t: float, n: np.ndarray) -> np.ndarray:
        return np.asarray(gate_rate(n, steady_voltage(CHANNEL, drive, impedance(CHANNEL, n), t)))

    n, begin = np.array([0.3177]), 0.0
    while True:
        run = solve_ivp(
            slope, (begin, begin + drive.period), n, method="DOP853", rtol=1e-10, atol=1e-12,
            dense_output=True,
        )  # fmt: skip
        before, n = n, run.y[:, -1]
        if abs(n - before)[0] < 1e-9:
            break
        begin += drive.period
    t = np.linspace(begin, begin + drive.period, 4097)[:-1]
    voltage = steady_voltage(CHANNEL, drive, impedance(CHANNEL, run.sol(t)[0]), t)
    return abs(float(np.mean(voltage * drive.harmonics().slope(t)))) * drive.period


def main() -> None:
    print(f"{'drive':34s}{'area':>12s}{'apart':>10s}{'cycle s':>10s}{'ODE s':>9s}{'ratio':>8s}")
    for name, drive in DRIVES.items():
        limit_cycle(CHANNEL, drive)  # tables that are made once
        start = time.process_time()
        area = limit_cycle(CHANNEL, drive, tolerance=1e-6).area
        middle = time.process_time()
        wanted = integrated_area(drive)
        end = time.process_time()
        fast, slow = middle - start, end - middle
        apart = abs(area / wanted - 1)
        print(f"{name:34s}{area:12.3f}{apart:10.1e}{fast:10.4f}{slow:9.2f}{slow / fast:8.0f}")
    start = time.process_time()
    areas = table_areas(SHAPE)
    print(f"Table I: {len(areas)} areas in {time.process_time() - start:.2f} s of one core")


if __name__ == "__main__":
    main()
