"""Figures 7, 8, 9 and 12: voltage and conductance over time, and the loop they settle on."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import xarray as xr

from qbrain.reference.hodgkin_huxley.channel_drives import ClassicalDrive, CoherentDrive
from qbrain.reference.hodgkin_huxley.quantized_channel import printed_voltage, steady_voltage

from ...papers.figures import Comparison, Parameter, Variation
from .measures import Rise, fock_state, rise
from .model import (
    CHANNEL,
    CLOSED,
    OPEN,
    PHASES,
    RESTING,
    THETA,
    AnyDrive,
    PaperFigure,
    channel_parameters,
    classical,
    coherent,
    cycle,
    entangled,
    paper_figure,
    printed_cycle,
    source_parameters,
    traced,
)
from .trajectories import STARTS, TIMES, peak, potassium_alone, response, settling, spread, swing

__all__ = ["figure_7", "figure_8", "figure_9", "figure_12"]

_UNITS = {"voltage": "mV", "conductance": "mS/cm^2", "current": "uA/cm^2", "n": "1"}
_LONG = {
    "voltage": "membrane voltage from rest",
    "conductance": "potassium conductance",
    "current": "input current",
    "n": "potassium activation",
}


def figure_7() -> PaperFigure:
    """Recompute the quantized channel under a classical source."""
    drive = classical()
    laws = {law: (drive, law) for law in ("closed", "circuit", "printed")}
    data, measures = _data(laws, RESTING)
    peak = {law: float(data.voltage.sel(law=law).max()) for law in laws}
    settled = settling(drive, RESTING)
    return paper_figure(
        7,
        "Quantized channel, classical source",
        (*channel_parameters(), _amplitude(), _resting(), _window()),
        data,
        (
            Variation(
                "initial_n", f"{RESTING:.3f} (V = V_K)", f"{CLOSED:g}", "first peak of V, mV",
                peak["closed"], float(response(drive, CLOSED).voltage.max()),
            ),
            _amplitude_variation(drive),
        ),
        measures,
        _comparisons(drive, data, "60.96 (model B, unit not stated)"),
        peak=peak,
        highest=float(cycle(drive).voltage.max()),
        settled=settled,
        loop_area=cycle(drive).area,
        circuit_area=cycle(drive, dynamic=True).area,
    )  # fmt: skip


def figure_8() -> PaperFigure:
    """Recompute the classical model, potassium alone."""
    drive, run = classical(), potassium_alone()
    same = response(drive, RESTING, "circuit")
    apart = float(np.abs(run.voltage.values - same.voltage.values).max())
    settled = rise(TIMES, run.conductance_K.values, drive.period)
    peaks = [peak(run.voltage.values, drive.period, k) for k in (0, -1)]
    area = cycle(drive, dynamic=True).area
    data = xr.Dataset(
        {
            "voltage": ("time", run.voltage.values, _attributes("voltage")),
            "conductance": ("time", run.conductance_K.values, _attributes("conductance")),
            "current": ("time", run.current.values, _attributes("current")),
            "quantized_voltage": ("time", same.voltage.values, _attributes("voltage")),
            "quantized_conductance": ("time", same.conductance.values, _attributes("conductance")),
        },
        {"time": ("time", TIMES, {"long_name": "time", "units": "ms"})},
    )
    measures = {
        "first peak of V, mV": peaks[0],
        "last peak of V, mV": peaks[1],
        "largest difference from the quantized channel's circuit, mV": apart,
        "area of the loop, mV µA/cm²": area,
        **_settled(settled),
    }
    return paper_figure(
        8,
        "Classical model, potassium alone",
        (
            *channel_parameters(),
            _amplitude(),
            Parameter("initial_voltage", 0.0),
            _resting(),
            _window(),
        ),
        data,
        (_amplitude_variation(drive),),
        measures,
        (Comparison("area of the loop, mV µA/cm²", area, None, "21.83 (model A)"),),
        peaks=peaks,
        settled=settled,
        apart=apart,
    )


def figure_9() -> PaperFigure:
    """Recompute the quantized channel under a coherent source."""
    drive = coherent()
    laws = {law: (drive, law) for law in ("closed", "circuit", "printed")}
    data, measures = _data(laws, CLOSED)
    settled, circuit = settling(drive, CLOSED), settling(drive, CLOSED, "circuit")
    swings = [swing(response(drive, CLOSED), drive.period, k) for k in (0, -1)]
    measures |= {"swing of V, first period, mV": swings[0], "swing of V, last, mV": swings[1]}
    return paper_figure(
        9,
        "Quantized channel, coherent source (α₀ = 1)",
        (*channel_parameters(), *source_parameters(1.0), _closed(), _window()),
        data,
        (_start_variation(drive), _frequency_variation()),
        measures,
        _comparisons(drive, data, "102.32 (model C)"),
        settled=settled,
        swings=swings,
        circuit=circuit,
    )


def figure_12() -> PaperFigure:
    """Recompute the quantized channel under an entangled source, α₀ = 1."""
    drive, multiplied = entangled(), entangled(normalised=False)
    laws = {
        "closed": (drive, "closed"),
        "circuit": (drive, "circuit"),
        "unnormalised": (multiplied, "closed"),
        "printed": (multiplied, "printed"),
    }
    data, measures = _data(laws, CLOSED)
    apart = float(
        np.abs(response(drive, CLOSED).voltage - response(coherent(), CLOSED).voltage).max()
    )
    off = max(abs(fock_state(THETA, alpha).flux - alpha) for alpha in np.linspace(0, 1, 11))
    ratio = cycle(multiplied).area / cycle(drive).area
    measures |= {
        "largest difference of V from the coherent source's, mV": apart,
        "largest error of <a1 + a2> = α, Fock space": off,
        "area unnormalised/normalised": ratio,
    }
    return paper_figure(
        12,
        "Quantized channel, entangled source (α₀ = 1)",
        (*channel_parameters(), *source_parameters(1.0, theta=True), _closed(), _window()),
        data,
        (_start_variation(drive), _theta_variation()),
        measures,
        _comparisons(multiplied, data, "157.75 (model D, θ = π/4)", law="unnormalised"),
        off=off,
        ratio=ratio,
    )


def _data(
    laws: Mapping[str, tuple[AnyDrive, str]], start: float
) -> tuple[xr.Dataset, dict[str, float]]:
    """Collect trajectories and limit cycles by each law, and their metrics."""
    names = ("voltage", "conductance", "current", "n")
    runs = {name: response(drive, start, law) for name, (drive, law) in laws.items()}
    loops = {
        name: printed_cycle(drive) if law == "printed" else cycle(drive, dynamic=law == "circuit")
        for name, (drive, law) in laws.items()
    }
    found = {
        name: (("law", "time"), np.stack([run[name].values for run in runs.values()]), None)
        for name in names
    }
    for row, (drive, law) in enumerate(laws.values()):
        if law == "printed" and not isinstance(drive, ClassicalDrive):
            found["current"][1][row] = drive.printed_current(TIMES)
    curves = [traced(loop) for loop in loops.values()]
    for k, name in enumerate(("current", "voltage")):
        values = np.stack([curve[k] for curve in curves])
        found[f"cycle_{name}"] = (("law", "phase"), values, None)
    drive = next(iter(laws.values()))[0]
    starts = np.stack([response(drive, n).conductance.values for n in STARTS])
    found["start_conductance"] = (("start", "time"), starts, None)
    data = xr.Dataset(
        {
            name: (dims, values, _attributes(name.split("_")[-1]))
            for name, (dims, values, _) in found.items()
        },
        {
            "law": list(laws),
            "start": list(STARTS),
            "time": ("time", TIMES, {"long_name": "time", "units": "ms"}),
            "phase": ("phase", np.linspace(0, 1, PHASES + 1), {"units": "period"}),
        },
    )
    measures = {
        f"area of the loop, {name}, mV µA/cm²": loop.area if loop else math.nan
        for name, loop in loops.items()
    }
    first, last = spread(drive)
    measures |= _settled(settling(drive, start))
    measures |= {
        "multiplier of the limit cycle": cycle(drive).multiplier,
        "spread of V over starts, first period": first,
        "spread of V over starts, last period": last,
    }
    return data, {name: x for name, x in measures.items() if not math.isnan(x)}


def _settled(settled: Rise) -> dict[str, float]:
    return {
        "conductance, first mean": settled.first,
        "conductance, last mean": settled.last,
        "conductance, steepest after, ms": settled.delay,
        "conductance, largest fall/rise": settled.fall,
        "conductance, left in the last period": settled.left,
    }


def _comparisons(
    drive: AnyDrive, data: xr.Dataset, paper: str, law: str = "closed"
) -> tuple[Comparison, ...]:
    """Compare ours with the printed formulas', and these at the same impedance."""
    loop, printed = cycle(drive), printed_cycle(drive)
    right = steady_voltage(CHANNEL, drive, loop.impedance, loop.times)
    wrong = printed_voltage(CHANNEL, drive, loop.impedance, loop.times)
    ours, other = data.sel(law=law), data.sel(law="printed")
    return (
        Comparison(
            "area of the loop, mV µA/cm²", loop.area, printed.area if printed else None, paper
        ),
        Comparison(
            "highest V of the limit cycle, mV",
            float(loop.voltage.max()),
            None if printed is None else float(printed.voltage.max()),
        ),
        Comparison(
            "lowest V of the limit cycle, mV",
            float(loop.voltage.min()),
            None if printed is None else float(printed.voltage.min()),
        ),
        Comparison(
            "last conductance, mS/cm²",
            float(ours.conductance[-1]),
            float(other.conductance[-1]),
        ),
        Comparison(
            "largest error of V at the same impedance, mV", 0.0, float(np.abs(wrong - right).max())
        ),
    )


def _amplitude_variation(drive: ClassicalDrive) -> Variation:
    double = ClassicalDrive(2 * drive.amplitude, drive.frequency)
    return Variation(
        "amplitude", f"{drive.amplitude:g}", f"{double.amplitude:g}", "area of the loop, mV µA/cm²",
        cycle(drive).area, cycle(double).area,
    )  # fmt: skip


def _start_variation(drive: AnyDrive) -> Variation:
    values = [settling(drive, start).first for start in (CLOSED, OPEN)]
    return Variation(
        "initial_n", f"{CLOSED:g}", f"{OPEN:.3f} (V = 0)",
        "conductance, first mean, mS/cm²", values[0], values[1],
    )  # fmt: skip


def _frequency_variation() -> Variation:
    drive = coherent()
    # the same current's amplitude at half the frequency
    slow = CoherentDrive(
        1.0, drive.frequency / 2, drive.gate_capacitance, drive.source_capacitance / 8
    )
    return Variation(
        "frequency", "5", "2.5", "area of the loop, mV µA/cm²", cycle(drive).area, cycle(slow).area
    )


def _theta_variation() -> Variation:
    areas = [cycle(entangled(1.0, theta, normalised=False)).area for theta in (THETA, math.pi / 8)]
    return Variation("theta", "π/4", "π/8", "area unnormalised, mV µA/cm²", areas[0], areas[1])


def _amplitude() -> Parameter:
    return Parameter(
        "amplitude", classical().amplitude, "none stated (I₀ in µA/cm²); that of the sources"
    )


def _closed() -> Parameter:
    return Parameter(
        "initial_n", CLOSED, "none stated; nearly closed, so that the conductance has far to rise"
    )


def _resting() -> Parameter:
    return Parameter(
        "initial_n", RESTING, "none stated; n of a channel without current, where V = V_K"
    )


def _window() -> Parameter:
    return Parameter("window", float(TIMES[-1]), "none stated (ms); until it has settled")


def _attributes(name: str) -> dict[str, str]:
    return {"long_name": _LONG[name], "units": _UNITS[name]}
