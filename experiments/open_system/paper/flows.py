"""Figure 2: where the neurons flow to under a stimulus that stays."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.reference.open_system import simulate_open_system, steady_populations
from qbrain.reference.open_system.bath_stimuli import Bath, Pulse
from qbrain.reference.open_system.mean_field import printed_mean_field, right_mean_field

from ...papers.figures import Comparison, Parameter, Variation
from .model import (
    BETA,
    CUTOFF,
    NEURONS,
    SCALINGS,
    WARM,
    PaperFigure,
    neuron_parameters,
    paper_figure,
    temperature_parameters,
    tilted,
    variables,
)

__all__ = ["ETAS", "FLOW_TIMES", "exact_flow", "figure_2", "half_time", "limit", "printed_flow"]

Array = NDArray[np.float64]

ETAS = (0.1, 0.02)
FLOW_TIMES = np.linspace(0.0, 20.0, 401)
_SPINS = ("m_x", "m_y", "m_z")


def _spins(data: xr.Dataset) -> Array:
    return np.stack([data[name].values for name in _SPINS])


@lru_cache(maxsize=64)
def printed_flow(eta: float, bath: Bath = WARM) -> Array:
    """Follow Eq. 18 from (1, 1, −1), shape (3, times)."""
    stimulus = Pulse(0.0, math.inf, eta)
    return _spins(printed_mean_field((bath, stimulus), (1.0, 1.0, -1.0), FLOW_TIMES))


@lru_cache(maxsize=64)
def exact_flow(eta: float, neurons: int, scaling: str) -> Array:
    """Follow the master equation from that direction, length 1, shape (3, times)."""
    stimulus = Pulse(0.0, math.inf, eta)
    return _spins(
        simulate_open_system(
            neurons, (WARM, stimulus), tilted(), FLOW_TIMES,
            scaling="1/N" if scaling == "1/N" else "none", tolerance=1e-8,
        )
    )  # fmt: skip


@lru_cache(maxsize=64)
def _mean_flow(eta: float, neurons: int, scaling: str) -> Array:
    stimulus = Pulse(0.0, math.inf, eta)
    return _spins(
        right_mean_field(
            neurons, (WARM, stimulus), tilted(), FLOW_TIMES,
            scaling="1/N" if scaling == "1/N" else "none", tolerance=1e-8,
        )
    )  # fmt: skip


def limit(neurons: int, occupation: str) -> float:
    """Return the m_z that all ends in, under constant rates, at n(g) of 300 K."""
    quanta = math.exp(-BETA) if occupation == "boltzmann" else 1 / math.expm1(BETA)
    p = steady_populations(neurons, quanta / (quanta + 1))
    return float(p @ (2 * np.arange(neurons + 1) / neurons - 1))


def half_time(curve: Array, end: float) -> float:
    """Find when the distance from (0, 0, end) has halved for good; inf if it has yet to."""
    far = np.linalg.norm(curve - np.array([0, 0, end])[:, None], axis=0)
    later = np.flatnonzero(far > far[0] / 2)[-1] + 1
    return float(FLOW_TIMES[later]) if later < len(FLOW_TIMES) else math.inf


def figure_2() -> PaperFigure:
    """Recompute the flow from (1, 1, −1), η = 0.1 and 0.02 for good, 300 K."""
    printed = np.stack([printed_flow(eta) for eta in ETAS])
    exact, mean = (
        np.array([[[flow(eta, n, s) for n in NEURONS] for s in SCALINGS] for eta in ETAS])
        for flow in (exact_flow, _mean_flow)
    )
    dims = ("eta", "scaling", "neurons", "axis", "time")
    data = xr.Dataset(
        variables(
            printed=(("eta", "axis", "time"), printed, "S by Eq. 18 as printed", "1"),
            exact=(dims, exact, "spin of a neuron, master equation", "1"),
            mean_field=(dims, mean, "spin of a neuron, right mean field", "1"),
            limit=(
                "neurons",
                [limit(n, "boltzmann") for n in NEURONS],
                "m_z after infinite time, master equation",
                "1",
            ),
        ),
        {
            "eta": list(ETAS),
            "scaling": list(SCALINGS),
            "neurons": list(NEURONS),
            "axis": list("xyz"),
            "time": ("time", FLOW_TIMES, {"long_name": "time", "units": "1/omega_0"}),
        },
    )
    left = {eta: float(np.linalg.norm(printed[k, :, -1])) for k, eta in enumerate(ETAS)}
    half = {eta: half_time(printed_flow(eta), 0.0) for eta in ETAS}
    ends = {n: limit(n, "boltzmann") for n in NEURONS}
    gap = {
        (n, s): float(np.abs(mean[0, i, k, 2] - exact[0, i, k, 2]).max())
        for i, s in enumerate(SCALINGS)
        for k, n in enumerate(NEURONS)
    }
    measures = {
        **{f"length of S at 20 by Eq. 18, eta {eta:g}": x for eta, x in left.items()},
        **{f"half-time by Eq. 18, eta {eta:g}": x for eta, x in half.items()},
        **{
            f"half-time, exact, N {n}, eta {eta:g}, scaling {s}": half_time(
                exact_flow(eta, n, s), ends[n]
            )
            for eta in ETAS
            for s in SCALINGS
            for n in NEURONS
            if math.isfinite(half_time(exact_flow(eta, n, s), ends[n]))
        },
        **{f"limit of m_z, exact, N {n}": x for n, x in ends.items()},
        **{
            f"mean field off by at most, N {n}, eta 0.1, scaling {s}": x
            for (n, s), x in gap.items()
        },
        "limit of m_z, exact, N 50, Bose": limit(50, "bose"),
    }
    other = replace(WARM, cutoff=10.0)
    return paper_figure(
        2,
        "Collective state under a lasting stimulus, 300 K",
        (
            Parameter("eta", list(ETAS)),
            *temperature_parameters(warm=True),
            Parameter("start", [1.0, 1.0, -1.0]),
            Parameter(
                "start_exact",
                "(1, 1, -1)/sqrt(3)",
                "no neuron has a spin of length √3: the master equation starts in its direction",
            ),
            Parameter("window", float(FLOW_TIMES[-1]), "none stated"),
            *neuron_parameters(),
        ),
        data,
        (
            Variation(
                "cutoff", f"{CUTOFF:g}", "10", "|S| at 20 by Eq. 18, η = 0.02",
                left[0.02], float(np.linalg.norm(printed_flow(0.02, other)[:, -1])),
            ),
            Variation(
                "occupation", "boltzmann", "bose", "limit of m_z, exact, N = 10",
                ends[10], limit(10, "bose"),
            ),
        ),
        measures,
        tuple(
            Comparison(f"m_z at 20, η = {eta:g}, N = {n}, 1/N", float(exact[k, 0, i, 2, -1]),
                       float(printed[k, 2, -1]), "(0, 0, 0)")
            for k, eta in enumerate(ETAS)
            for i, n in enumerate(NEURONS)
        ),
        left=left,
        half=half,
        ends=ends,
        gap=gap,
    )  # fmt: skip
