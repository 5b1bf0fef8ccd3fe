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
    """The quantized channel under a classical source."""
    drive = classical()
    laws = {law: (drive, law) for law in ("closed", "circuit", "printed")}
    data, measures = _data(laws, RESTING)
    peak = {law: float(data.voltage.sel(law=law).max()) for law in laws}
    settled = settling(drive, RESTING)
    return PaperFigure(
        7,
        "Quantized channel, classical source",
        (*channel_parameters(), _amplitude(), _resting(), _window()),
        data,
        "The paper shows a 'small spike in the voltage', a conductance that 'saturates fast' and "
        "a loop that 'eventually relaxes into a limit cycle'.",
        f"We find a first peak of {peak['closed']:.1f} mV against "
        f"{float(cycle(drive).voltage.max()):.1f} mV in the limit cycle, a conductance that rises "
        f"from {settled.first:.3f} to {settled.last:.3f} mS/cm², and a loop of "
        f"{cycle(drive).area:.2f} mV µA/cm².",
        "The closed form takes the voltage to follow the impedance at once; the circuit itself, "
        f"from V = 0, has a first peak of {peak['circuit']:.1f} mV and a loop of "
        f"{cycle(drive, dynamic=True).area:.2f}. Eq. 17 as printed has the reactive term's sign "
        "wrong, so that V leads the current where it should lag.",
        (
            Variation(
                "initial_n", f"{RESTING:.3f} (V = V_K)", f"{CLOSED:g}", "first peak of V, mV",
                peak["closed"], float(response(drive, CLOSED).voltage.max()),
            ),
            _amplitude_variation(drive),
        ),
        measures,
        _comparisons(drive, data, "60.96 (model B, unit not stated)"),
    )  # fmt: skip


def figure_8() -> PaperFigure:
    """The classical model, potassium alone."""
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
    return PaperFigure(
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
        "The paper shows an initial spike in the voltage, a quick relaxation, and a conductance "
        "that rises after a short delay, oscillates and relaxes.",
        f"We find peaks of V that fall from {peaks[0]:.1f} to {peaks[1]:.1f} mV and a conductance "
        f"whose mean over a period goes from {settled.first:.2f} to {settled.last:.2f} mS/cm².",
        "Eqs. 5 and 6 are the circuit of Eq. 16: with V₀ = −V_K and a classical source the "
        f"quantized channel has the same equations, and we find the same voltage to {apart:.0e} "
        "mV. What differs in the paper's figure 7 is the closed form that replaces the circuit.",
        (_amplitude_variation(drive),),
        measures,
        (Comparison("area of the loop, mV µA/cm²", area, None, "21.83 (model A)"),),
    )


def figure_9() -> PaperFigure:
    """The quantized channel under a coherent source."""
    drive = coherent()
    laws = {law: (drive, law) for law in ("closed", "circuit", "printed")}
    data, measures = _data(laws, CLOSED)
    settled, circuit = settling(drive, CLOSED), settling(drive, CLOSED, "circuit")
    swings = [swing(response(drive, CLOSED), drive.period, k) for k in (0, -1)]
    measures |= {"swing of V, first period, mV": swings[0], "swing of V, last, mV": swings[1]}
    return PaperFigure(
        9,
        "Quantized channel, coherent source (α₀ = 1)",
        (*channel_parameters(), *source_parameters(1.0), _closed(), _window()),
        data,
        "The paper shows no spike but 'quite a slow decrease' of the voltage's oscillations, and "
        "a conductance that grows after a delay in a 'rather s-shaped' curve.".replace(
            "'rather s-shaped'", "nearly s-shaped"
        ),
        f"We find, with the closed form, a conductance that rises from {settled.first:.4f} to "
        f"{settled.last:.4f} mS/cm², steepest {settled.delay:.1f} ms in, and a swing of V that "
        f"shrinks from {swings[0]:.1f} to {swings[1]:.1f} mV.",
        "The circuit's own equation adds what the closed form leaves out: switched on at once, "
        "the current leaves an offset on the capacitance, which opens the gate sooner (steepest "
        f"{circuit.delay:.1f} ms in). Eqs. 21 and 22 as printed have half the amplitude and the "
        "reactive term's sign wrong.",
        (_start_variation(drive), _frequency_variation()),
        measures,
        _comparisons(drive, data, "102.32 (model C)"),
    )


def figure_12() -> PaperFigure:
    """The quantized channel under an entangled source, α₀ = 1."""
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
    return PaperFigure(
        12,
        "Quantized channel, entangled source (α₀ = 1)",
        (*channel_parameters(), *source_parameters(1.0, theta=True), _closed(), _window()),
        data,
        "The paper shows oscillations that decrease more clearly than the coherent source's, an "
        "s-shaped conductance, 'numerical noise' on it, and curves that shrink into a limit cycle.",
        "We find for the normalised state the trajectory of figure 9: (a₁ + a₂)|s⟩ = α|s⟩ (in a "
        f"Fock space to {off:.0e}), so that the current does not know of the entanglement.",
        "The paper's larger loop is the norm left out: it multiplies the current by ⟨s|s⟩ and the "
        f"area by {ratio:.3f}. Eq. 25 as printed has the reactive terms' sign wrong, 3204 where "
        "its own expansion gives 2304, and is not the response to Eq. 23 but to the second "
        "derivative of the unnormalised flux, cut after five terms.",
        (_start_variation(drive), _theta_variation()),
        measures,
        _comparisons(multiplied, data, "157.75 (model D, θ = π/4)", law="unnormalised"),
    )


def _data(
    laws: Mapping[str, tuple[AnyDrive, str]], start: float
) -> tuple[xr.Dataset, dict[str, float]]:
    """Trajectories and limit cycles by each law, and their numbers."""
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
    """Ours and the printed formulas', and how far these are off at the same impedance."""
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
