"""The check before dispatch of a task: the one that its expected answer calls for."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from qbrain.backends.check.branches import validate_branches
from qbrain.backends.check.channel import validate_channel
from qbrain.backends.check.histories import validate_trajectories
from qbrain.backends.check.pure import ValidationRecord, validate

from .experiment import Branches, Expected, Histories, MixedState, PureState, Task
from .progress import say

__all__ = ["check_task"]


def check_task(
    task: Task, isa: QuantumCircuit, target: Target, *, name: str, step: int, method: str
) -> dict[str, Any]:
    """Method and checks of a circuit that passed.

    Raises:
        DispatchRefused: if it does not; the message names circuit, step, check, found and wanted.
    """
    say(f"checking {name}, step {step}: {task.circuit.size()} gates")
    record = _checked(task.expected, task.circuit, isa, target, name, step, method)
    return {"method": record["method"], "checks": _named(task.expected, record["checks"])}


def _named(expected: Expected, checks: Any) -> list[dict[str, Any]]:
    observable = expected.observable if isinstance(expected, PureState) else None
    if observable is None or observable.name == "trotter":
        return list(checks)
    return [
        {**check, "name": observable.name} if check["name"] == "trotter" else check
        for check in checks
    ]


@singledispatch
def _validated(
    expected: Any,
    logical: QuantumCircuit,
    isa: QuantumCircuit,
    target: Target,
    name: str,
    step: int,
    method: str,
) -> ValidationRecord:
    raise TypeError(
        "expected: wanted PureState, MixedState, Histories or Branches, got "
        f"{type(expected).__name__}"
    )


@_validated.register
def _(expected: PureState, logical, isa, target, name, step, method):  # type: ignore[no-untyped-def]
    options: dict[str, Any] = {}
    if expected.observable is not None:
        options = {
            "observable": expected.observable.values,
            "exact_value": expected.observable.exact,
            "max_trotter_error": expected.observable.limit,
        }
    return validate(
        logical,
        isa,
        target,
        expected=expected.amplitudes,
        name=name,
        step=step,
        start=expected.start,
        method=method,
        **options,
    )


@_validated.register
def _(expected: MixedState, logical, isa, target, name, step, method):  # type: ignore[no-untyped-def]
    return validate_channel(logical, isa, target, expected=expected.matrices, name=name, step=step)


@_validated.register
def _(expected: Histories, logical, isa, target, name, step, method):  # type: ignore[no-untyped-def]
    return validate_trajectories(
        logical,
        isa,
        target,
        readings=expected.readings,
        expected=expected.states,
        seed=expected.seed,
        name=name,
        step=step,
    )


@_validated.register
def _(expected: Branches, logical, isa, target, name, step, method):  # type: ignore[no-untyped-def]
    return validate_branches(logical, isa, target, expected=expected.chances, name=name, step=step)


def _checked(expected: Any, *arguments: Any) -> dict[str, Any]:
    return _validated(expected, *arguments).to_dict()
