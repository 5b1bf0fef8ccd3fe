"""Studies of the isolated brain: stimuli, other observables, the classical limit, two neurons."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from qbrain.classical_feedback.synapse import Synapse
from qbrain.reference.lmg import LMG, Orbit, block_entropy, simulate
from qbrain.reference.lmg.mean_field import dicke_ring, mean_field
from qbrain.reference.lmg.stimulus import pulse, simulate_stimulus, sine, step

from ...papers.figures import Study
from ..paper.measures import imbalance
from .model import contrast, free_run, told_study

__all__ = ["mean_field_limit", "observables", "stimulus", "two_neurons"]

_GAMMA, _G0 = 0.8, 1.0
_BRAIN = LMG(20, _GAMMA, _G0)
_SYNAPSE = Synapse(tau_r=1.0)


def stimulus() -> Study:
    """Put a field h(t) on a brain of 20: step, pulse and sine, and the response by period."""
    times = np.linspace(0, 120, 1201)
    given = {"none": None, "step": step(0.5, 40.0), "pulse": pulse(0.5, 40.0, 10.0),
             "sine": sine(0.3, 20.0)}  # fmt: skip
    runs = []
    for one in given.values():
        if one is None:
            runs.append(free_run(20, "silent", times).assign(field=("time", 0 * times)))
        else:
            runs.append(simulate_stimulus(_BRAIN, _SYNAPSE, "silent", times, one))
    periods = np.geomspace(3, 60, 20)
    free = runs[0].excitation.values
    responses = []
    for period in periods:
        # whole periods only, after the first quarter
        t = np.linspace(0, 120, 1201)
        driven = simulate_stimulus(
            _BRAIN, _SYNAPSE, "silent", t, sine(0.1, period), tolerance=1e-6
        ).excitation.values
        responses.append(contrast(driven - free))
    best = float(periods[int(np.argmax(responses))])
    data = xr.Dataset(
        {
            name: (("stimulus", "time"), np.stack([run[name].values for run in runs]))
            for name in ("excitation", "r", "field")
        }
        | {"response": ("period", np.array(responses))},
        {"stimulus": list(given), "time": times, "period": periods},
        {"neurons": 20, "gamma": _GAMMA, "g0": _G0, "tau_r": 1.0, "initial": "silent"},
    )
    late = times > 60
    mean = {name: float(run.excitation.values[late].mean())
            for name, run in zip(given, runs, strict=True)}  # fmt: skip
    kept = contrast((runs[2].excitation - runs[0].excitation).values[late])
    return told_study(
        "stimulus",
        "A stimulus: the field as input from outside",
        data,
        {
            **{f"mean E after t = 60, {name}": value for name, value in mean.items()},
            "difference left by the pulse": kept,
            "period of the largest response": best,
            "largest response": float(max(responses)),
        },
    )


def observables() -> Study:
    """Let the synapse listen to something else than J_z."""
    n = 20
    k = np.arange(n)
    jx = np.zeros((n + 1, n + 1))
    jx[k, k + 1] = jx[k + 1, k] = np.sqrt((k + 1.0) * (n - k)) / 2
    z = 2 * np.arange(n + 1) / n - 1
    listened = {
        "activity E": None,
        "coherence 4<Jx²>/N²": 4 * jx @ jx / n**2,
        "order 4<Jz²>/N²": z**2,
        "silence 1 - E": 1 - np.arange(n + 1) / n,
    }
    brain = LMG(n, 1.0, _G0)  # γ = 1 swings from silent to saturated and back
    times = np.linspace(0, 4 * np.pi * n, 4001)
    runs = {
        name: simulate(brain, Synapse(tau_r=5.0), "silent", times, observable=observable)
        for name, observable in listened.items()
    }
    data = xr.Dataset(
        {
            name: (("observable", "time"), np.stack([run[name].values for run in runs.values()]))
            for name in ("excitation", "r", "phase")
        },
        {"observable": list(runs), "time": times},
        {"neurons": n, "gamma": 1.0, "g0": _G0, "tau_r": 5.0, "initial": "silent"},
    )
    pace = {name: float(run.phase[-1]) / times[-1] for name, run in runs.items()}
    # over whole cycles of the orbit, so that no cut-off cycle counts
    cycle = np.pi * n / _G0
    balance = {}
    for name, run in runs.items():
        whole = run.phase.values < cycle * int(float(run.phase[-1]) / cycle)
        balance[name] = imbalance(run.excitation.values[whole])
    return told_study(
        "observables",
        "Other observables as E",
        data,
        {
            **{f"mean pace, {name}": value for name, value in pace.items()},
            **{f"imbalance, {name}": value for name, value in balance.items()},
        },
        neurons=n,
        names=list(runs),
    )


def mean_field_limit() -> Study:
    """Measure for how long the classical limit holds, against N."""
    sizes = np.array([10, 20, 40, 80, 160, 320, 640])
    times = np.linspace(0, 150, 7501)
    # six tenths active: a ring of classical spins, neither pole nor equator
    ring = dicke_ring(10, 6, members=256)
    model = LMG(10, _GAMMA, _G0)
    classical = mean_field(model, _SYNAPSE, ring, times).excitation.values
    runs = np.stack(
        [
            simulate(LMG(int(n), _GAMMA, _G0), _SYNAPSE, int(6 * n // 10), times).excitation.values
            for n in sizes
        ]
    )
    apart = np.abs(runs - classical) > 0.05
    hold = np.array([times[row.argmax()] if row.any() else times[-1] for row in apart])
    seen = apart.any(axis=1)  # the others hold beyond the window
    power = float(np.polyfit(np.log(sizes[seen]), np.log(hold[seen]), 1)[0])
    largest = int(sizes[seen][-1])
    early = times <= 2
    error = np.abs(runs - classical)[:, early].max(axis=1)
    early_power = float(np.polyfit(np.log(sizes), np.log(error), 1)[0])
    data = xr.Dataset(
        {
            "excitation": (("neurons", "time"), runs),
            "mean_field": ("time", classical),
            "holds_until": ("neurons", hold),
            "early_error": ("neurons", error),
        },
        {"neurons": sizes, "time": times},
        {"gamma": _GAMMA, "g0": _G0, "tau_r": 1.0, "start": "6N/10 active"},
    )
    return told_study(
        "mean-field",
        "Mean field against finite N",
        data,
        {
            "held until, N = 10": float(hold[0]),
            f"held until, N = {largest}": float(hold[seen][-1]),
            "power of N": power,
            "power of the early error": early_power,
        },
        largest=largest,
        end=times[-1],
    )


def two_neurons() -> Study:
    """Hold the smallest brain against its closed form."""
    taus = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
    times = np.linspace(0, 60, 2401)
    brain = LMG(2, _GAMMA, _G0)
    runs = [simulate(brain, Synapse(tau_r=tau), "silent", times) for tau in taus]
    excitation = np.stack([run.excitation.values for run in runs])
    closed = np.stack([np.sin(_GAMMA * _G0 * run.phase.values / 2) ** 2 for run in runs])
    error = float(np.abs(excitation - closed).max())
    rate = _GAMMA * _G0 / (2 * math.pi)  # of E, in s
    paces = [float(run.phase[-1]) / times[-1] for run in runs]
    orbit = Orbit(brain, 0)
    s = np.linspace(0, 1 / rate, 201)
    entropy = np.array([block_entropy(state, 1) for state in orbit.amplitudes(s)])
    share = np.sin(_GAMMA * _G0 * s / 2) ** 2
    wanted = -sum(
        np.where(p > 0, p * np.log2(np.clip(p, 1e-300, None)), 0.0) for p in (share, 1 - share)
    )
    half = simulate(brain, _SYNAPSE, 1, times).excitation.values
    data = xr.Dataset(
        {
            "excitation": (("tau_r", "time"), excitation),
            "r": (("tau_r", "time"), np.stack([run.r.values for run in runs])),
            "frequency": ("tau_r", rate * np.array(paces)),
            "entropy": ("phase", entropy),
            "orbit_excitation": ("phase", orbit.excitation(s)),
        },
        {"tau_r": list(taus), "time": times, "phase": s},
        {"neurons": 2, "gamma": _GAMMA, "g0": _G0, "initial": "silent"},
    )
    return told_study(
        "two-neurons",
        "The smallest brain: two neurons in full",
        data,
        {
            "largest error of the closed form": error,
            "frequency in s": rate,
            **{
                f"frequency in time, tau_r = {tau:g}": rate * pace
                for tau, pace in zip(taus, paces, strict=True)
            },
            "largest entropy, bits": float(entropy.max()),
            "movement from one active neuron": float(np.ptp(half)),
        },
        agreement=float(np.abs(entropy - wanted).max()),
    )
