"""What an experiment beyond the paper hands over: data, a question, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from qbrain.classical_feedback.synapse import Synapse
from qbrain.reference.lmg import LMG, simulate

__all__ = ["BACKEND", "Study", "contrast", "free_run"]

BACKEND = "exact reference, no circuit"


@dataclass(frozen=True)
class Study:
    """One experiment.

    ``question``: what the paper leaves open; ``finding``: the answer, with its numbers, which
    are ``measures`` too. All parameters are ours; they are attributes of ``data``.
    """

    name: str
    title: str
    question: str
    finding: str
    data: xr.Dataset
    measures: Mapping[str, float]

    def dataset(self) -> xr.Dataset:
        """The data with the measures in it."""
        values = xr.Variable(("measure",), np.array(list(self.measures.values()), dtype=float))
        return (
            self.data.assign(measured=values)
            .assign_coords(measure=list(self.measures))
            .assign_attrs(title=self.title, study=self.name, backend=BACKEND)
        )

    def page(self) -> str:
        """The paragraph of the gallery, in Markdown."""
        rows = "\n".join(f"| {name} | {value:.4g} |" for name, value in self.measures.items())
        return (
            f"# {self.title}\n\n*{self.question}*\n\n{self.finding}\n\n"
            f"![{self.title}]({self.name}.png)\n\n| measure | value |\n|---|---|\n{rows}\n\n"
            f"Computed by: {BACKEND}.\n"
        )


def free_run(
    neurons: int, initial: str | int, times: ArrayLike, *, gamma: float = 0.8, g0: float = 1.0
) -> xr.Dataset:
    """A brain without stimulus, decay or measurement, τ_r = 1: what the others are held against."""
    return simulate(LMG(neurons, gamma, g0), Synapse(tau_r=1.0), initial, times)


def contrast(values: ArrayLike) -> float:
    """Standard deviation over time."""
    found: NDArray[np.float64] = np.asarray(values, dtype=float)
    return float(found.std())
