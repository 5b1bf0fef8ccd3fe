"""Studies of the disturbed brain: single shots, decoherence, and a second brain."""

from __future__ import annotations

import numpy as np
import xarray as xr

from qbrain.classical_feedback.synapse import Synapse
from qbrain.reference.lmg import LMG
from qbrain.reference.lmg.coupled import simulate_coupled
from qbrain.reference.lmg.decoherence import Rates, simulate_open
from qbrain.reference.lmg.stimulus import pulse
from qbrain.reference.lmg.weak_measurement import simulate_single_shots

from ...papers.figures import Study
from .model import free_run, told_study

__all__ = ["coupled", "decoherence", "single_shots"]

_GAMMA, _G0 = 0.8, 1.0


def single_shots() -> Study:
    """Run each brain under its own weak measurement, against the ensemble's law."""
    brain, synapse = LMG(20, _GAMMA, _G0), Synapse(tau_r=1.0)
    duration, shots = 24.0, (60, 240, 960)
    strength = 0.5
    rows: dict[str, list[float]] = {"with": [], "without": [], "noise": []}
    kept: dict[str, xr.Dataset] = {}
    for steps in shots:
        for name, backaction in (("with", True), ("without", False)):
            run = simulate_single_shots(
                *(brain, synapse, "silent", duration, steps),
                strength=strength, trajectories=400, backaction=backaction,
            )  # fmt: skip
            law = free_run(20, "silent", run.time.values).excitation
            rows[name].append(float(np.sqrt(np.mean((run.excitation - law) ** 2))))
            if backaction:
                rows["noise"].append(float(run.excitation_stderr.mean()))
            if steps == shots[1]:
                kept[name] = run
    times = kept["with"].time.values
    single = kept["with"].one_excitation.values
    crossed = int((single.max(axis=0) > 0.5).sum())
    highest = float(kept["with"].excitation.max())
    data = xr.Dataset(
        {
            "excitation": ("time", kept["with"].excitation.values),
            "excitation_stderr": ("time", kept["with"].excitation_stderr.values),
            "excitation_undisturbed": ("time", kept["without"].excitation.values),
            "law": ("time", free_run(20, "silent", times).excitation.values),
            "one_excitation": (("time", "trajectory"), kept["with"].one_excitation.values),
            "one_r": (("time", "trajectory"), kept["with"].one_r.values),
            "deviation": ("shots", np.array(rows["with"])),
            "deviation_undisturbed": ("shots", np.array(rows["without"])),
        },
        {"time": times, "shots": list(shots)},
        {"neurons": 20, "gamma": _GAMMA, "g0": _G0, "tau_r": 1.0, "strength": strength,
         "trajectories": 400, "seed": 0},
    )  # fmt: skip
    return told_study(
        "single-shots",
        "Single shots: a brain that measures itself",
        data,
        {
            **{f"RMS distance, {n} shots": x for n, x in zip(shots, rows["with"], strict=True)},
            **{
                f"RMS distance without backaction, {n} shots": x
                for n, x in zip(shots, rows["without"], strict=True)
            },
            "standard error of the ensemble": rows["noise"][1],
            "trajectories above E = 1/2, of eight": crossed,
            "highest mean E": highest,
        },
        strength=strength,
        duration=duration,
        shots=shots,
    )


def decoherence() -> Study:
    """Compare local and collective jumps at the same total rate."""
    brain, synapse = LMG(10, _GAMMA, _G0), Synapse(tau_r=1.0)
    times = np.linspace(0, 60, 601)
    strengths = np.array([0.0, 0.003, 0.01, 0.03, 0.1])
    kinds = ("decay", "dephasing", "collective_decay", "collective_dephasing")
    curves = np.empty((len(kinds), len(strengths), len(times)))
    symmetric, purity = np.empty(curves.shape[:2]), np.empty(curves.shape[:2])
    for i, kind in enumerate(kinds):
        for k, rate in enumerate(strengths):
            # one jump of J₋ weighs like those of N neurons: the same loss from one active neuron
            value = rate / brain.neurons if kind.startswith("collective") else rate
            run = simulate_open(
                brain, synapse, "silent", times, Rates(**{kind: float(value)}), tolerance=1e-7
            )
            curves[i, k] = run.excitation
            symmetric[i, k], purity[i, k] = float(run.symmetric[-1]), float(run.purity[-1])
    late = times > 40
    left = curves[:, :, late].std(axis=2)
    data = xr.Dataset(
        {
            "excitation": (("kind", "rate", "time"), curves),
            "swing_left": (("kind", "rate"), left),
            "symmetric": (("kind", "rate"), symmetric),
            "purity": (("kind", "rate"), purity),
        },
        {"kind": list(kinds), "rate": strengths, "time": times},
        {"neurons": 10, "gamma": _GAMMA, "g0": _G0, "tau_r": 1.0, "initial": "silent",
         "collective_rates": "rate/N"},
    )  # fmt: skip
    ratio = left[:, 3] / left[:, 0]
    spin = float(symmetric[0, 3])
    return told_study(
        "decoherence",
        "Decoherence: decay and dephasing, of each neuron and of all together",
        data,
        {
            **{f"swing kept at 0.03, {kind}": float(x)
               for kind, x in zip(kinds, ratio, strict=True)},
            "symmetric weight at 0.03, local decay": spin,
            "purity at 0.03, local decay": float(purity[0, 3]),
        },
    )  # fmt: skip


def coupled() -> Study:
    """Couple two brains, stimulate one, and ask whether the other remembers."""
    models = [LMG(8, _GAMMA, _G0), LMG(8, _GAMMA, _G0)]
    synapses = [Synapse(tau_r=0.3), Synapse(tau_r=5.0)]
    times = np.linspace(0, 200, 1001)
    stimuli = [pulse(0.8, 20.0, 8.0), None]
    strengths = np.array([0.0, 0.1, 0.2, 0.4, 0.8])
    curves = np.empty((len(strengths), 2, len(times), 2))
    entropy = np.empty((len(strengths), len(times)))
    for k, c in enumerate(strengths):
        for hit in (0, 1):
            run = simulate_coupled(
                *(models, synapses, ["silent", "silent"], times, float(c)),
                stimuli=stimuli if hit else (None, None),
                tolerance=1e-6,
            )
            curves[k, hit] = run.excitation
        entropy[k] = run.entropy
    soon, late = (times > 40) & (times <= 80), times > 150
    # (coupling, pulse, brain): where a brain stands, and how much it moves about there
    level = {name: curves[:, :, w].mean(axis=2) for name, w in (("soon", soon), ("late", late))}
    spread = curves[:, :, late].std(axis=2)
    shift = {name: values[:, 1] - values[:, 0] for name, values in level.items()}
    data = xr.Dataset(
        {
            "excitation": (("coupling", "pulse", "time", "brain"), curves),
            "entropy": (("coupling", "time"), entropy),
            "shift_soon": (("coupling", "brain"), shift["soon"]),
            "shift_late": (("coupling", "brain"), shift["late"]),
            "spread_late": (("coupling", "pulse", "brain"), spread),
        },
        {"coupling": strengths, "pulse": ["no", "yes"], "time": times, "brain": ["A", "B"]},
        {"neurons": 8, "gamma": _GAMMA, "g0": _G0, "tau_r_A": 0.3, "tau_r_B": 5.0,
         "stimulus": "pulse of 0.8 on A from 20 to 28"},
    )  # fmt: skip
    chosen = 3
    moving = float(spread[chosen, :, 1].max())
    return told_study(
        "coupled",
        "Two coupled brains: a trace of a stimulus",
        data,
        {
            **{
                f"level of B moved by, c = {c:g}, {name}": float(x)
                for name in ("soon", "late")
                for c, x in zip(strengths, shift[name][:, 1], strict=True)
            },
            "B moves about by, c = 0.4": moving,
            "largest entanglement at c = 0.4, bits": float(entropy[chosen].max()),
        },
    )
