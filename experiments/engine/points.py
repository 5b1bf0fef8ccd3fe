"""A point's circuits on every placement and at every noise scale, and the numbers that follow.

What systems have in common: circuits are sent on each of a device's lines and with two-qubit gates
folded; what each circuit gives is taken to no noise, then averaged over the lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit.transpiler import Target

from qbrain.backends.compile import to_isa
from qbrain.backends.extrapolation import extrapolate
from qbrain.backends.folding import fold_two_qubit_gates
from qbrain.classical_feedback.rescaling import mean_over_placements

from .chains import Chain
from .experiment import Bench, Task
from .readings import Reading

__all__ = [
    "Numbers",
    "Place",
    "by_place",
    "everywhere",
    "folded",
    "limit_at_no_noise",
    "linear_limit",
    "mean_of_places",
    "placed",
]

Array = NDArray[np.float64]
# placement and noise scale
Place = tuple[int, float]
ZNE_MODELS = ("exponential", "linear")


@dataclass(frozen=True)
class Numbers:
    """Numbers that one or several circuits determine, of any shape.

    ``stderr``: their standard errors; ``gates``: two-qubit gates of the circuit that each came
    from, of a shape that broadcasts to theirs.
    """

    value: Array
    stderr: Array
    gates: ArrayLike


# -------------------------------------------------------------------------------------- circuits


def folded(task: Task, scale: float, target: Target) -> Task:
    """The task with ``scale`` times as many two-qubit gates; its circuit in the target's gates."""
    if scale == 1.0:
        return task
    isa = to_isa(task.circuit, target) if task.isa is None else task.isa
    return replace(
        task,
        role=replace(task.role, scale=scale),
        isa=fold_two_qubit_gates(isa, scale, target),
        name=f"{task.name or task.circuit.name} folded {scale:g}",
        key=None if task.key is None else (task.key, task.role.placement, scale),
    )


def everywhere(tasks: Sequence[Task], bench: Bench, scales: Sequence[float] = (1.0,)) -> list[Task]:
    """Each task on every placement and at every noise scale, the plain one first."""
    if len(bench.targets) == len(scales) == 1:
        return list(tasks)
    found = []
    for task in tasks:
        for placement, target in enumerate(bench.targets):
            here = task if placement == 0 else _moved(task, placement, target)
            if len(scales) > 1 and here.isa is None:
                here = replace(here, isa=to_isa(here.circuit, target))
            found += [folded(here, scale, target) for scale in scales]
    return found


def _moved(task: Task, placement: int, target: Target) -> Task:
    return replace(
        task,
        role=replace(task.role, placement=placement),
        isa=to_isa(task.circuit, target),
        key=None if task.key is None else (task.key, placement),
    )


def placed(readings: Sequence[Reading], kind: str = "point") -> dict[Place, list[Reading]]:
    """Readings of a kind by placement and noise scale, in their order."""
    found: dict[Place, list[Reading]] = {}
    for reading in readings:
        role = reading.role
        if role.kind == kind:
            found.setdefault((role.placement, role.scale), []).append(reading)
    return found


# --------------------------------------------------------------------------------------- numbers


def by_place(
    chain: Chain,
    found: Mapping[Place, Numbers],
    *,
    asymptote: float | None,
    bounds: tuple[float, float],
) -> list[Numbers]:
    """The numbers of each placement that a chain uses, taken to no noise where it says so.

    ``asymptote`` and ``bounds`` as of :func:`qbrain.backends.extrapolation.extrapolate`.

    Raises:
        BackendError: if no extrapolation can be fitted.
    """
    placements = sorted({p for p, _ in found}) if "placements" in chain else [0]
    scales = sorted({s for _, s in found}) if "zne" in chain else [1.0]
    return [
        limit_at_no_noise([found[p, s] for s in scales], asymptote=asymptote, bounds=bounds)
        for p in placements
    ]


def limit_at_no_noise(
    found: Sequence[Numbers], *, asymptote: float | None, bounds: tuple[float, float]
) -> Numbers:
    """Each number by itself, from several noise scales (the plain one first) to none.

    A number whose circuit has no two-qubit gates, or none that folding changed, stays as it is.

    Raises:
        BackendError: if no model can be fitted.
    """
    first = found[0]
    if len(found) == 1:
        return first
    shape = first.value.shape
    values, errors, gates = (
        np.stack([np.broadcast_to(np.asarray(part, dtype=float), shape).ravel() for part in parts])
        for parts in zip(*((n.value, n.stderr, n.gates) for n in found), strict=True)
    )
    value, stderr = values[0].copy(), errors[0].copy()
    for k in range(value.size):
        own = gates[:, k]
        if own[0] == 0 or np.ptp(own) == 0:
            continue
        limit = extrapolate(
            own / own[0],
            values[:, k],
            errors[:, k],
            models=ZNE_MODELS,
            asymptote=asymptote,
            bounds=bounds,
        )
        value[k], stderr[k] = limit.value, limit.stderr
    return Numbers(value.reshape(shape), stderr.reshape(shape), first.gates)


def linear_limit(scales: Array, rows: Array, errors: Array) -> Array:
    """Each column of ``rows`` (scales, n) on a straight line, taken to scale 0."""
    design = np.vander(scales, 2, increasing=True) / errors[:, None]
    return np.asarray((np.linalg.pinv(design) @ (rows / errors[:, None]))[0])


def mean_of_places(found: Sequence[Numbers]) -> Numbers:
    """Plain mean over placements; the error is that of the shots or of the scatter, if larger."""
    first = found[0]
    if len(found) == 1:
        return first
    shape = first.value.shape
    values, errors = (
        np.stack([part.ravel() for part in parts], axis=1)
        for parts in zip(*((n.value, n.stderr) for n in found), strict=True)
    )
    means = [mean_over_placements(v, e) for v, e in zip(values, errors, strict=True)]
    value, stderr = np.array([m.value for m in means]), np.array([m.error for m in means])
    return Numbers(value.reshape(shape), stderr.reshape(shape), first.gates)
