"""What the paper leaves open: its equations against the exact solution, and rates below 0."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.circuits.open_system import NegativeRate, collision_circuit
from qbrain.reference.open_system import choi_minimum, simulate_open_system
from qbrain.reference.open_system.bath_coefficients import bath_curves, coefficients, step_integrals
from qbrain.reference.open_system.bath_stimuli import Pulse
from qbrain.reference.open_system.mean_field import printed_mean_field, right_mean_field

from ...papers.figures import Comparison, Parameter
from .model import (
    COLD,
    CUTOFF,
    RETRIEVED,
    STORING,
    TIMES,
    PaperFigure,
    area,
    paper_figure,
    tilted,
    variables,
)

__all__ = ["EXACT_NEURONS", "STEP", "figure_exact", "figure_negative", "mean_field_errors",
           "refusal", "step_choi", "tail_choi"]  # fmt: skip

Array = NDArray[np.float64]

EXACT_NEURONS = (2, 10, 50, 200)
STEP = 0.05
_ETA, _WINDOW = 0.1, 20.0
_MAP_NEURONS = (1, 2, 3)
_MAP_TIMES = np.round(np.linspace(1.5, 4.0, 26), 6)
_SPIN = "spin of a neuron along z"


@lru_cache(maxsize=1)
def _tilted_runs() -> xr.Dataset:
    rates = (COLD, Pulse(0.0, math.inf, _ETA))
    times = np.linspace(0.0, _WINDOW, 101)
    exact, mean = (
        np.stack([run(n, rates, tilted(), times, scaling="1/N").m_z.values for n in EXACT_NEURONS])
        for run in (simulate_open_system, right_mean_field)
    )
    printed = {
        "printed": printed_mean_field(rates, tilted(), times),
        "printed_start": printed_mean_field(rates, (1.0, 1.0, -1.0), times),
    }
    return xr.Dataset(
        variables(
            exact=(("neurons", "time"), exact, f"{_SPIN}, master equation", "1"),
            mean_field=(("neurons", "time"), mean, f"{_SPIN}, right mean field", "1"),
            printed=("time", printed["printed"].m_z.values, "S_z by Eq. 18, length 1", "1"),
            printed_start=(
                "time", printed["printed_start"].m_z.values, "S_z by Eq. 18, (1, 1, -1)", "1"
            ),
        ),
        {
            "neurons": list(EXACT_NEURONS),
            "time": ("time", times, {"long_name": "time", "units": "1/omega_0"}),
        },
    )  # fmt: skip


def mean_field_errors() -> tuple[dict[int, float], dict[int, float]]:
    """Return max |Δm_z| of the right mean field and of Eq. 18, by N."""
    data = _tilted_runs()
    right, printed = (
        {n: float(abs(other - data.exact.sel(neurons=n)).max()) for n, other in pairs}
        for pairs in (
            [(n, data.mean_field.sel(neurons=n)) for n in EXACT_NEURONS],
            [(n, data.printed) for n in EXACT_NEURONS],
        )
    )
    return right, printed


def figure_exact() -> PaperFigure:
    """Hold the right mean field and Eq. 18 against the exact solution from a tilted start."""
    right, printed = mean_field_errors()
    data = _tilted_runs()
    ends = {n: float(data.exact.sel(neurons=n)[-1]) for n in EXACT_NEURONS}
    return PaperFigure(
        "exact",
        "Right mean field and Eq. 18 against the exact solution",
        (
            Parameter("eta", _ETA),
            Parameter("start", "(1, 1, -1)/sqrt(3)", "figure 2's, of length 1"),
            Parameter(
                "temperature_kelvin", 0.0, "figure 2's 300 K correlates neurons by absorption"
            ),
            Parameter("window", _WINDOW, "none stated"),
            Parameter(
                "neurons", list(map(float, EXACT_NEURONS)), "Eq. 18 has no number of neurons"
            ),
            Parameter("scaling", "1/N", "Eq. 4's 1/√N in each coupling"),
            Parameter("cutoff", CUTOFF, "none stated; as in figures 3 to 6"),
        ),
        data,
        "The paper leaves it to the future to solve the master equation directly.",
        "Its right mean field is within "
        + ", ".join(f"{right[n]:.4f} (N = {n})" for n in EXACT_NEURONS)
        + f" of it; Eq. 18 is off by {max(printed.values()):.3f}.",
        "Eq. 18 goes to 0 where all neurons, at zero temperature, go to rest at −1. It has no N "
        "and takes its rates undivided; divided it would only go more slowly.",
        (),
        {
            **{f"max |error| of the right mean field, N {n}": x for n, x in right.items()},
            **{f"max |error| of Eq. 18, N {n}": x for n, x in printed.items()},
        },
        tuple(
            Comparison(f"m_z at 20, N = {n}", ends[n], float(data.printed[-1]))
            for n in EXACT_NEURONS
        ),
    )


def step_choi(g: Array) -> Array:
    """Return one neuron's smallest Choi eigenvalue over intervals between values of G, T = 0.

    Decay by e^{−ΔG} has the eigenvalues 0, 0, (1 ∓ e^{−ΔG})/2.
    """
    return np.asarray(np.minimum(0.0, (1 - np.exp(-np.diff(g))) / 2))


@lru_cache(maxsize=1)
def tail_choi() -> float:
    """Return one neuron's smallest Choi eigenvalue after figure 3's pulses, while κ₀ rings."""
    return choi_minimum(1, (COLD, RETRIEVED[3]), 2.25, 7.467)


def refusal() -> str:
    """Return what a circuit of figure 3's pulses is refused with."""
    times = np.arange(0.0, 2.25 + STEP / 2, STEP)
    found = step_integrals(COLD, RETRIEVED[3], times)
    kappa = np.where(np.abs(found.kappa) < 1e-12, 0.0, found.kappa)
    try:
        collision_circuit(2, kappa / 2, shifts=found.lambda_ / 2, times=times)
    except NegativeRate as problem:
        return str(problem)
    raise AssertionError("a circuit with negative rates was not refused")


def figure_negative() -> PaperFigure:
    """Show what no circuit can do: the retrieving pulse's Choi eigenvalue against time."""
    curves = bath_curves(COLD, RETRIEVED[3])
    stimuli = {"stored and retrieved": RETRIEVED[3], "stored only": STORING}
    every = round(STEP / (TIMES[1] - TIMES[0]))
    edges = TIMES[::every]
    steps = np.stack([step_choi(area(CUTOFF, pulses)[::every]) for pulses in stimuli.values()])
    maps = np.array(
        [
            [0.0, *(choi_minimum(n, curves, 1.5, float(t), scaling="1/N") for t in _MAP_TIMES[1:])]
            for n in _MAP_NEURONS
        ]
    )
    kappa = np.stack([coefficients(COLD, pulses, TIMES).kappa for pulses in stimuli.values()])
    data = xr.Dataset(
        variables(
            kappa=(("stimulus", "time"), kappa, "emission rate, T = 0", "omega_0"),
            step_choi=(("stimulus", "step_time"), steps,
                       "smallest Choi eigenvalue of a step of 0.05, one neuron", "1"),
            map_choi=(("neurons", "map_time"), maps,
                      "smallest Choi eigenvalue of the map from 1.5 on, 1/N", "1"),
        ),
        {
            "stimulus": list(stimuli),
            "neurons": list(_MAP_NEURONS),
            "time": ("time", TIMES, {"long_name": "time", "units": "1/omega_0"}),
            "step_time": ("step_time", edges[:-1], {"units": "1/omega_0"}),
            "map_time": ("map_time", _MAP_TIMES, {"units": "1/omega_0"}),
        },
    )  # fmt: skip
    stop = int(np.argmin(np.abs(_MAP_TIMES - 2.3)))
    measures = {
        "smallest Choi eigenvalue, retrieving pulse, N 1": float(step_choi_between(1.5, 2.25)),
        "smallest Choi eigenvalue, 2.25 to 7.467, N 1": tail_choi(),
        "smallest Choi eigenvalue, whole stimulus to 10, N 1": choi_minimum(1, curves, 0.0, 10.0),
        "smallest Choi eigenvalue, whole stimulus to 10, N 2": choi_minimum(
            2, curves, 0.0, 10.0, scaling="1/N"
        ),
        **{
            f"smallest Choi eigenvalue, 1.5 to 2.3, N {n}": float(maps[k, stop])
            for k, n in enumerate(_MAP_NEURONS)
        },
        **{
            f"share of steps that are no map, {name}": float(np.mean(row < -1e-9))
            for name, row in zip(stimuli, steps, strict=True)
        },
        "lowest rate, stored only": float(kappa[1].min()),
    }
    return paper_figure(
        "negative",
        "Where the stimulus of figure 3 is no evolution of neurons",
        (
            Parameter("stimulus", "0.8 in 1 to 1.5, -0.53 in 1.5 to 2.25"),
            Parameter("temperature_kelvin", 0.0),
            Parameter("cutoff", CUTOFF, "none stated; as in figures 3 to 6"),
            Parameter("neurons", list(map(float, _MAP_NEURONS)), "the paper's equations have none"),
            Parameter("scaling", "1/N", "Eq. 4's 1/√N in each coupling"),
            Parameter("step", STEP, "a collision of a circuit"),
        ),
        data,
        (),
        measures,
        refused=refusal(),
        step=STEP,
    )


def step_choi_between(start: float, stop: float) -> float:
    """Return `step_choi` over one interval of figure 3."""
    g = area(CUTOFF, RETRIEVED[3])
    ends = [int(np.argmin(np.abs(TIMES - t))) for t in (start, stop)]
    return float(step_choi(g[ends])[0])
