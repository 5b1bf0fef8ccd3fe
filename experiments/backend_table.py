"""``qbrain backends``: what can be run on here, and what each needs."""

from __future__ import annotations

from typing import Any

from qbrain.backends.errors import BackendError, DeviceFault
from qbrain.backends.ibm_service import DeviceRow, IBMService
from qbrain.backends.registry import list_backends

__all__ = ["backend_table"]


def backend_table() -> list[dict[str, Any]]:
    """One row a backend: name, what it is, qubits, what it needs."""
    rows = [
        {
            "name": "exact",
            "kind": "reference trajectory, no circuit",
            "qubits": "any",
            "needs": "nothing",
        }
    ]
    return (
        rows
        + _devices()
        + [
            {
                "name": b.name,
                "kind": b.kind,
                "qubits": "any" if b.qubits is None else str(b.qubits),
                "needs": b.needs,
            }
            for b in list_backends()
        ]
    )


def _devices() -> list[dict[str, Any]]:
    """Devices of the user's account, or one row that says what they need."""
    try:
        found = IBMService().devices()
    except (BackendError, DeviceFault) as error:
        needs = "an IBM Quantum account" if isinstance(error, BackendError) else str(error)
        return [{"name": "ibm_<device>", "kind": "IBM device", "qubits": "–", "needs": needs}]
    return [
        {
            "name": row.name,
            "kind": "IBM device",
            "qubits": "–" if row.qubits is None else str(row.qubits),
            "needs": _needs(row),
        }
        for row in found
    ]


def _needs(row: DeviceRow) -> str:
    pending = "" if row.pending is None else f"; {row.pending} jobs pending"
    state = "" if row.state == "active" else f"; runs no jobs now: {row.state}"
    return f"QPU time{pending}{state}"
