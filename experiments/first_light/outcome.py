"""The outcome of a check: table, numbers, recommendation, picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import xarray as xr
from qiskit import QuantumCircuit

from qbrain.backends.compile import two_qubit_gates

from ..engine.experiment import Bench, Fit, Outcome, Reading, Verdict
from ..engine.measures import netcdf_attributes, rms
from .advice import GOAL, Advice, advise
from .config import CheckConfig
from .expectation import Expectation, calibrated_cut, expectations
from .judging import AS_EXPECTED, Judged, judge
from .numbers import DeviceNumbers, device_numbers
from .picture import draw
from .probes import Probe

__all__ = ["outcome_of", "verdict_of"]


def outcome_of(
    config: CheckConfig,
    bench: Bench,
    probes: Sequence[Probe],
    circuits: Sequence[QuantumCircuit],
    readings: Sequence[Reading],
    left_out: Sequence[str],
    where: str,
) -> Outcome:
    """What the readings of a check say; no file, no drawing.

    ``circuits``: those of the probes in the target's gates; ``where``: they were run, in words.
    """
    part = calibrated_cut(config, bench)
    expected = expectations(probes, circuits, part, config.seed or 0)
    counts = [reading.counts for reading in readings]
    judged = judge(probes, counts, expected, [two_qubit_gates(each) for each in circuits])
    numbers = device_numbers(probes, judged, circuits, part)
    advice: list[Advice] = []
    if config.most_neurons and numbers.any and not any(one.wrong for one in judged):
        advice = advise(config.backend, bench.target, numbers, config.most_neurons)
    verdict = verdict_of(judged)
    title = f"First light: {where}"
    result = {
        "where": where,
        "shots": judged[0].shots,
        "checks": [_row(one) for one in judged],
        "left_out": list(left_out),
        "expectation": _source(config, part is not None, bench.details),
        "numbers": numbers.record(),
        "recommendation": _recommended(config, judged, numbers, advice),
        "recommendations": [each.record() for each in advice],
    }
    errors = np.array([one.error - one.expected_error for one in judged])
    spread = [np.sqrt(one.expected_error * (1 - one.expected_error) / one.shots) for one in judged]
    fit = Fit(
        "fraction of wrong outcomes, against the expected one",
        rms(errors),
        max_error=float(np.max(np.abs(errors))),
        shot_error=rms(spread),
    )
    return Outcome(
        title,
        _dataset(config, probes, judged, expected),
        fit,
        result,
        verdict,
        lambda: draw(judged, numbers, title),
        template="first_light/report.html.jinja",
    )


def _row(one: Judged) -> dict[str, Any]:
    row = asdict(one)
    return {**row, "right": list(one.right), "counts": dict(one.counts)}


def _source(config: CheckConfig, calibrated: bool, details: Mapping[str, Any]) -> str:
    """Where the expectations come from, in words."""
    if not calibrated:
        return "no errors: the backend has none, or does not tell them"
    when = f" of {details['calibration']}" if "calibration" in details else ""
    form = f", noise {config.noise}" if config.backend.startswith("fake_") else ""
    return f"the device's calibration{when}{form}"


def verdict_of(judged: Sequence[Judged]) -> Verdict:
    """What the table says as a whole."""
    wrong = [one for one in judged if one.wrong]
    noisier = [one for one in judged if one.noisier]
    if wrong:
        causes = dict.fromkeys(one.verdict.removeprefix("wrong: ") for one in wrong)
        orders = [one for one in wrong if one.kind == "order"]
        # circuits of orders name an order for certain; others only see that something fits
        first = orders[0].verdict.removeprefix("wrong: ") if orders else next(iter(causes))
        return Verdict("poor", f"Wrong: {first}. {len(wrong)} of {len(judged)} circuits are wrong.")
    if noisier:
        known = [one for one in noisier if one.factor is not None]
        by = f", by up to a factor of {max(one.factor or 0 for one in known):.1f}" if known else ""
        names = ", ".join(one.name for one in noisier)
        return Verdict(
            "fair", f"Nothing is wrong; {len(noisier)} of {len(judged)} circuits are noisier than "
            f"expected{by}: {names}.",
        )  # fmt: skip
    return Verdict("good", f"All {len(judged)} circuits are {AS_EXPECTED}.")


def _recommended(
    config: CheckConfig,
    judged: Sequence[Judged],
    numbers: DeviceNumbers,
    advice: Sequence[Advice],
) -> str:
    """The recommendation as a sentence."""
    if any(one.wrong for one in judged):
        return "None: what is wrong has to be found first."
    if not config.most_neurons:
        return "None was asked for."
    if not numbers.any:
        return "The backend has no errors: any N that can be simulated."
    if not advice:
        return f"No form of the brain is expected to reach an RMSE of {GOAL:g} of E."
    parts = []
    for encoding in dict.fromkeys(one.encoding for one in advice):
        mine = [one for one in advice if one.encoding == encoding]
        best = mine[0]
        most = ", the most looked at" if best.neurons == config.most_neurons else ""
        parts.append(
            f"encoding {encoding}, evolution {best.evolution}, mitigation {best.mitigation}: "
            f"N = {best.neurons}{most} (expected RMSE {best.expected_rmse:.3f}, "
            f"{best.two_qubit_gates} two-qubit gates)"
        )
    return f"To an RMSE of {GOAL:g} of E: {'; '.join(parts)}."


def _dataset(
    config: CheckConfig,
    probes: Sequence[Probe],
    judged: Sequence[Judged],
    expected: Sequence[Expectation],
) -> xr.Dataset:
    most = max(one.bits for one in probes)
    shape = (len(probes), 2**most)
    counts, ideal, calibrated = np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape)
    for k, (one, row, wanted) in enumerate(zip(probes, judged, expected, strict=True)):
        for word, number in row.counts.items():
            counts[k, int(word, 2)] = number
        ideal[k, : 2**one.bits] = one.ideal
        calibrated[k, : 2**one.bits] = wanted.chances
    table = ("check", "outcome")
    return xr.Dataset(
        {
            "counts": (table, counts, {"long_name": "shots of each outcome"}),
            "ideal": (table, ideal, {"long_name": "probability without errors"}),
            "expected": (table, calibrated, {"long_name": "probability by the calibration"}),
            "error": ("check", [one.error for one in judged]),
            "expected_error": ("check", [one.expected_error for one in judged]),
            "bound": ("check", [one.bound for one in judged]),
        },
        coords={"check": [one.name for one in judged], "outcome": np.arange(2**most)},
        attrs=netcdf_attributes(config),
    )
