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

from .study import Study, free_run

__all__ = ["coupled", "decoherence", "single_shots"]

_GAMMA, _G0 = 0.8, 1.0


def single_shots() -> Study:
    """Each brain under its own weak measurement, against the ensemble's law."""
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
    return Study(
        "single-shots",
        "Single shots: a brain that measures itself",
        "The paper feeds the ensemble's mean activity back. What does one brain do that has only "
        "its own weak, non-destructive shots?",
        f"Ancilla shots of strength {strength:g} on N = 20, 400 trajectories, t up to "
        f"{duration:g}. If shots did not disturb, their noise would average out: with {shots[-1]} "
        f"of them the mean E stays within {rows['without'][-1]:.4f} (RMS) of the law. They do "
        f"disturb: the RMS distance is {rows['with'][0]:.3f}, {rows['with'][1]:.3f} and "
        f"{rows['with'][2]:.3f} with {shots[0]}, {shots[1]} and {shots[2]} shots. The better the "
        "synapse knows the activity, the more the oscillation is dephased. And no brain does what "
        f"the mean does: {crossed} of the eight trajectories kept rise above E = ½, in jumps "
        f"between two wells, while the mean never passes {highest:.2f}.",
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
    )


def decoherence() -> Study:
    """Local and collective jumps at the same total rate."""
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
    return Study(
        "decoherence",
        "Decoherence: decay and dephasing, of each neuron and of all together",
        "How much noise does the rhythm bear, and does it matter whether neurons decay alone?",
        f"N = 10, rates in units of the coupling, collective ones divided by N. At 0.03 the "
        f"oscillation between t = 40 and 60 keeps {ratio[0]:.0%} of its size under local decay, "
        f"{ratio[1]:.0%} under local dephasing, {ratio[2]:.0%} under collective decay and "
        f"{ratio[3]:.0%} under collective dephasing. Local decay takes the brain out of the "
        f"symmetric states: their weight at t = 60 is {spin:.3f}, while collective jumps keep to "
        "them.",
        data,
        {
            **{f"swing kept at 0.03, {kind}": float(x)
               for kind, x in zip(kinds, ratio, strict=True)},
            "symmetric weight at 0.03, local decay": spin,
            "purity at 0.03, local decay": float(purity[0, 3]),
        },
    )  # fmt: skip


def coupled() -> Study:
    """Two brains, one of them stimulated: does the other remember?"""
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
    b_soon, b_late = float(shift["soon"][chosen, 1]), float(shift["late"][chosen, 1])
    moving = float(spread[chosen, :, 1].max())
    return Study(
        "coupled",
        "Two coupled brains: a trace of a stimulus",
        "The paper proposes coupling brains with different feedback, towards a working memory. "
        "Does a pulse on one leave a trace in the other?",
        f"Brains of 8, τ_r = 0.3 (A, stimulated from t = 20 to 28) and 5 (B), coupled by "
        f"−(2c/16) J_x J_x. Uncoupled, B knows nothing of the pulse. At c = "
        f"{strengths[chosen]:g} its level is {b_soon:+.2f} away from the run without a pulse for "
        f"t = 40 to 80, and {b_late:+.2f} for t = 150 to 200, where B moves about by "
        f"{moving:.2f}: a level that can be read for tens of time units and is then lost in B's "
        "own motion. No attractor holds it. The brains end up entangled by up to "
        f"{entropy[chosen].max():.2f} bits.",
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
