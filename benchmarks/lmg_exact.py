"""The exact solver against SciPy's DOP853 at an equal achieved error, with and without a field.

    python benchmarks/lmg_exact.py [--sizes 6 20 80] [--time 40] [--error 1e-9]

A run starts just below half of the neurons, with depression and facilitation on (τ_r = τ_f = 1,
𝒰 = 0.5, γ = 0.8, g0 = 1), and reports E, r and U at 201 times. The rival integrates the joint
equations as a careful user would: the real and the imaginary part of the state in one parity
sector, tridiagonal products, the middle of the spectrum moved to zero.

Both have to reach the same error in E, r and U, the largest over the 201 times, at the loosest
tolerance of the grid 1e-4, 3e-5, 1e-5, … that does. Errors are measured against DOP853 at its
tightest. The solver starts cold every time: the eigenvectors it keeps between calls are dropped.
Times are processor seconds of one core, the least of several runs taken in turns.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything loads a linear algebra library

import numpy as np
from scipy.integrate import solve_ivp

from qbrain.reference.lmg import LMG, initial_excitations, simulate
from qbrain.reference.lmg import hamiltonian as lmg_hamiltonian

GRID = [a * 10.0**-b for b in range(4, 13) for a in (1.0, 0.3)]
FIELDS = (0.0, 0.3)
WANTED = {6: 5.0, 20: 5.0, 80: 5.0, 200: 20.0, 500: 20.0, 1000: 20.0}


@dataclass(frozen=True)
class Synapse:
    tau_r: float = 1.0
    tau_f: float = 1.0
    release: float = 0.5


def reference(model: LMG, times: np.ndarray, tolerance: float) -> np.ndarray:
    """E, r and U, shape (3, times)."""
    lmg_hamiltonian._kept_basis.cache_clear()
    found = simulate(model, Synapse(), "half", times, tolerance=max(tolerance, 1e-12))
    return np.stack([found[name].values for name in ("excitation", "r", "U")])


def dop853(model: LMG, times: np.ndarray, tolerance: float) -> np.ndarray:
    """The same by SciPy."""
    start = initial_excitations(model.neurons, "half")
    diagonal, off = lmg_hamiltonian.coupling_band(model.neurons, model.gamma, start % 2)
    levels = lmg_hamiltonian.sector_excitations(model.neurons, start % 2) / model.neurons
    diagonal = model.g0 * (diagonal - sum(lmg_hamiltonian.extreme_eigenvalues(diagonal, off)) / 2)
    off = model.g0 * off
    tilt = model.field * model.neurons * (levels - 0.5)
    size, law = len(levels), Synapse()

    def rates(_: float, y: np.ndarray) -> np.ndarray:
        real, imaginary, r, u = y[:size], y[size:-2], y[-2], y[-1]
        energy = levels @ (real * real + imaginary * imaginary)
        on, beside = r * diagonal - tilt, r * off
        out = np.empty_like(y)
        change = out[:size]
        np.multiply(on, imaginary, out=change)
        change[:-1] += beside * imaginary[1:]
        change[1:] += beside * imaginary[:-1]
        change = out[size:-2]
        np.multiply(-on, real, out=change)
        change[:-1] -= beside * real[1:]
        change[1:] -= beside * real[:-1]
        out[-2] = (1 - r) / law.tau_r - u * r * energy
        out[-1] = (law.release - u) / law.tau_f + law.release * (1 - u) * energy
        return out

    y = np.zeros(2 * size + 2)
    y[start // 2] = y[-2] = 1.0
    y[-1] = law.release
    found = solve_ivp(
        rates,
        (0.0, times[-1]),
        y,
        method="DOP853",
        t_eval=times,
        rtol=max(tolerance, 2.3e-14),
        atol=tolerance,
    ).y
    return np.stack([levels @ (found[:size] ** 2 + found[size:-2] ** 2), found[-2], found[-1]])


Solver = Callable[[LMG, np.ndarray, float], np.ndarray]


def timed(solver: Solver, model: LMG, times: np.ndarray, tolerance: float) -> float:
    started = time.process_time()
    solver(model, times, tolerance)
    return time.process_time() - started


def loosest(
    solver: Solver, model: LMG, times: np.ndarray, truth: np.ndarray, wanted: float, first: int
) -> tuple[float, float]:
    """The loosest tolerance of the grid that reaches the error, and the error there.

    The error is about in proportion to the tolerance, which tells where to look next.
    """
    tried: dict[int, float] = {}
    place = first
    while place not in tried:
        tried[place] = float(np.abs(solver(model, times, GRID[place]) - truth).max())
        reached = [i for i, error in tried.items() if error <= wanted]
        missed = [i for i, error in tried.items() if error > wanted]
        step = 2 * np.log10(max(tried[place], 1e-15) / wanted)
        if tried[place] > wanted:
            place = max(place + max(1, round(float(step) + 0.3)), max(missed) + 1)
            place = min(place, min(reached, default=len(GRID)) - 1 if reached else len(GRID) - 1)
        else:
            place = min(place - max(1, -round(float(step) - 0.3)), min(reached) - 1)
            place = max(place, max(missed, default=-1) + 1)
        if missed and reached and min(reached) == max(missed) + 1:
            break
    if not reached:
        raise RuntimeError(f"an error of {wanted:g} is out of reach at N = {model.neurons}")
    best = min(reached)
    return GRID[best], tried[best]


def compare(model: LMG, duration: float, wanted: float) -> float:
    """Print a row and return the ratio."""
    times = np.linspace(0.0, duration, 201)
    truth = dop853(model, times, 1e-14)
    ours = loosest(reference, model, times, truth, wanted, GRID.index(1e-8))
    theirs = loosest(dop853, model, times, truth, wanted, GRID.index(1e-9))
    mine, rival = [], []
    while len(mine) < 5 and sum(rival) < 20.0:
        rival.append(timed(dop853, model, times, theirs[0]))
        mine += [timed(reference, model, times, ours[0]) for _ in range(3)]
    default = min(timed(reference, model, times, 1e-9) for _ in range(3))
    ratio = min(rival) / min(mine)
    print(
        f"{model.neurons:5d} {model.field:5.1f}  {ours[0]:7.0e} {ours[1]:8.1e} "
        f"{1e3 * min(mine):9.2f}  {theirs[0]:7.0e} {theirs[1]:8.1e} {1e3 * min(rival):9.1f} "
        f"{ratio:6.1f}  {1e3 * default:9.2f}",
        flush=True,
    )
    return ratio


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=list(WANTED))
    parser.add_argument("--time", type=float, default=40.0, help="duration of a run")
    parser.add_argument("--error", type=float, default=1e-9, help="that both have to reach")
    options = parser.parse_args()
    print(f"t = {options.time:g}, error at most {options.error:g} in E, r and U; milliseconds")
    print(
        f"{'N':>5} {'field':>5}  {'tol':>7} {'error':>8} {'solver':>9}  {'tol':>7} {'error':>8} "
        f"{'DOP853':>9} {'ratio':>6}  {'tol 1e-9':>9}"
    )
    kept = True
    for neurons in options.sizes:
        for field in FIELDS:
            ratio = compare(LMG(neurons, 0.8, 1.0, field), options.time, options.error)
            kept = kept and ratio >= WANTED.get(neurons, 1.0)
    print(f"wanted: {', '.join(f'{v:g} at N = {k}' for k, v in WANTED.items())}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
