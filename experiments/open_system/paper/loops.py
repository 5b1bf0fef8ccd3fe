"""Collisions that converge and ones that do not, and a stimulus that holds the neurons.

Neither is in the paper: this is what its master equation becomes on circuits and in a loop.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.circuits.open_system import collision_layout
from qbrain.classical_feedback.stimulation import (
    Homeostasis,
    LinearRates,
    OpenLoop,
    SpinReading,
    StimulusLaw,
)
from qbrain.reference.open_system import dicke_to_qubits, simulate_open_system
from qbrain.reference.open_system.bath_coefficients import given_curves, step_integrals
from qbrain.reference.open_system.bath_stimuli import Pulse
from qbrain.reference.open_system.collision_model import collision_states, trace_distance

from ...papers.figures import Parameter
from .model import COLD, CUTOFF, PaperFigure, paper_figure, variables

__all__ = ["COLLISIONS", "KICK", "SHOTS", "collision_errors", "figure_collisions",
           "figure_homeostasis", "held", "laws", "slope"]  # fmt: skip

Array = NDArray[np.float64]
Order = Literal["alternating", "palindromic", "fixed"]

COLLISIONS = (4, 8, 16, 32, 64, 128, 256)
_N, _T, _START = 4, 2.0, (2.0, 0.3)

SHOTS = (50, 150, 500, 1500, 5000, 15000)
# the loop: steps until KICK, where all neurons are made active again, and as many after
_STEPS, KICK = 36, 18
_TIMES = np.linspace(0.0, 12.0, _STEPS + 1)
_TARGET, _GAIN, _LARGEST, _REPEATS = -0.2, 0.2, 0.5, 300
_STRENGTHS = np.round(np.geomspace(0.5, 2.0, 13), 4)
# of a sum over numbers of jumps whose mean is at most 5
_TERMS = 40


# ------------------------------------------------------------------------------ collisions


def _rate(t: Array) -> Array:
    return np.asarray((0.5 + 0.4 * np.sin(3 * t)) / _N)


def _rate_integral(t: Array) -> Array:
    return np.asarray((0.5 * t - 0.4 / 3 * np.cos(3 * t)) / _N)


@lru_cache(maxsize=1)
def collision_errors() -> dict[str, Array]:
    """Return trace distances to the master equation by order of neurons, at `COLLISIONS`."""
    whole = simulate_open_system(
        _N, given_curves(_rate), _START, [_T], density_matrix=True, tolerance=1e-11
    )
    exact = dicke_to_qubits(whole.state_real.values[0] + 1j * whole.state_imag.values[0])
    found: dict[str, Array] = {}
    states = {}
    for order in get_args(Order):
        for steps in COLLISIONS:
            edges: Array = np.linspace(0, _T, steps + 1, dtype=np.float64)
            angles = np.sqrt(np.diff(_rate_integral(edges)))
            turns = np.full(steps, _T / steps)
            rho = collision_states(_N, angles, _START, rotations=turns, order=order)[-1]
            states[order, steps] = rho
        found[order] = np.array(
            [float(trace_distance(states[order, k], exact)) for k in COLLISIONS]
        )
    found["richardson"] = np.array(
        [math.nan]
        + [
            float(
                trace_distance(2 * states["alternating", 2 * k] - states["alternating", k], exact)
            )
            for k in COLLISIONS[:-1]
        ]
    )
    return found


def slope(x: Array, y: Array) -> float:
    """Return the slope of a straight line through log y over log x."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def figure_collisions() -> PaperFigure:
    """Measure the collision model's error against the collisions, by order of the neurons."""
    errors = collision_errors()
    names = list(errors)
    gates = np.array(
        [
            [
                # extrapolation runs the circuit of half as many collisions too
                _gates(k, "alternating") + _gates(k // 2, "alternating")
                if name == "richardson"
                else _gates(k, name)
                for k in COLLISIONS
            ]
            for name in names
        ],
        dtype=float,
    )
    data = xr.Dataset(
        variables(
            error=(("order", "steps"), np.stack(list(errors.values())),
                   "trace distance to the master equation", "1"),
            gates=(("order", "steps"), gates, "two-qubit gates on a line of qubits", "1"),
        ),
        {"order": names, "steps": list(COLLISIONS)},
    )  # fmt: skip
    late = np.array(COLLISIONS[3:], dtype=float)
    slopes = {name: slope(late, rows[3:]) for name, rows in errors.items()}
    shown = [COLLISIONS.index(k) for k in (8, 32, 128)]
    measures = {
        **{f"slope from 32 to 256, {name}": x for name, x in slopes.items()},
        **{
            f"trace distance, {name}, {COLLISIONS[i]} collisions": float(errors[name][i])
            for name in names
            for i in shown
        },
    }
    return paper_figure(
        "collisions",
        "Collisions with an ancilla against the master equation",
        (
            Parameter("neurons", float(_N), "not in the paper"),
            Parameter("rate", "(0.5 + 0.4 sin 3t)/N", "not in the paper: one that varies"),
            Parameter("duration", _T, "not in the paper"),
            Parameter("start", list(_START), "angles of each neuron: neither at rest nor active"),
            Parameter("temperature_kelvin", 0.0, "not in the paper"),
        ),
        data,
        (),
        measures,
        errors=errors,
        shown=shown,
        slopes=slopes,
    )


def _gates(steps: int, order: str) -> int:
    if order == "alternating":
        return collision_layout(_N, steps, order="alternating").two_qubit_gates
    if order == "palindromic":
        return collision_layout(_N, steps, order="palindromic").two_qubit_gates
    return collision_layout(_N, steps, order="fixed").two_qubit_gates


# ------------------------------------------------------------------------------ the loop


@lru_cache(maxsize=1)
def _rates() -> LinearRates:
    """Return what η = 1 in one step alone does to each step, at zero temperature."""
    columns = [
        step_integrals(COLD, Pulse(float(a), float(b), 1.0), _TIMES)
        for a, b in itertools.pairwise(_TIMES)
    ]
    return LinearRates(
        np.stack([c.kappa for c in columns], axis=1),
        shifts=np.stack([c.lambda_ for c in columns], axis=1),
    )


@lru_cache(maxsize=1)
def laws() -> dict[str, StimulusLaw]:
    """Make the laws: closed (homeostasis), open (where that arrives undisturbed), free."""
    closed = Homeostasis(_rates(), _STEPS, target=_TARGET, gain=_GAIN, limits=(0.0, _LARGEST))
    _, planned = held(closed, kick=False)
    free = np.full(_STEPS, 0.1)
    return {
        "closed loop": closed,
        "open loop": OpenLoop(planned[0], _rates()),
        "constant": OpenLoop(free, _rates()),
    }


def held(
    law: StimulusLaw,
    *,
    repetitions: int = 1,
    shots: int | None = None,
    strengths: Array | float = 1.0,
    kick: bool = True,
    seed: int = 0,
) -> tuple[Array, Array]:
    """Repeat a loop of four neurons under a law, all at once.

    The populations are the exact ones under each repetition's own stimulus; a reading is drawn
    from them, ``shots`` times, or their mean itself where that is None.

    Args:
        law: of the stimulus.
        repetitions: R.
        shots: of a reading.
        strengths: (R,) or one for all: what the bath makes of η, in units of what the law was
            built for.
        kick: whether all neurons are made active again after half the steps.
        seed: of the readings.

    Returns:
        m_z at each time, before any kick there, (R, steps + 1), and η, (R, steps).
    """
    n = np.arange(_N + 1)
    emitted = n * (_N - n + 1.0)
    jump = np.eye(_N + 1) + (np.diag(emitted[1:], 1) - np.diag(emitted)) / emitted.max()
    random = np.random.default_rng(seed)
    p: Array = np.zeros((repetitions, _N + 1))
    p[:, -1] = 1.0
    control = law.start((repetitions,))
    spins = [2 * p @ n / _N - 1]
    for k in range(_STEPS):
        if kick and k == KICK:
            p = np.zeros_like(p)
            p[:, -1] = 1.0
        share = p if shots is None else random.multinomial(shots, p) / shots
        control = law(control, [_reading(2 * share @ n / _N - 1)], float(_TIMES[1]))
        p = _decayed(p, jump, strengths * control.emission / _N * emitted.max())
        spins.append(2 * p @ n / _N - 1)
    return np.stack(spins, axis=1), np.broadcast_to(control.etas, (repetitions, _STEPS)).copy()


def _decayed(p: Array, jump: Array, jumps: Array) -> Array:
    """Return e^{x(J−1)} p as a sum over the number of jumps, of mean x (R,): none is negative."""
    term = np.exp(-jumps)[:, None] * p
    whole = term.copy()
    for k in range(1, _TERMS):
        term = (jumps / k)[:, None] * (term @ jump.T)
        whole += term
    return np.asarray(whole / whole.sum(axis=1, keepdims=True))


def _reading(value: Array) -> SpinReading:
    nothing = np.zeros(0)
    return SpinReading(value, np.zeros_like(value), value, value, nothing, nothing, 0)


def figure_homeostasis() -> PaperFigure:
    """Let a stimulus set by readings hold the neurons, through a kick and other baths."""
    every = laws()
    shots = SHOTS[1]
    exact = {name: held(law) for name, law in every.items()}
    noisy = held(every["closed loop"], repetitions=_REPEATS, shots=shots, seed=1)
    low, high = np.quantile(noisy[0], [0.025, 0.975], axis=0)
    ends = {
        name: held(every[name], repetitions=len(_STRENGTHS), strengths=_STRENGTHS, kick=False)[0]
        for name in ("closed loop", "open loop")
    }
    spread, bias = [], []
    truth = held(every["closed loop"], kick=False)[0][0, -1]
    for k, count in enumerate(SHOTS):
        last = held(
            every["closed loop"], repetitions=_REPEATS, shots=count, kick=False, seed=2 + k
        )[0][:, -1]
        spread.append(float(last.std(ddof=1)))
        bias.append(float(last.mean() - truth))
    at_end = {name: rows[:, -1] - _TARGET for name, rows in ends.items()}
    data = xr.Dataset(
        variables(
            m_z=(("law", "time"), np.stack([m[0] for m, _ in exact.values()]),
                 "m_z, exact readings", "1"),
            eta=(("law", "step_time"), np.stack([eta[0] for _, eta in exact.values()]),
                 "stimulus", "1"),
            low=("time", low, f"2.5 % quantile of m_z, {shots} shots", "1"),
            high=("time", high, f"97.5 % quantile of m_z, {shots} shots", "1"),
            final_error=(("end_law", "strength"), np.stack(list(at_end.values())),
                         "m_z - target at the end, no kick", "1"),
            spread=("shots", spread, "standard deviation of m_z at the end, no kick", "1"),
            bias=("shots", bias, "mean of m_z at the end less that of exact readings", "1"),
        ),
        {
            "law": list(every),
            "end_law": list(at_end),
            "time": ("time", _TIMES, {"long_name": "time", "units": "1/omega_0"}),
            "step_time": ("step_time", _TIMES[:-1], {"units": "1/omega_0"}),
            "strength": ("strength", _STRENGTHS, {"long_name": "bath's answer to the stimulus"}),
            "shots": list(SHOTS),
        },
    )  # fmt: skip
    fitted = slope(np.array(SHOTS, float), np.array(spread))
    worst = {name: float(np.abs(x).max()) for name, x in at_end.items()}
    after = {name: float(m[0, -1]) for name, (m, _) in exact.items()}
    before = float(exact["closed loop"][0][0, KICK])
    measures = {
        "m_z at 6, closed loop": before,
        **{f"m_z at 12 after the kick, {name}": x for name, x in after.items()},
        **{f"largest |m_z - target| over strengths, {name}": x for name, x in worst.items()},
        "slope of the spread over shots": fitted,
        **{f"spread at {count} shots": x for count, x in zip(SHOTS, spread, strict=True)},
        **{f"bias at {count} shots": x for count, x in zip(SHOTS, bias, strict=True)},
        "half-width of the 95 % band at 12": float(high[-1] - low[-1]) / 2,
    }
    ours = "not in the paper"
    return paper_figure(
        "homeostasis",
        "A stimulus set from what is read holds the neurons",
        (
            Parameter("neurons", float(_N), f"{ours}; as many as circuits are tested with"),
            Parameter("cutoff", CUTOFF, "as in figures 3 to 6"),
            Parameter("temperature_kelvin", 0.0, f"{ours}: stimuli only lower m_z"),
            Parameter("scaling", "1/N", "Eq. 4's 1/√N in each coupling"),
            Parameter("target", _TARGET, ours),
            Parameter("gain", _GAIN, f"{ours}; η for each unit of m_z − target"),
            Parameter("largest_eta", _LARGEST, ours),
            Parameter("steps", float(_STEPS), f"{ours}, of 1/3"),
            Parameter("kick", float(_TIMES[KICK]), f"{ours}; all neurons active again"),
            Parameter("repetitions", float(_REPEATS), ours),
        ),
        data,
        (),
        measures,
        before=before,
        target=_TARGET,
        times=_TIMES,
        kick=KICK,
        after=after,
        worst=worst,
        shots=shots,
        fewest=SHOTS[0],
        repeats=_REPEATS,
        high=high,
        low=low,
        fitted=fitted,
        bias=bias,
    )
