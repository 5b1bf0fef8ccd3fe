"""What a figure of the paper is made of: parameters and their source, runs, variations."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from qbrain.classical_feedback.synapse import Synapse
from qbrain.reference.lmg import LMG, simulate

from ...papers import figures as paper_figures
from ...papers.telling import Teller

__all__ = [
    "CITATION",
    "PaperFigure",
    "paper_claim",
    "paper_figure",
    "run",
    "slow_cycle",
    "stack",
]

CITATION = "Torres and Romera, arXiv:2602.16003"


@dataclass(frozen=True)
class PaperFigure(paper_figures.PaperFigure):
    """One figure of this paper."""

    paper = CITATION
    units = "1, time or inverse time"


_TELLER = Teller(__package__, PaperFigure)
paper_figure, paper_claim = _TELLER.figure, _TELLER.claim


def run(
    neurons: int,
    gamma: float,
    g0: float,
    initial: str | int,
    times: ArrayLike,
    *,
    tau_r: float = 0.0,
    tau_f: float = 0.0,
    release: float = 0.5,
    tolerance: float = 1e-8,
    **more: Any,
) -> xr.Dataset:
    """Run one exact trajectory without a field; see `qbrain.reference.lmg.simulate`."""
    model, synapse = LMG(neurons, gamma, g0), Synapse(tau_r, tau_f, release)
    return simulate(model, synapse, initial, times, tolerance=tolerance, **more)


def slow_cycle(neurons: int, gamma: float, g0: float) -> float:
    """Return the slow up/down rhythm of silent and saturated: cycles per unit of phase s.

    Silent and saturated are mirror images; the even and the odd combination of each pair differ
    in energy, and the pair that both states weigh most sets how fast one becomes the other.
    """
    from qbrain.reference.lmg.hamiltonian import coupling_basis

    values, vectors = coupling_basis(neurons, gamma, 0)
    order = np.argsort(values)
    weights = vectors[0, order] ** 2
    gaps = np.diff(values[order])
    pair = int(np.argmax(weights[1:] * weights[:-1]))
    return float(abs(g0) * gaps[pair] / (2 * np.pi))


def stack(
    dims: Mapping[str, Sequence[Any]],
    one: Callable[..., xr.Dataset],
    keep: Sequence[str] = ("excitation", "r", "U", "phase"),
) -> xr.Dataset:
    """Run every combination of the named values and return one dataset.

    ``one`` is called with one value of each dim. Where all trajectories have the same times these
    are the dimension ``time``; where they differ the dimension is ``sample`` and ``time`` a
    variable over all dims.
    """
    runs = [one(*values) for values in itertools.product(*dims.values())]
    sizes = tuple(len(values) for values in dims.values())
    times = [r.time.values for r in runs]
    shared = all(np.array_equal(times[0], t) for t in times)
    last = "time" if shared else "sample"
    names = (*dims, last)
    data = {
        name: xr.Variable(
            names, np.stack([r[name].values for r in runs]).reshape(*sizes, -1), runs[0][name].attrs
        )
        for name in keep
    }
    coordinates: dict[str, Any] = {name: list(values) for name, values in dims.items()}
    attrs = runs[0].time.attrs
    if shared:
        coordinates["time"] = xr.Variable(("time",), times[0], attrs)
    else:
        data["time"] = xr.Variable(names, np.stack(times).reshape(*sizes, -1), attrs)
    return xr.Dataset(data, coordinates)
