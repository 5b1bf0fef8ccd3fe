"""Figures 10, 11, 13, 14 and the headline: loops, areas and entropies of the entangled source."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from qbrain.reference.hodgkin_huxley.channel_drives import entanglement_entropy, norm_squared

from ...papers.figures import Comparison, Parameter, Variation
from .areas import (
    THETAS,
    area_ratios,
    entropy,
    fock_error,
    heat,
    memoryless,
    printed_ratios,
    table_areas,
)
from .model import (
    ALPHAS,
    PHASES,
    THETA,
    PaperFigure,
    channel_parameters,
    coherent,
    cycle,
    entangled,
    paper_figure,
    printed_cycle,
    source_parameters,
    traced,
)

__all__ = ["figure_10", "figure_11", "figure_13", "figure_14", "headline"]


def figure_10() -> PaperFigure:
    """Recompute the entangled source's loop, α₀ = 1.5."""
    return _loops(10, 1.5, "189.42 (θ = π/4)")


def figure_11() -> PaperFigure:
    """Recompute the entangled source's loop, α₀ = 2."""
    return _loops(11, 2.0, "215.03 (θ = π/4)")


def _loops(number: int, alpha0: float, paper: str) -> PaperFigure:
    right, multiplied = entangled(alpha0), entangled(alpha0, normalised=False)
    loops = {
        "closed": cycle(right),
        "circuit": cycle(right, dynamic=True),
        "unnormalised": cycle(multiplied),
        "printed": printed_cycle(multiplied),
    }
    current, voltage, conductance = (
        np.stack(curves) for curves in zip(*map(traced, loops.values()), strict=True)
    )
    unit = {"voltage": "mV", "current": "uA/cm^2", "conductance": "mS/cm^2"}
    data = xr.Dataset(
        {
            f"cycle_{name}": (("law", "phase"), values, {"units": unit[name]})
            for name, values in (
                ("current", current), ("voltage", voltage), ("conductance", conductance)
            )
        },
        {
            "law": list(loops),
            "phase": ("phase", np.linspace(0, 1, PHASES + 1), {"units": "period"}),
        },
    )  # fmt: skip
    base = {
        "closed": cycle(entangled(1.0)).area,
        "unnormalised": cycle(entangled(1.0, normalised=False)).area,
    }
    growth = {
        name: found.area / base[name] for name, found in loops.items() if name in base and found
    }
    frozen, alone = memoryless(right)
    series = _series_error(alpha0)
    measures = {
        **{f"area, {name}, mV µA/cm²": loop.area for name, loop in loops.items() if loop},
        **{f"area over that at α₀ = 1, {name}": x for name, x in growth.items()},
        "area with the gate frozen, mV µA/cm²": frozen,
        "area of the capacitance alone, mV µA/cm²": alone,
        "largest error of Eq. 24 against Eq. 23, of its amplitude": series,
    }
    printed = loops["printed"]
    own = cycle(multiplied)
    gone = (
        "Eq. 25 as printed has no limit cycle here: its series has left the function, and the "
        "gate closes."
        if printed is None
        else f"Eq. 25 as printed gives {printed.area:.0f}."
    )
    return paper_figure(
        number,
        f"Loop of the entangled source (α₀ = {alpha0:g})",
        (*channel_parameters(), *source_parameters(alpha0, theta=True)),
        data,
        (
            Variation(
                "theta", "π/4", "0", "area unnormalised, mV µA/cm²",
                own.area, cycle(coherent(alpha0)).area,
            ),
        ),
        measures,
        (
            Comparison("area, normalised state", cycle(right).area, None, None),
            Comparison("area, unnormalised", own.area, printed.area if printed else None, paper),
            Comparison(
                "area over that at α₀ = 1, unnormalised",
                growth["unnormalised"],
                _printed_growth(alpha0),
                f"{table_areas(alpha0)[THETA] / table_areas(1.0)[THETA]:.3f}",
            ),
        ),
        text="loops",
        growth=growth,
        alpha0=alpha0,
        gone=gone,
        series=series,
        frozen_share=frozen / cycle(right).area,
    )  # fmt: skip


def _printed_growth(alpha0: float) -> float | None:
    loops = [printed_cycle(entangled(a, normalised=False)) for a in (1.0, alpha0)]
    return None if loops[0] is None or loops[1] is None else loops[1].area / loops[0].area


def _series_error(alpha0: float) -> float:
    drive = entangled(alpha0, normalised=False)
    t = np.linspace(0, drive.period, 2001)
    difference = drive.printed_series(t) - drive.printed_current(t)
    return float(np.abs(difference).max() / np.abs(drive.printed_current(t)).max())


def figure_13() -> PaperFigure:
    """Recompute the entropy of one mode against θ."""
    fine = np.linspace(0, math.pi / 4, 101)
    phases = 2 * math.pi * (np.arange(256) + 0.5) / 256
    peak = np.array([[entropy(t, a) for t in fine] for a in ALPHAS])
    mean = np.array(
        [[np.mean(entanglement_entropy(t, a * np.sin(phases))) for t in fine] for a in ALPHAS]
    )
    orthogonal = np.asarray([entanglement_entropy(t, 40.0) for t in fine])
    raw = np.array([[_unnormalised_entropy(t, a) for t in fine] for a in ALPHAS])
    names = {"long_name": "entropy of one mode", "units": "nat"}
    data = xr.Dataset(
        {
            "peak_entropy": (("alpha0", "theta"), peak, names),
            "mean_entropy": (("alpha0", "theta"), mean, names),
            "unnormalised_entropy": (("alpha0", "theta"), raw, names),
            "orthogonal_entropy": ("theta", orthogonal, names),
        },
        {"alpha0": list(ALPHAS), "theta": ("theta", fine, {"units": "rad"})},
    )
    top = {a: float(row[-1]) for a, row in zip(ALPHAS, peak, strict=True)}
    return paper_figure(
        13,
        "Entropy of one mode against θ",
        (
            Parameter("theta_range", [0.0, math.pi / 4]),
            Parameter(
                "alpha",
                list(ALPHAS),
                "which α(t) is not stated; |α| = α₀, where it is largest (period means beside it)",
            ),
        ),
        data,
        (
            Variation(
                "alpha", "largest", "mean over a period", "entropy at π/4, α₀ = 1",
                top[1.0], float(mean[0, -1]),
            ),
            Variation(
                "alpha", "1", "|α| → ∞", "entropy at π/4", top[1.0], float(orthogonal[-1])
            ),
        ),
        {
            **{f"entropy at π/4, α₀ {a:g}": x for a, x in top.items()},
            **{
                f"period's mean entropy at π/4, α₀ {a:g}": float(row[-1])
                for a, row in zip(ALPHAS, mean, strict=True)
            },
            **{
                f"-tr ρ₁ ln ρ₁ unnormalised at π/4, α₀ {a:g}": float(row[-1])
                for a, row in zip(ALPHAS, raw, strict=True)
            },
        },
        tuple(
            Comparison(f"entropy at π/4, α₀ = {a:g}, nats", x, float(row[-1]), "maximal, ln d")
            for (a, x), row in zip(top.items(), raw, strict=True)
        ),
        top=top,
        ln_two=math.log(2),
        raw=raw,
    )  # fmt: skip


def _unnormalised_entropy(theta: float, alpha: float) -> float:
    """Return −tr ρ₁ ln ρ₁ with tr ρ₁ = ⟨s|s⟩: N S − N ln N."""
    norm = float(norm_squared(theta, alpha))
    return norm * entropy(theta, alpha) - norm * math.log(norm)


def _ratio_data() -> xr.Dataset:
    """Collect ratios and entropies over θ and α₀, and those of Table I."""
    rows = [t for t in table_areas(1.0) if t <= 1.01]
    printed = [[table_areas(a)[t] / table_areas(a)[0.0] for t in rows] for a in ALPHAS]
    over: dict[str, tuple[tuple[str, str], list[object]]] = {
        "entropy": (("alpha0", "theta"), [[entropy(t, a) for t in THETAS] for a in ALPHAS]),
        "ratio_unnormalised": (
            ("alpha0", "theta"),
            [area_ratios(a, normalised=False) for a in ALPHAS],
        ),
        "ratio_normalised": (
            ("alpha0", "theta"),
            [area_ratios(a, normalised=True) for a in ALPHAS],
        ),
        "table_ratio": (("alpha0", "row"), list(printed)),
        "table_entropy": (("alpha0", "row"), [[entropy(t, a) for t in rows] for a in ALPHAS]),
    }
    return xr.Dataset(
        {
            name: (dims, np.array(values), {"units": "nat" if "entropy" in name else "1"})
            for name, (dims, values) in over.items()
        },
        {
            "alpha0": list(ALPHAS),
            "theta": ("theta", THETAS, {"units": "rad"}),
            "row": ("row", rows, {"units": "rad"}),
        },
    )


def figure_14() -> PaperFigure:
    """Recompute the ratio of areas against the entropy, α₀ = 1."""
    data = _ratio_data().sel(alpha0=[1.0])
    data["ratio_printed"] = (("alpha0", "theta"), np.array([printed_ratios(1.0)]), {"units": "1"})
    end = float(data.ratio_unnormalised[0, -1])
    off = fock_error()
    printed = printed_ratios(1.0)[-1]
    heats = [heat(entangled(normalised=n)) / heat(coherent()) for n in (True, False)]
    return paper_figure(
        14,
        "Area over the coherent source's, against entropy",
        (
            *channel_parameters(),
            *source_parameters(1.0),
            Parameter("alpha_of_figure", 1.0, "α₀ is not stated for this figure; as figure 12"),
            Parameter("theta_range", [0.0, math.pi / 4]),
        ),
        data,
        (
            Variation(
                "alpha_of_figure", "1", "2", "ratio at π/4, unnormalised",
                end, area_ratios(2.0, normalised=False)[-1],
            ),
        ),
        {
            "ratio at π/4, unnormalised": end,
            "ratio at π/4, printed formulas": printed,
            "largest error of <a1 + a2> = α, Fock space": off,
            "heat of a period over the coherent source's, normalised": heats[0],
            "heat of a period over the coherent source's, unnormalised": heats[1],
        },
        (
            Comparison("ratio at π/4, normalised state", area_ratios(1.0, normalised=True)[-1]),
            Comparison("ratio at π/4, unnormalised", end, printed, "1.542 (Table I)"),
        ),
        end=end,
        heats=heats,
        off=off,
    )  # fmt: skip


def headline() -> PaperFigure:
    """Show area against entropy for three α₀: with the state normalised, and without."""
    data = _ratio_data()
    tops = [float(x) for x in data.entropy[:, -1]]
    ours = [float(x) for x in data.ratio_unnormalised[:, -1]]
    paper = [table_areas(a)[THETA] / table_areas(a)[0.0] for a in ALPHAS]
    off = fock_error()
    measures = {
        **{f"entropy at π/4, α₀ {a:g}, nats": x for a, x in zip(ALPHAS, tops, strict=True)},
        **{f"ratio at π/4, unnormalised, α₀ {a:g}": x for a, x in zip(ALPHAS, ours, strict=True)},
        **{f"ratio at π/4, Table I, α₀ {a:g}": x for a, x in zip(ALPHAS, paper, strict=True)},
        "largest error of <a1 + a2> = α, Fock space": off,
    }
    return paper_figure(
        "headline",
        "Does entanglement enlarge the memory's loop?",
        (
            *channel_parameters(),
            *source_parameters(list(ALPHAS)),
            Parameter("theta_range", [0.0, math.pi / 4]),
        ),
        data,
        (
            Variation(
                "normalised", "yes", "no", "ratio at π/4, α₀ = 1",
                area_ratios(1.0, normalised=True)[-1], ours[0],
            ),
        ),
        measures,
        tuple(
            Comparison(f"ratio at π/4, unnormalised, α₀ = {a:g}", x, _or_none(a), f"{p:.3f}")
            for a, x, p in zip(ALPHAS, ours, paper, strict=True)
        ),
        off=off,
        ours=ours,
        paper=paper,
        tops=tops,
    )  # fmt: skip


def _or_none(alpha0: float) -> float | None:
    found = printed_ratios(alpha0)[-1]
    return None if math.isnan(found) else found
