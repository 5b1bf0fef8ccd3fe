"""Beyond the paper: how fast the circuits' feedback loops converge, and a pair of memristors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.classical_feedback.memristance import Memristance, MemristanceLaw
from qbrain.reference.hodgkin_huxley.gate_qubits import (
    bloch_vectors,
    damping_angles,
    memristor_states,
    pair_states,
    reduced_states,
)
from qbrain.reference.hodgkin_huxley.memristor_loops import lobe_areas
from qbrain.reference.hodgkin_huxley.memristor_qubits import (
    simulate_memristor_pair,
    simulate_memristor_qubit,
)

from ...papers.figures import Parameter, Variation
from ..config import HodgkinHuxleyConfig
from ..model import NeuronModel
from .model import PaperFigure, paper_figure

__all__ = [
    "GATE_STEPS",
    "MEMRISTOR_STEPS",
    "PAIR_STEPS",
    "SHOTS",
    "circuits",
    "gate_errors",
    "gate_noise",
    "memristor_errors",
    "memristor_loop",
    "memristor_noise",
    "pair",
    "pair_errors",
    "repeated_loop",
    "slope",
]

Array = NDArray[np.float64]

MEMRISTOR_STEPS = (16, 32, 64, 128, 256, 1024)
GATE_STEPS = (25, 50, 100, 200, 400)
PAIR_STEPS = (32, 64, 128, 256)
SHOTS = (250, 1000, 4000, 16_000)
_OMEGA, _GAMMA0, _TIME, _START = 1.0, 0.2, 20.0, (1.0, 0.0, 0.0)
_NOISY_STEPS, _REPETITIONS = 64, 1000
_PAIR_OMEGA, _PAIR_GAMMA0, _EXCHANGE = (1.0, 1.3), (0.2, 0.2), 0.5
_PAIR_START = ((0.6, 0.0, -0.8), (0.6, 0.0, 0.8))


@dataclass(frozen=True)
class _Reading:
    value: Array | float
    stderr: Array | float = 0.0


def slope(sizes: Sequence[int], errors: Sequence[float]) -> float:
    """Return the slope of the straight line through log error against log size."""
    return float(np.polyfit(np.log(sizes), np.log(errors), 1)[0])


def memristor_loop(steps: int) -> Array:
    """Return Bloch vectors (steps+1, 3) of one loop with exact readings.

    A circuit for every step, and γ from the history of what they read.
    """
    law, delta = MemristanceLaw(Memristance(_GAMMA0)), _TIME / steps
    state, bloch = law.start(), np.array(_START)
    found = [bloch]
    for _ in range(steps):
        state = law(state, [_Reading(bloch[1])], delta)
        angle = damping_angles(state.rate, delta)
        bloch = bloch_vectors(memristor_states(bloch, [_OMEGA * delta], [float(angle)])[1])
        # rounding may leave a pure state a little too long
        bloch = bloch / max(1.0, float(np.linalg.norm(bloch)))
        found.append(bloch)
    return np.array(found)


def repeated_loop(
    steps: int, shots: int | None, repetitions: int, seed: int
) -> tuple[Array, Array, Array]:
    """Return ⟨Y⟩ (steps+1, repetitions) of loops side by side, γ's low and high 95 %.

    The step is that of `memristor_loop` on x + iy, which turns by ωδ and shrinks by cos θ.
    """
    law, delta = MemristanceLaw(Memristance(_GAMMA0)), _TIME / steps
    random, state = np.random.default_rng(seed), law.start((repetitions,))
    plane = np.full(repetitions, complex(_START[0], _START[1]))
    found, bands = [plane.imag], []
    for _ in range(steps):
        state = law(state, [_read(plane.imag, shots, random)], delta)
        bands.append(law.memristance.band(state.middle, 1.96 * state.stderr))
        plane = plane * np.exp(1j * _OMEGA * delta) * np.cos(damping_angles(state.rate, delta))
        found.append(plane.imag)
    low, high = (np.array(side) for side in zip(*bands, strict=True))
    return np.array(found), low, high


def _read(means: Array, shots: int | None, random: np.random.Generator) -> _Reading:
    if shots is None:
        return _Reading(means, np.zeros_like(means))
    values = 1 - 2 * random.binomial(shots, np.clip((1 - means) / 2, 0, 1)) / shots
    return _Reading(values, np.sqrt(np.maximum(1 - values**2, 1 / shots) / shots))


@lru_cache(maxsize=1)
def memristor_errors() -> tuple[float, ...]:
    """Return the Bloch vector's largest distance from the exact one, for `MEMRISTOR_STEPS`."""
    found = []
    for steps in MEMRISTOR_STEPS:
        times = np.linspace(0, _TIME, steps + 1)
        exact = simulate_memristor_qubit(_OMEGA, _GAMMA0, _START, times)
        wanted = np.stack([exact[name].values for name in "xyz"], axis=1)
        away = np.linalg.norm(memristor_loop(steps) - wanted, axis=1)
        found.append(float(away.max()))
    return tuple(found)


@lru_cache(maxsize=1)
def memristor_noise() -> tuple[tuple[float, ...], float]:
    """Return the RMS error of ⟨Y⟩ for `SHOTS`, and how often γ is in its 95 % band."""
    alone, exact, _ = repeated_loop(_NOISY_STEPS, None, 1, 0)
    found, inside = [], []
    for shots in SHOTS:
        y, low, high = repeated_loop(_NOISY_STEPS, shots, _REPETITIONS, 11)
        found.append(float(np.sqrt(np.mean((y - alone) ** 2))))
        inside.append(float(np.mean((low <= exact) & (exact <= high))))
    return tuple(found), float(np.mean(inside))


def _gate(steps: int) -> NeuronModel:
    return NeuronModel(
        HodgkinHuxleyConfig.from_mapping(
            {"backend": "exact", "amplitude": 20.0, "frequency": 0.5, "time": 50.0, "steps": steps}
        )
    )


@lru_cache(maxsize=1)
def gate_errors() -> tuple[float, ...]:
    """Return the largest error of n against the exact trajectory, for `GATE_STEPS`."""
    models = [_gate(steps) for steps in GATE_STEPS]
    return tuple(float(np.abs(m.noiseless().values - m.exact_values).max()) for m in models)


@lru_cache(maxsize=1)
def gate_noise() -> tuple[float, ...]:
    """Return the RMS error of n by shots at 100 steps, for `SHOTS`."""
    model = _gate(100)
    alone = model.noiseless().values
    return tuple(
        float(np.sqrt(np.mean((model.repeated(60, shots, 5).values - alone) ** 2)))
        for shots in SHOTS
    )


@lru_cache(maxsize=4)
def pair(exchange: float = _EXCHANGE, feedback: bool = True) -> xr.Dataset:
    """Simulate two coupled memristor qubits exactly."""
    return simulate_memristor_pair(
        _PAIR_OMEGA, _PAIR_GAMMA0, exchange, _PAIR_START, np.linspace(0, _TIME, 801),
        feedback=feedback,
    )  # fmt: skip


@lru_cache(maxsize=1)
def pair_errors() -> tuple[float, ...]:
    """Return the largest error of either ⟨Y⟩ of the pair's circuits, for `PAIR_STEPS`."""
    return tuple(float(np.abs(_pair_loop(steps)).max()) for steps in PAIR_STEPS)


def _pair_loop(steps: int) -> Array:
    """Return ⟨Y⟩ of both less the exact, (steps + 1, 2); each circuit replays all steps before."""
    delta = _TIME / steps
    laws = [MemristanceLaw(Memristance(g)) for g in _PAIR_GAMMA0]
    controls, angles = [law.start() for law in laws], []
    found = [np.array(_PAIR_START)[:, 1]]
    for k in range(1, steps + 1):
        controls = [
            law(control, [_Reading(float(value))], delta)
            for law, control, value in zip(laws, controls, found[-1], strict=True)
        ]
        angles.append([float(damping_angles(c.rate, delta)) for c in controls])
        rotations = np.tile(np.array(_PAIR_OMEGA) * delta, (k, 1))
        rho = pair_states(_PAIR_START, rotations, angles, np.full(k, _EXCHANGE * delta))[-1]
        found.append(bloch_vectors(reduced_states(rho))[:, 1])
    times = np.linspace(0, _TIME, steps + 1)
    exact = simulate_memristor_pair(_PAIR_OMEGA, _PAIR_GAMMA0, _EXCHANGE, _PAIR_START, times)
    return np.asarray(np.array(found) - exact.y.values)


def _lobes(data: xr.Dataset) -> float:
    """Add the areas of the lobes of both loops."""
    return float(
        sum(
            np.abs(lobe_areas(data.voltage[:, q].values, data.current[:, q].values)).sum()
            for q in (0, 1)
        )
    )


def circuits() -> PaperFigure:
    """Measure the convergence of the loops on circuits, and the coupled pair."""
    fed, frozen, apart = pair(), pair(feedback=False), pair(0.0)
    noise, coverage = memristor_noise()
    rows = {"fed back": fed, "frozen": frozen, "uncoupled": apart}
    unit = {"units": "1"}
    data = xr.Dataset(
        {
            "memristor_error": ("memristor_steps", list(memristor_errors()), unit),
            "gate_error": ("gate_steps", list(gate_errors()), unit),
            "pair_error": ("pair_steps", list(pair_errors()), unit),
            "memristor_noise": ("shots", list(noise), unit),
            "gate_noise": ("shots", list(gate_noise()), unit),
            **{
                f"pair_{name}": (
                    ("coupling", "time", "qubit"),
                    np.stack([row[name].values for row in rows.values()]),
                    fed[name].attrs,
                )
                for name in ("voltage", "current", "gamma")
            },
            "pair_concurrence": (
                ("coupling", "time"),
                np.stack([row.concurrence.values for row in rows.values()]),
                unit,
            ),
        },
        {
            "memristor_steps": list(MEMRISTOR_STEPS),
            "gate_steps": list(GATE_STEPS),
            "pair_steps": list(PAIR_STEPS),
            "shots": list(SHOTS),
            "coupling": list(rows),
            "time": ("time", fed.time.values, fed.time.attrs),
            "qubit": [0, 1],
        },
    )
    slopes = {
        "memristor": slope(MEMRISTOR_STEPS[2:], memristor_errors()[2:]),
        "potassium gate": slope(GATE_STEPS[2:], gate_errors()[2:]),
        "pair": slope(PAIR_STEPS[1:], pair_errors()[1:]),
    }
    shots = {"memristor": slope(SHOTS, noise), "potassium gate": slope(SHOTS, gate_noise())}
    top = {name: float(row.concurrence.max()) for name, row in rows.items()}
    lobes = {name: _lobes(row) for name, row in rows.items()}
    measures = {
        **{f"slope against steps, {name}": x for name, x in slopes.items()},
        **{f"slope against shots, {name}": x for name, x in shots.items()},
        **{
            f"memristor error, {n} steps": x
            for n, x in zip(MEMRISTOR_STEPS, memristor_errors(), strict=True)
        },
        **{f"gate error, {n} steps": x for n, x in zip(GATE_STEPS, gate_errors(), strict=True)},
        **{f"pair error, {n} steps": x for n, x in zip(PAIR_STEPS, pair_errors(), strict=True)},
        "share of rates in their 95 % band": coverage,
        **{f"largest concurrence of the pair, {name}": x for name, x in top.items()},
        **{f"area of the pair's lobes, {name}": x for name, x in lobes.items()},
        "largest difference of <Y>, fed back less frozen": float(
            np.abs(fed.voltage - frozen.voltage).max()
        ),
    }
    return paper_figure(
        "circuits",
        "Feedback loops on circuits, and a pair of coupled memristors",
        _parameters(),
        data,
        (
            Variation(
                "feedback", "γ(μ)", "frozen", "largest concurrence",
                top["fed back"], top["frozen"],
            ),
            Variation(
                "exchange", f"{_EXCHANGE:g}", "0", "area of the lobes of both",
                lobes["fed back"], lobes["uncoupled"],
            ),
        ),
        measures,
        slopes=slopes,
        shots=shots,
        top=top,
        lobes=lobes,
    )  # fmt: skip


def _parameters() -> tuple[Parameter, ...]:
    ours = "ours: the paper has no circuits"
    return (
        Parameter("memristor_omega", _OMEGA, ours),
        Parameter("memristor_gamma0", _GAMMA0, ours),
        Parameter("memristor_start", list(_START), "ours: the Bloch vector of |+⟩"),
        Parameter("memristor_time", _TIME, ours),
        Parameter("noisy_steps", float(_NOISY_STEPS), "ours: of the memristor under shot noise"),
        Parameter("repetitions", float(_REPETITIONS), "ours: of the memristor under shot noise"),
        Parameter("gate_drive", "20 sin²(0.5 t) µA/cm², 50 ms, 1952's channel", ours),
        Parameter("pair_omega", list(_PAIR_OMEGA), "ours: apart, so that neither follows"),
        Parameter("pair_gamma0", list(_PAIR_GAMMA0), ours),
        Parameter("exchange", _EXCHANGE, ours),
        Parameter("pair_start", [x for vector in _PAIR_START for x in vector], "ours: a product"),
    )
