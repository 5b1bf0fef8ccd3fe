"""The exact solver against SciPy's DOP853 at an equal achieved error, with and without a field.

    python benchmarks/lmg_exact.py [--sizes 6 20 80] [--time 40] [--error 1e-9]

A run starts just below half of the neurons (--initial), with γ = 0.8 (--gamma), g0 = 1,
depression and facilitation on (τ_r = τ_f = 1, 𝒰 = 0.5), and reports E, r and U at 201 times. The
rival integrates the joint equations as a careful user would: the real and the imaginary part of
the state in one parity sector, tridiagonal products, and as the zero of energy the middle of the
spectrum or the mean energy of the start, whichever is faster. From a start near an end of the
spectrum (saturated) its steps are far longer.

Both have to reach the same error in E, r and U, the largest over the 201 times, at the loosest
tolerance of the grid 1e-4, 3e-5, 1e-5, … that does. Errors are measured against DOP853 at its
tightest. The solver starts cold every time: the eigenvectors it keeps between calls are dropped.
Times are processor seconds of one core, the least of several runs taken in turns.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

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


def reference(model: LMG, initial: str, times: np.ndarray, tolerance: float) -> np.ndarray:
    """E, r and U, shape (3, times)."""
    lmg_hamiltonian._kept_basis.cache_clear()
    found = simulate(model, Synapse(), initial, times, tolerance=max(tolerance, 1e-12))
    return np.stack([found[name].values for name in ("excitation", "r", "U")])


def dop853(
    model: LMG, initial: str, times: np.ndarray, tolerance: float, zero: str = "middle"
) -> np.ndarray:
    """The same by SciPy; the middle of the spectrum or the mean energy is the zero of energy."""
    start = initial_excitations(model.neurons, initial)
    diagonal, off = lmg_hamiltonian.coupling_band(model.neurons, model.gamma, start % 2)
    levels = lmg_hamiltonian.sector_excitations(model.neurons, start % 2) / model.neurons
    extremes = lmg_hamiltonian.extreme_eigenvalues(diagonal, off)
    shift = sum(extremes) / 2 if zero == "middle" else diagonal[start // 2]
    diagonal = model.g0 * (diagonal - shift)
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


Solver = Callable[[np.ndarray, float], np.ndarray]  # times, tolerance


def timed(solver: Solver, times: np.ndarray, tolerance: float) -> float:
    started = time.process_time()
    solver(times, tolerance)
    return time.process_time() - started


def loosest(
    solver: Solver, times: np.ndarray, truth: np.ndarray, wanted: float, first: int
) -> tuple[float, float] | None:
    """The loosest tolerance of the grid that reaches the error, and the error there.

    The error is about in proportion to the tolerance, which tells where to look next. None where
    the tightest one does not reach it.
    """
    errors: dict[int, float] = {}
    low, high = -1, len(GRID)  # too loose, tight enough
    place = first
    while high - low > 1:
        errors[place] = float(np.abs(solver(times, GRID[place]) - truth).max())
        if errors[place] <= wanted:
            high = place
        else:
            low = place
        steps = 2 * np.log10(max(errors[place], 1e-15) / wanted)
        place = min(max(place + math.ceil(steps), low + 1), high - 1)
    return (GRID[high], errors[high]) if high in errors else None


def compare(model: LMG, initial: str, duration: float, wanted: float) -> float:
    """Print a row and return the ratio."""
    times = np.linspace(0.0, duration, 201)
    truth = dop853(model, initial, times, 1e-14)
    solver = partial(reference, model, initial)
    ours = loosest(solver, times, truth, wanted, GRID.index(1e-8))
    assert ours is not None
    rivals = []
    for zero in ("middle", "mean"):
        rival = partial(dop853, model, initial, zero=zero)
        theirs = loosest(rival, times, truth, wanted, GRID.index(1e-9))
        if theirs is not None:
            rivals.append((timed(rival, times, theirs[0]), zero, theirs))
    _, zero, theirs = min(rivals)
    mine, others = [], []
    while len(others) < 3 or (len(others) < 5 and sum(others) < 10.0):
        others.append(timed(partial(dop853, model, initial, zero=zero), times, theirs[0]))
        mine += [timed(solver, times, ours[0]) for _ in range(3)]
    default = min(timed(solver, times, 1e-9) for _ in range(3))
    ratio = min(others) / min(mine)
    print(
        f"{model.neurons:5d} {model.field:5.1f}  {ours[0]:7.0e} {ours[1]:8.1e} "
        f"{1e3 * min(mine):9.2f}  {theirs[0]:7.0e} {theirs[1]:8.1e} {1e3 * min(others):9.1f} "
        f"{zero:>6} {ratio:6.1f}  {1e3 * default:9.2f}",
        flush=True,
    )
    return ratio


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=list(WANTED))
    parser.add_argument("--time", type=float, default=40.0, help="duration of a run")
    parser.add_argument("--error", type=float, default=1e-9, help="that both have to reach")
    parser.add_argument("--gamma", type=float, default=0.8)
    parser.add_argument("--initial", default="half")
    options = parser.parse_args()
    print(f"t = {options.time:g}, error at most {options.error:g} in E, r and U; milliseconds")
    print(
        f"{'N':>5} {'field':>5}  {'tol':>7} {'error':>8} {'solver':>9}  {'tol':>7} {'error':>8} "
        f"{'DOP853':>9} {'zero':>6} {'ratio':>6}  {'tol 1e-9':>9}"
    )
    kept = True
    for neurons in options.sizes:
        for field in FIELDS:
            model = LMG(neurons, options.gamma, 1.0, field)
            ratio = compare(model, options.initial, options.time, options.error)
            kept = kept and ratio >= WANTED.get(neurons, 1.0)
    print(f"wanted: {', '.join(f'{v:g} at N = {k}' for k, v in WANTED.items())}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
