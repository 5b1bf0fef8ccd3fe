"""Whether a snapshot predicts what its device measured: fit on some circuits, predict others."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbrain.backends.device_noise import CALIBRATED, NoiseScale
from qbrain.backends.snapshot import load, snapshot_names

from ..engine.progress import progress
from ..errors import ConfigError
from .counts import CircuitClass, DeviceCounts, read_counts
from .distances import bootstrap, hellinger, interval, leakage, total_variation
from .mitigations import MITIGATIONS, Gain, baseline_readout, gain_of
from .noise_fit import Fit, fit_noise, refit, split_groups
from .predictions import Predictions

__all__ = ["CANDIDATES", "FREE", "check_device"]

Array = NDArray[np.float64]
# what is fitted: larger sets predict held-out circuits no better (docs/device-check.md)
FREE = ("gates", "readout")
CANDIDATES = (
    ("gates",),
    ("readout",),
    ("gates", "readout"),
    ("gates", "readout", "waiting"),
    ("gates", "readout", "phase"),
)
FIT_DRAWS, COUNT_DRAWS = 60, 200
MEANS = {
    "gates": "factor on the calibrated infidelity of every gate",
    "readout": "added to both readout errors of every qubit, for each qubit in use",
    "waiting": "factor on 1/T1 and 1/T2 of waiting qubits",
    "phase": "angle of a coherent ZZ error of every two-qubit gate",
}


def check_device(
    counts: Path,
    predict: Path | None = None,
    *,
    snapshot: str | None = None,
    seed: int = 0,
    compare: bool = False,
) -> dict[str, Any]:
    """Fit a snapshot's noise to counts and predict others.

    Args:
        counts: a file of counts (see :func:`qbrain.experiments.devices.counts.read_counts`).
        predict: counts that are predicted, none of which takes part in the fit; without it, every
            second depth of ``counts`` is held out, chosen by the seed.
        snapshot: ``fake_<device>``; the device's own if not given.
        seed: of the split and of all draws.
        compare: fit other sets of numbers too, and tell how well each predicts.

    Returns:
        The JSON object of the command, without the folder.

    Raises:
        ConfigError: a file that is no file of counts, no such snapshot, or too few classes.
    """
    began = time.perf_counter()
    given = read_counts(counts)
    other = None if predict is None else read_counts(predict)
    name = _snapshot_of(given, snapshot)
    if other is None:
        fitted, held = split_groups(given.dynamic, seed)
    else:
        fitted, held = list(given.dynamic), list(other.dynamic)
    baselines = [one for one in given.classes if one.baseline]
    if other is not None:
        held_names = {one.name for one in held}
        fitted = [one for one in fitted if one.name not in held_names]
        known = {one.name for one in baselines}
        baselines += [one for one in other.classes if one.baseline and one.name not in known]
    if not fitted or not held:
        raise ConfigError(
            "counts: wanted circuits with gates to fit and others to predict, got "
            f"{len(fitted)} and {len(held)}"
        )
    every = [*baselines, *fitted, *held]
    plain = Predictions(name, every)
    wide = Predictions(name, [*fitted, *held], free=("gates", "waiting")) if compare else None
    turned = Predictions(name, [*fitted, *held], free=("gates", "phase")) if compare else None
    tables = [table for table in (plain, wide, turned) if table is not None]
    with progress(sum(table.work for table in tables), what="simulating") as tick:
        for table in tables:
            table.prepare(tick)
    fit = fit_noise(plain, fitted, FREE, draws=FIT_DRAWS, seed=seed)
    generator = np.random.default_rng(seed)
    rows = [
        _row(one, plain, fit, "fit" if one in fitted else "baseline" if one.baseline else
             "held out", generator)
        for one in every
    ]  # fmt: skip
    gains = _gains(baselines, [*fitted, *held], plain, fit.scale, seed)
    device = load(name)
    record: dict[str, Any] = {
        "check": "device-check",
        "backend": f"counts of {given.device}; predictions simulated from {name}",
        "device": given.device,
        "measured": list(given.when),
        "counts": str(counts),
        "predict": None if predict is None else str(predict),
        "snapshot": name,
        "calibration": device.calibration,
        "chains": {str(n): list(part.place.qubits) for n, part in plain.parts.items()},
        "seed": seed,
        "split": {
            "rule": "the other file"
            if other is not None
            else "every second depth of each number of qubits, in the seed's random order",
            "fit": [one.name for one in fitted],
            "held_out": [one.name for one in held],
        },
        "fitted": {
            number: {
                "value": getattr(fit.scale, number),
                "interval": list(fit.intervals[number]),
                "means": MEANS[number],
            }
            for number in fit.free
        },
        "calibrated_backend": {number: getattr(CALIBRATED, number) for number in FREE},
        "prediction": _prediction(rows),
        "readout": _readout(baselines, plain, fit.scale),
        "mitigations": [{**asdict(gain), "verdict": gain.verdict} for gain in gains],
        "classes": rows,
    }
    if compare:
        assert wide is not None
        assert turned is not None
        record["candidates"] = _candidates(plain, wide, turned, fitted, held)
    record["verdicts"] = _verdicts(record)
    record["wall_seconds"] = round(time.perf_counter() - began, 3)
    return record


def _snapshot_of(given: DeviceCounts, name: str | None) -> str:
    name = name or f"fake_{given.device.removeprefix('ibm_')}"
    if name not in snapshot_names():
        raise ConfigError(f"snapshot: wanted one of qbrain backends, got {name}")
    return name


def _row(
    one: CircuitClass, table: Predictions, fit: Fit, used: str, generator: np.random.Generator
) -> dict[str, Any]:
    """All numbers of one class."""
    forms = {
        "ideal": one.ideal,
        "snapshot": table.plain(one),
        "waiting": table.at(one, NoiseScale()),
        "model": table.at(one, fit.scale),
    }
    row: dict[str, Any] = {
        "class": one.name,
        "neurons": one.qubits,
        "steps": one.steps,
        "initial": one.initial,
        "used": used,
        "repetitions": len(one.counts),
        "shots": int(one.counts.sum()),
    }
    measures: dict[str, Callable[[Array], float]] = {}
    if one.parity is not None:
        measures["leakage_real"] = partial(leakage, parity=one.parity)
        for form in ("snapshot", "waiting", "model"):
            row[f"leakage_{form}"] = leakage(forms[form], one.parity)
    for form, predicted in forms.items():
        measures[f"tvd_{form}"] = partial(total_variation, predicted)
        measures[f"hellinger_{form}"] = partial(hellinger, predicted)
    for name, measure in measures.items():
        row[name] = measure(one.distribution)
        low, high = interval(bootstrap(one.counts, measure, COUNT_DRAWS, generator))
        if name == "tvd_model":
            # what is fitted is uncertain too
            moved = [measure_at(one, table, scale) for scale in fit.drawn]
            spread = interval(np.array(moved)) if moved else (low, high)
            low, high = min(low, spread[0]), max(high, spread[1])
        row[f"{name}_interval"] = [low, high]
    return row


def measure_at(one: CircuitClass, table: Predictions, scale: NoiseScale) -> float:
    """Total variation distance of a class to its prediction at these numbers."""
    return total_variation(one.distribution, table.at(one, scale))


def _prediction(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Mean and largest distance of held-out classes, for each number of qubits."""
    found = []
    for used in ("fit", "held out"):
        own = [row for row in rows if row["used"] == used]
        for qubits in sorted({row["neurons"] for row in own}):
            some = [row for row in own if row["neurons"] == qubits]
            entry: dict[str, Any] = {"used": used, "neurons": qubits, "classes": len(some)}
            for form in ("ideal", "snapshot", "waiting", "model"):
                values = [row[f"tvd_{form}"] for row in some]
                entry[f"tvd_{form}_mean"] = float(np.mean(values))
                entry[f"tvd_{form}_max"] = float(np.max(values))
            found.append(entry)
    return found


def _readout(
    baselines: Sequence[CircuitClass], table: Predictions, scale: NoiseScale
) -> list[dict[str, Any]]:
    """Readout error of the baselines, of the snapshot's chain and as fitted to circuits."""
    return [
        {
            "neurons": qubits,
            "baselines": float(errors.mean()),
            "snapshot": float(table.parts[qubits].readout.mean()),
            "model": float(table.parts[qubits].readout.mean()) + min(qubits, 8) * scale.readout,
        }
        for qubits, errors in baseline_readout(baselines).items()
    ]


def _gains(
    baselines: Sequence[CircuitClass],
    classes: Sequence[CircuitClass],
    table: Predictions,
    scale: NoiseScale,
    seed: int,
) -> list[Gain]:
    """Every mitigation on all classes with gates that it applies to."""

    def snapshot(one: CircuitClass) -> tuple[Array, Array]:
        return table.plain(one), table.parts[one.qubits].readout

    def model(one: CircuitClass) -> tuple[Array, Array]:
        # read out with the model's errors, corrected by what baselines show of them
        measured = errors.get(one.qubits, table.parts[one.qubits].readout)
        return table.at(one, scale), measured

    errors = baseline_readout(baselines)
    found = [
        gain_of(name, classes, errors, snapshot, model, draws=COUNT_DRAWS, seed=seed)
        for name in MITIGATIONS
    ]
    return [gain for gain in found if gain is not None]


def _candidates(
    plain: Predictions,
    wide: Predictions,
    turned: Predictions,
    fitted: Sequence[CircuitClass],
    held: Sequence[CircuitClass],
) -> list[dict[str, Any]]:
    """How well each set of free numbers predicts what it was not fitted to."""
    rows = []
    for free in CANDIDATES:
        table = wide if "waiting" in free else turned if "phase" in free else plain
        scale = refit(table, fitted, free)
        away = [measure_at(one, table, scale) for one in held]
        inside = [measure_at(one, table, scale) for one in fitted]
        rows.append(
            {
                "free": list(free),
                "values": {name: getattr(scale, name) for name in free},
                "tvd_fit_mean": float(np.mean(inside)),
                "tvd_held_out_mean": float(np.mean(away)),
                "tvd_held_out_max": float(np.max(away)),
            }
        )
    return rows


def _verdicts(record: Mapping[str, Any]) -> list[str]:
    """What follows from the numbers, a sentence each."""
    held = [row for row in record["prediction"] if row["used"] == "held out"]
    sentences = []
    for row in held:
        better = row["tvd_model_mean"] < row["tvd_snapshot_mean"]
        sentences.append(
            f"{row['neurons']} qubits, {row['classes']} held-out classes: the fitted model is "
            f"{'closer to' if better else 'no closer to'} the device than the snapshot "
            f"(mean total variation distance {row['tvd_model_mean']:.3f} against "
            f"{row['tvd_snapshot_mean']:.3f}; largest {row['tvd_model_max']:.3f} against "
            f"{row['tvd_snapshot_max']:.3f})."
        )
    leaks = [
        (row["leakage_real"], row["leakage_snapshot"])
        for row in record["classes"]
        if "leakage_real" in row and row["used"] != "baseline"
    ]
    if leaks:
        low = sum(snapshot < real for real, snapshot in leaks)
        sentences.append(
            f"The snapshot's parity leakage is below the device's in {low} of {len(leaks)} classes."
        )
    for row in record["readout"]:
        if row["baselines"] < row["model"] / 2:
            sentences.append(
                f"{row['neurons']} qubits: baselines show a readout error of "
                f"{row['baselines']:.4f}, circuits behave as with {row['model']:.4f}: an error "
                "that occurs once in a circuit and that baselines do not show."
            )
    for gain in record["mitigations"]:
        sentences.append(
            f"{gain['name']}: lowers the distance to the ideal distribution by "
            f"{100 * gain['gain']:.0f} % on the device and by {100 * gain['snapshot']:.0f} % on "
            f"the snapshot: {gain['verdict']}."
        )
    return sentences
