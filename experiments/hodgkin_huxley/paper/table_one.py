"""Table I: loop areas, reproduced by a fit, and what the fit leaves open."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar

from qbrain.reference.hodgkin_huxley.channel_drives import ClassicalDrive
from qbrain.reference.hodgkin_huxley.hysteresis import limit_cycle
from qbrain.reference.hodgkin_huxley.table_one import (
    MODEL_AREAS,
    TABLE_ONE,
    Reading,
    Shape,
    TableFit,
    fit_table,
    table_areas,
)

from ...papers.figures import Comparison, Parameter, Variation
from .model import (
    ALPHAS,
    CHANNEL,
    FREQUENCY,
    PaperFigure,
    channel_parameters,
    classical,
    coherent,
    cycle,
    paper_figure,
    source_parameters,
)

__all__ = [
    "AREAS",
    "OURS",
    "fourth_row",
    "model_areas",
    "model_currents",
    "our_residuals",
    "printed_fit",
    "table_fit",
    "table_one",
]

AREAS: NDArray[np.float64] = np.array([cell.area for cell in TABLE_ONE])

_CAPACITANCE = CHANNEL.capacitance + coherent().gate_capacitance
OURS = Shape(
    coherent().amplitude * CHANNEL.z_min,
    _CAPACITANCE * FREQUENCY * CHANNEL.z_min,
    FREQUENCY,
    CHANNEL.reversal,
)
# where random starts of the fit ended, far from each other; refined again each time
_STARTS = (
    OURS,
    Shape(0.1, 0.0032, 8.6, -9.3),
    Shape(0.4, 0.011, 94.0, -8.6),
    Shape(1.84e-4, 9.65e-6, 130.0, -28.1),
)


_EQUATIONS: tuple[Reading, ...] = ("equation 23", "equation 25")


@lru_cache(maxsize=1)
def table_fit() -> TableFit:
    """Fit with the unnormalised drive; return the local bests, the best first."""
    return fit_table(starts=0, draws=0, shapes=_STARTS, evaluations=4)


@lru_cache(maxsize=2)
def printed_fit(reading: Reading) -> TableFit:
    """Fit with Eq. 23's current as printed, or with Eq. 25's voltage against it."""
    # on its way the search tries shapes whose gates shut, far beyond any voltage
    with np.errstate(all="ignore"):
        return fit_table(reading=reading, starts=0, draws=0, shapes=_STARTS[:2], evaluations=5)


@lru_cache(maxsize=2)
def our_residuals() -> tuple[NDArray[np.float64], float]:
    """Return ln(scale · area/printed area) of the figures' own parameters, and the scale.

    The scale takes areas in mV µA/cm² to the table's unit.
    """
    logs = np.log(table_areas(OURS) / CHANNEL.z_min / AREAS)
    return logs - logs.mean(), math.exp(-float(logs.mean()))


@lru_cache(maxsize=1)
def model_areas() -> dict[str, float]:
    """Return the areas of models A (circuit), B (closed form) and C of Table I (a), by ours."""
    drive = classical()
    return {
        "A": cycle(drive, dynamic=True).area,
        "B": cycle(drive).area,
        "C": cycle(coherent()).area,
    }


def _share(amplitude: float, dynamic: bool) -> float:
    """Return the area under I₀ sin²Ωt over model C's."""
    drive = ClassicalDrive(amplitude, FREQUENCY)
    return limit_cycle(CHANNEL, drive, dynamic=dynamic, tolerance=1e-5).area / model_areas()["C"]


@dataclass(frozen=True)
class ModelCurrents:
    """I₀ (µA/cm²) at which model A has its share of C in Table I, and what B then has.

    ``most`` is the largest share of C that B has for any I₀, ``there`` that I₀: a strong current
    holds the gate open.
    """

    current: float
    share: float
    most: float
    there: float


@lru_cache(maxsize=1)
def model_currents() -> ModelCurrents:
    """Find the :class:`ModelCurrents`."""
    wanted = MODEL_AREAS["A"] / MODEL_AREAS["C"]
    current = float(brentq(lambda i: _share(i, True) - wanted, 1.5, 8.0, xtol=1e-4))
    top = minimize_scalar(
        lambda i: -_share(i, False), bounds=(8.0, 40.0), method="bounded", options={"xatol": 0.01}
    )
    return ModelCurrents(current, _share(current, False), -float(top.fun), float(top.x))


def fourth_row() -> float:
    """Find θ of the row between π/4 and 5π/12, by its α₀ = 1 area among those of known sin 2θ."""
    known = [cell for cell in TABLE_ONE if cell.alpha0 == 1.0]
    row = known.pop(3)
    sines = [math.sin(2 * cell.theta) for cell in known]
    curve = np.polynomial.Polynomial.fit([cell.area for cell in known], sines, 3)
    return (math.pi - math.asin(float(curve(row.area)))) / 2


def table_one() -> PaperFigure:
    """Recompute the fit, its residuals and its degeneracy, and the models A, B and C."""
    fit, (ours, scale) = table_fit(), our_residuals()
    best, equal = fit.best, fit.equals()
    rms = {"ours": float(np.sqrt(np.mean(ours**2))), "best": best.rms}
    models, found = model_areas(), model_currents()
    logs = np.log(AREAS.reshape(5, 3))
    flat = (logs.mean(axis=0) - logs).ravel()
    printed = {e: printed_fit(e).best.rms for e in _EQUATIONS}
    worst = int(np.abs(best.residuals).argmax())
    others = np.delete(best.residuals, worst)
    data = xr.Dataset(
        {
            "area": ("cell", AREAS, {"units": "the paper's"}),
            "theta": ("cell", [c.theta for c in TABLE_ONE], {"units": "rad"}),
            "alpha0": ("cell", [c.alpha0 for c in TABLE_ONE], {"units": "1"}),
            "fitted": ("cell", AREAS * np.exp(best.residuals), {"units": "the paper's"}),
            "ours": ("cell", AREAS * np.exp(ours), {"units": "the paper's"}),
            "residual": ("cell", best.residuals, {"units": "1"}),
            "our_residual": ("cell", ours, {"units": "1"}),
            "normalised_residual": ("cell", flat, {"units": "1"}),
            "rms": ("fit", [f.rms for f in fit.fits], {"units": "1"}),
            "step_error": ("fit", [f.step_error for f in fit.fits], {"units": "1"}),
            "shape": (
                ("fit", "number"),
                [
                    [f.shape.swing, f.shape.lag, f.shape.frequency, f.shape.reversal]
                    for f in fit.fits
                ],
            ),
            "singular_values": (("fit", "direction"), [f.singular_values for f in fit.fits]),
            "model_area": ("model", list(models.values()), {"units": "mV uA/cm^2"}),
            "model_table": ("model", [MODEL_AREAS[m] for m in models], {"units": "the paper's"}),
        },
        {
            "cell": np.arange(len(TABLE_ONE)),
            "fit": np.arange(len(fit.fits)),
            "number": ["swing", "lag", "frequency", "reversal"],
            "model": list(models),
        },
    )
    ratios = {m: models[m] / models["C"] for m in "AB"}
    wanted = {m: MODEL_AREAS[m] / MODEL_AREAS["C"] for m in "AB"}
    measures = {
        **{f"rms of the residuals, {name}": x for name, x in rms.items()},
        "rms with the state normalised, best for each column": float(np.sqrt(np.mean(flat**2))),
        **{f"rms of the residuals, {e} as printed": x for e, x in printed.items()},
        "rms of the residuals, best, without the worst cell": float(np.std(others)),
        "scale to the table's unit, ours, per mV µA/cm²": scale,
        "largest step error of the fits": max(f.step_error for f in fit.fits),
        "θ of the fourth row, rad": fourth_row(),
        **{
            f"residual, θ = {c.theta:.4f}, α₀ = {c.alpha0:g}": float(x)
            for c, x in zip(TABLE_ONE, best.residuals, strict=True)
        },
        **{
            f"fit {k + 1}, {name}": float(x)
            for k, f in enumerate(fit.fits)
            for name, x in (
                ("rms", f.rms), ("a, mV", f.shape.swing), ("ℓ", f.shape.lag),
                ("Ω, rad/ms", f.shape.frequency), ("V_K, mV", f.shape.reversal),
                *((f"singular value {j + 1}", s) for j, s in enumerate(f.singular_values)),
            )
        },
        "I₀ that brings model A to its share of C, µA/cm²": found.current,
        "largest share of C that model B reaches": found.most,
        "I₀ at which model B does, µA/cm²": found.there,
    }  # fmt: skip
    return paper_figure(
        "table-1",
        "Table I: areas of hysteresis loops",
        (
            *channel_parameters(),
            *source_parameters(list(ALPHAS)),
            Parameter("amplitude", classical().amplitude, "none stated (I₀); that of the sources"),
            Parameter(
                "fit_parameters",
                "a = A Z_min, ℓ = CΩZ_min, Ω, V_K and one scale",
                "the paper states none; a table's shape depends on no others",
            ),
            Parameter("fourth_theta", 1.0, "printed as 1, by the areas 1 rad (see below)"),
        ),
        data,
        (
            Variation(
                "frequency", "5", "10", "rms of the residuals", rms["ours"],
                _rms(Shape(OURS.swing, OURS.lag, 10.0, OURS.reversal)),
            ),
            Variation(
                "capacitance", "0.009", "0.9 (an axon's)", "rms of the residuals", rms["ours"],
                _rms(Shape(OURS.swing, 91 * OURS.lag, OURS.frequency, OURS.reversal)),
            ),
        ),
        measures,
        (
            Comparison(
                "rms distance from Table I (b)",
                best.rms,
                printed["equation 25"],
                "0 by definition",
            ),
            *(
                Comparison(
                    f"area of model {m}, table's unit", scale * models[m], None,
                    f"{MODEL_AREAS[m]:g}",
                )
                for m in models
            ),
        ),
        largest_residual=np.abs(best.residuals).max(),
        best=best,
        spread_of_others=np.std(others),
        areas=AREAS,
        worst=worst,
        printed=printed,
        rms=rms,
        equal=equal,
        singular_values=', '.join(f'{s:.2g}' for s in best.singular_values),
        theta=fourth_row(),
        ratios=ratios,
        wanted=wanted,
        found=found,
    )  # fmt: skip


def _rms(shape: Shape) -> float:
    logs = np.log(table_areas(shape, tolerance=1e-4) / AREAS)
    return float(np.std(logs))
