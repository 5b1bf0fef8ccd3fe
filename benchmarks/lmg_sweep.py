"""1,000 points of N = 40 by `qbrain sweep`, by a plain loop and by QuTiP, in points a second.

    python benchmarks/lmg_sweep.py [--quick]

The sweep is the whole of it: starting the cluster, the journal, the dataset. The loop calls the
same function for one point after another in one process, everything imported. Points a second are
of wall time, so other work on the machine shows; processor seconds, of all processes together,
are beside. QuTiP gets its best case, as in `reference_lmg.py`: sesolve in one parity
sector, r(t) of the reference as a ready spline, the fastest of its methods at the loosest tolerance
that reaches an error of 1e-7 in E, on one core; of the points it does a few, spread evenly, and
points a second are of those.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything loads a linear algebra library

import numpy as np
import xarray as xr
from dask.system import CPU_COUNT
from scipy.interpolate import CubicSpline

from qbrain.classical_feedback.synapse import Synapse
from qbrain.experiments.lmg.config import LMGConfig
from qbrain.experiments.sweep import run as sweep
from qbrain.experiments.sweep.plan import make_plan, parse_over, sweep_config
from qbrain.experiments.sweep.work import PointJob, do_points
from qbrain.experiments.systems import SYSTEMS
from qbrain.reference.lmg import LMG, simulate

if TYPE_CHECKING:
    from reference_lmg import Case

LMG_SYSTEM = SYSTEMS["lmg"]


def processor() -> float:
    """Processor seconds of this process and of those it has seen end."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def timed(run: Callable[[], np.ndarray]) -> tuple[float, float, np.ndarray]:
    """Seconds, processor seconds, values."""
    started, used = time.perf_counter(), processor()
    values = run()
    return time.perf_counter() - started, processor() - used, values


def by_sweep(fixed: LMGConfig, over: list[str]) -> np.ndarray:
    """E of every point, shape (points, times)."""
    with tempfile.TemporaryDirectory() as folder:
        result = sweep.start(LMG_SYSTEM, fixed, over, Path(folder) / "sweep", None)
        assert result["failed"] == 0
        data = xr.load_dataset(result["dataset"], engine="h5netcdf")
    return data.excitation.values.reshape(-1, data.time.size)


def by_loop(fixed: LMGConfig, over: list[str]) -> np.ndarray:
    points = make_plan(LMG_SYSTEM, fixed, parse_over(over)).points
    outcomes, _ = do_points([PointJob(point.key, "lmg", point.config, "") for point in points])
    return np.array([outcome.series["excitation"] for outcome in outcomes])


def by_qutip(fixed: LMGConfig, over: list[str], count: int) -> tuple[float, str]:
    """Seconds a point, and how it was done."""
    # not above: the other rows need no QuTiP
    from reference_lmg import WANTED, loosest, sesolve

    points = make_plan(LMG_SYSTEM, fixed, parse_over(over)).points
    chosen = [points[k].config for k in np.linspace(0, len(points) - 1, count).astype(int)]
    best = ("", 0.0, np.inf)
    for method in ("adams", "dop853", "vern9"):
        case, r, truth = prepared(chosen[len(chosen) // 2])
        run = partial(sesolve, case, method=method, r=r)
        seconds, error, tolerance = loosest(run, truth, 1e-9, 60.0)
        if error <= WANTED and seconds < best[2]:
            best = (method, tolerance, seconds)
    method, tolerance, _ = best
    total, worst = 0.0, 0.0
    for config in chosen:
        case, r, truth = prepared(config)
        started = time.perf_counter()
        found = sesolve(case, tolerance, method, r)
        total += time.perf_counter() - started
        worst = max(worst, float(np.abs(found - truth).max()))
    how = f"{count} points, {method}, tolerance {tolerance:.0e}, error in E {worst:.0e}"
    return total / count, how


def prepared(config: LMGConfig) -> tuple[Case, CubicSpline, np.ndarray]:
    """The point as a case of `reference_lmg`, its r(t), and E at the times."""
    from reference_lmg import Case

    case = Case("", LMG(config.neurons, config.gamma, config.g0), config.initial, config.time)
    synapse = Synapse(config.tau_r, config.tau_f, config.release)
    fine = np.linspace(0.0, config.time, 40_001)
    r = simulate(case.model, synapse, config.initial, fine, tolerance=1e-11).r.values
    truth = simulate(case.model, synapse, config.initial, case.times, tolerance=1e-11)
    return case, CubicSpline(fine, r), truth.excitation.values


def compare(title: str, fixed: LMGConfig, over: list[str], few: int) -> None:
    by_loop(fixed, ["tau_r=1,2"])
    loop, loop_work, wanted = timed(lambda: by_loop(fixed, over))
    swept, swept_work, found = timed(lambda: by_sweep(fixed, over))
    same = float(np.abs(found - wanted).max())
    each, how = by_qutip(fixed, over, few)
    points = len(wanted)
    print(f"{title}, {points} points")
    start = f"{CPU_COUNT} processes; {swept:.1f} s in all"
    rows = [
        ("qbrain sweep", swept / points, swept_work / points, start),
        ("plain loop", loop / points, loop_work / points, f"E of both within {same:.0e}"),
        ("QuTiP", each, each, how),
    ]
    for name, seconds, work, note in rows:
        ratio = seconds * points / swept
        print(f"  {name:14}{1 / seconds:9.1f} {1000 * work:13.2f} {ratio:9.2f}   {note}")
    print(flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the points")
    options = parser.parse_args()
    size = (10, 10) if options.quick else (25, 40)
    over = [f"tau_r=0.1:10:{size[0]}", f"g0=0.5:1:{size[1]}"]
    few = 3 if options.quick else 8
    print("N = 40, γ = 0.8, from silent")
    print(f"{'':14}{'points/s':>11} {'processor ms':>13} {'sweep by':>9}")
    for duration in (1000.0, 12.0):
        fixed = sweep_config(LMGConfig)(neurons=40, gamma=0.8, time=duration, steps=200)
        compare(f"to t = {duration:g} in 200 steps", fixed, over, few)
    return 0


if __name__ == "__main__":
    sys.exit(main())
