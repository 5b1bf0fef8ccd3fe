"""Figure 3: a quantum memristor on an LC circuit, averaged and monitored."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from qbrain.reference.hodgkin_huxley.memristor import (
    MemristorCircuit,
    Start,
    positivity_strength,
    simulate_moments,
)
from qbrain.reference.hodgkin_huxley.memristor_fock import simulate_fock
from qbrain.reference.hodgkin_huxley.memristor_loops import lobe_areas
from qbrain.reference.hodgkin_huxley.memristor_trajectories import simulate_trajectories

from ...papers.figures import Comparison, Parameter, Variation
from .measures import nonlinearity
from .model import PaperFigure, paper_figure

__all__ = ["VOLTAGES", "averaged", "classical_gap", "figure_3", "fock_gap"]

VOLTAGES = (0.0, 0.5, 1.0, 2.0)
_TIMES = np.linspace(0.0, 30.0, 3001)
_SHOWN = np.linspace(0.0, 20.0, 401)
_TRAJECTORIES = 200


@lru_cache(maxsize=8)
def averaged(voltage: float, source_in: str = "inductor") -> xr.Dataset:
    """Return the average over all records at a source's voltage."""
    circuit = MemristorCircuit(
        voltage=voltage, source_in="memristor" if source_in == "memristor" else "inductor"
    )
    return simulate_moments(circuit, Start(), _TIMES)


@lru_cache(maxsize=8)
def classical_gap(voltage: float) -> float:
    """Return ⟨q⟩'s largest difference from the same circuit's without quanta or heat."""
    memristor, start = MemristorCircuit().memristor, Start()

    def slope(_: float, y: NDArray[np.float64]) -> list[float]:
        flux, charge, mu = y
        gamma = float(memristor.rate(mu))
        return [charge - voltage, -flux - 2 * gamma * charge, memristor.mobility * charge]

    found = solve_ivp(
        slope, (0, _TIMES[-1]), [start.flux, start.charge, start.mu], t_eval=_TIMES,
        method="DOP853", rtol=1e-11, atol=1e-12,
    )  # fmt: skip
    return float(np.abs(found.y[1] - averaged(voltage).charge.values).max())


@lru_cache(maxsize=1)
def fock_gap() -> float:
    """Return the moments' largest difference from the density matrix's own, to t = 4."""
    times, circuit, start = np.linspace(0, 4, 9), MemristorCircuit(), Start(charge=1.0)
    matrix = simulate_fock(circuit, start, times, levels=40)
    moments = simulate_moments(circuit, start, times)
    names = ("flux", "charge", "var_flux", "var_charge", "covariance", "mu")
    return max(float(np.abs(matrix[name] - moments[name]).max()) for name in names)


@lru_cache(maxsize=1)
def _monitored() -> xr.Dataset:
    """Run each kind of feedback at V = 0, and the average they are held against."""
    runs = [
        simulate_trajectories(
            MemristorCircuit(), Start(), _SHOWN, trajectories=_TRAJECTORIES, feedback=kind,
            step=0.025, seed=7,
        )
        for kind in ("mean", "state", "record")
    ]  # fmt: skip
    return xr.concat(
        [run[["charge", "current", "gamma", "purity"]] for run in runs], "feedback",
        combine_attrs="drop",
    ).assign_coords(feedback=["mean", "state", "record"])  # fmt: skip


def _shift(monitored: xr.Dataset, kind: str) -> tuple[float, float]:
    """Return the mean charge's largest change by the kind of feedback, and its error there.

    Trajectories of all kinds have the same noise, so that differences are taken one by one.
    """
    away = monitored.charge.sel(feedback=kind) - monitored.charge.sel(feedback="mean")
    mean, error = away.mean("trajectory"), away.std("trajectory", ddof=1) / np.sqrt(_TRAJECTORIES)
    where = int(np.abs(mean.values).argmax())
    return float(abs(mean[where])), float(error[where])


def figure_3() -> PaperFigure:
    """Recompute loops of the memristive current at four voltages."""
    runs = [averaged(v) for v in VOLTAGES]
    monitored = _monitored()
    average = np.interp(_SHOWN, _TIMES, runs[0].charge.values)
    names = ("charge", "current", "voltage", "gamma", "mu")
    data = xr.Dataset(
        {
            **{
                name: (
                    ("source", "time"),
                    np.stack([run[name].values for run in runs]),
                    runs[0][name].attrs,
                )
                for name in names
            },
            "one_charge": (("feedback", "shown", "one"), monitored.charge.values[:, :, :3]),
            "one_current": (("feedback", "shown", "one"), monitored.current.values[:, :, :3]),
            "mean_charge": (("feedback", "shown"), monitored.charge.mean("trajectory").values),
            "mean_charge_error": (
                ("feedback", "shown"),
                monitored.charge.std("trajectory", ddof=1).values / np.sqrt(_TRAJECTORIES),
            ),
            "average_charge": ("shown", average),
        },
        {
            "source": list(VOLTAGES),
            "time": ("time", _TIMES, runs[0].time.attrs),
            "feedback": monitored.feedback.values,
            "shown": ("shown", _SHOWN, runs[0].time.attrs),
        },
    )
    bent = {
        v: nonlinearity(run.voltage, run.current) for v, run in zip(VOLTAGES, runs, strict=True)
    }
    lobes = {
        v: float(np.abs(lobe_areas(run.voltage.values, run.current.values)).sum())
        for v, run in zip(VOLTAGES, runs, strict=True)
    }
    gap = max(classical_gap(v) for v in VOLTAGES)
    shift = {kind: _shift(monitored, kind) for kind in ("state", "record")}
    smallest = float(runs[0].smallest_eigenvalue.min())
    cold = simulate_moments(MemristorCircuit(strength=0.0, temperature=0.2), Start(), _TIMES)
    measures = {
        **{f"distance from a line, V {v:g}": x for v, x in bent.items()},
        **{f"area of the lobes, V {v:g}": x for v, x in lobes.items()},
        "largest difference of <q> from the classical circuit's charge": gap,
        "smallest eigenvalue of the density matrix, V 0": smallest,
        "measurement strength from which the equation is completely positive": positivity_strength(
            MemristorCircuit()
        ),
        **{f"largest shift of the mean charge, feedback {k}": x[0] for k, x in shift.items()},
        **{f"standard error of that shift, feedback {k}": x[1] for k, x in shift.items()},
        "purity at the end, feedback state": float(
            monitored.purity.sel(feedback="state")[-1].mean()
        ),
        "purity at the end, averaged": float(runs[0].purity[-1]),
    }
    inside = averaged(1.0, "memristor")
    return paper_figure(
        3,
        "Loops of a quantum memristor on an LC circuit",
        _parameters(),
        data,
        (
            Variation(
                "source_in", "inductor", "memristor", "distance from a line, V = 1",
                bent[1.0], nonlinearity(inside.voltage, inside.current),
            ),
            Variation(
                "strength", "0.05", "0, and temperature 0.2",
                "smallest eigenvalue of the density matrix",
                smallest, float(cold.smallest_eigenvalue.min()),
            ),
        ),
        measures,
        (
            Comparison("distance from a line, V = 0", bent[0.0], None, "a loop"),
            Comparison("distance from a line, V = 2", bent[2.0], None, "nearly a line"),
        ),
        bent=bent,
        gap=gap,
        shift=shift,
    )  # fmt: skip


def _parameters() -> tuple[Parameter, ...]:
    circuit, start = MemristorCircuit(), Start()
    memristor = circuit.memristor
    open_ = "the paper leaves it open"
    return (
        Parameter("circuit_capacitance", 1.0),
        Parameter("circuit_inductance", 1.0),
        Parameter("source_voltage", list(VOLTAGES)),
        Parameter(
            "damping",
            f"{memristor.low} + {memristor.high - memristor.low:.2g}(1 + tanh μ)/2",
            f"γ(μ): {open_}; bounded and never negative",
        ),
        Parameter("response", "f = V", f"f(μ, V): {open_}; zero without voltage, monotone in it"),
        Parameter("source_in", "inductor", f"where V enters: {open_}; so that loops straighten"),
        Parameter("temperature", circuit.temperature, f"λ: {open_}; plays no part in the loops"),
        Parameter("strength", circuit.strength, f"κ: {open_}; above what positivity wants"),
        Parameter("initial_charge", start.charge, f"{open_}; a coherent state"),
        Parameter("initial_mu", start.mu, f"{open_}; where γ changes most"),
        Parameter("trajectories", float(_TRAJECTORIES), "ours: the paper shows none"),
    )
