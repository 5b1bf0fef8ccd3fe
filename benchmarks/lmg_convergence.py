"""How the hybrid loop converges: error against step size and against shots, in one figure.

    python benchmarks/lmg_convergence.py [--out convergence.png]

Left: E of the noise-free loop (exact quantum evolution, feedback in steps) minus the continuous
law; slopes 1 and 2 are expected. Right: E measured on Aer with S shots a step minus the loop
without shot noise; slope -1/2 is expected. Both are RMS over time, N = 6, γ = 1, τ_r = 1.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

import qbrain
from qbrain.experiments.lmg.brain import Brain
from qbrain.experiments.lmg.config import LMGConfig
from qbrain.experiments.lmg.result import step_error

STEPS = (16, 32, 64, 128, 256)
SHOTS = (100, 400, 1600, 6400, 25600)
SEEDS = 6


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def against_step(order: int) -> list[float]:
    settings = {"neurons": 6, "time": 12, "feedback_order": order}
    return [rms(step_error(Brain(LMGConfig.from_mapping({**settings, "steps": n})))) for n in STEPS]


def against_shots() -> list[float]:
    errors = []
    for shots in SHOTS:
        squares = []
        for seed in range(SEEDS):
            with tempfile.TemporaryDirectory() as folder:
                run = qbrain.run(
                    "lmg",
                    out=Path(folder) / "run",
                    backend="aer",
                    neurons=6,
                    time=12,
                    steps=64,
                    evolution="incremental",
                    shots=shots,
                    seed=seed,
                    mitigation="none",
                )
                squares.append(run.result["rmse_excitation"] ** 2)
        errors.append(float(np.sqrt(np.mean(squares))))
    return errors


def slope(x: tuple[int, ...], y: list[float]) -> float:
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("convergence.png"))
    arguments = parser.parse_args()
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for order in (1, 2):
        errors = against_step(order)
        fitted = slope(STEPS, errors)
        print(f"feedback order {order}: RMSE {errors}, slope {fitted:.2f}")
        left.loglog([12 / n for n in STEPS], errors, "o-", label=f"order {order}: {-fitted:.2f}")
    errors = against_shots()
    fitted = slope(SHOTS, errors)
    print(f"shots {SHOTS}: RMSE {errors}, slope {fitted:.2f}")
    right.loglog(SHOTS, errors, "o-", label=f"aer, incremental: {fitted:.2f}")
    left.set_xlabel("feedback step dt")
    right.set_xlabel("shots a step")
    left.set_ylabel("RMS error of E")
    left.set_title("noise-free loop against the continuous law", fontsize=9)
    right.set_title("shot noise (backend aer, no device)", fontsize=9)
    for axes in (left, right):
        axes.legend(title="slope", fontsize=8)
        axes.grid(alpha=0.3, which="both")
        axes.xaxis.set_minor_formatter(NullFormatter())
    figure.savefig(arguments.out, dpi=130)
    print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
