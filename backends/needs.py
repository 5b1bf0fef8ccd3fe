"""Memory and rough time that a simulator takes for circuits, before any is built."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Need", "simulator_need"]

AMPLITUDE = 16  # bytes
# up to this many qubits a dense vector is what Aer and the check before dispatch take
DENSE_QUBITS = 24
DENSITY_QUBITS = 12
# seconds of a gate on small circuits, and an amplitude of a large one, one thread
GATE_SECONDS, AMPLITUDE_SECONDS = 2e-5, 2e-9
# of a gate of a matrix-product state: n qubits whose bonds are n/2 + 1 wide
TENSOR_SECONDS = 4e-9


@dataclass(frozen=True)
class Need:
    """A part of what a run takes.

    Attributes:
        field: the setting that it grows with the most.
        memory_bytes: at its largest.
        seconds: rough, on one processor of 2024.
        hint: what can be done instead, where something can.
    """

    field: str
    memory_bytes: float = 0.0
    seconds: float = 0.0
    hint: str = ""


def simulator_need(
    backend: str,
    qubits: int,
    shots: int,
    gates: float = 0.0,
    *,
    field: str = "backend",
    hint: str = "",
    together: int = 1,
    products: bool = True,
) -> Need:
    """What circuits take on a simulator and in the check before they are sent.

    Args:
        backend: its name; devices and backends of others only have the check here.
        qubits: of the largest circuit.
        shots: of each circuit.
        gates: of all circuits together.
        field: the setting that decides over the number of qubits.
        hint: of the need.
        together: circuits in one job.
        products: whether states past ``DENSE_QUBITS`` are matrix-product states.
    """
    n = min(qubits, 1000)
    size = 2.0**n
    if products and n > DENSE_QUBITS and backend != "statevector":
        memory = 20.0 * AMPLITUDE * n * (n / 2 + 1) ** 2
        seconds = 3 * gates * n * TENSOR_SECONDS * (n / 2 + 1) ** 3
    else:
        # the expected state, those of the logical and the compiled circuit, Aer's own copies
        memory = 6.0 * AMPLITUDE * size
        seconds = 3 * gates * (GATE_SECONDS + AMPLITUDE_SECONDS * size)
    if backend.startswith("fake_"):
        if n <= DENSITY_QUBITS and size <= max(shots, 2):
            memory += 3 * AMPLITUDE * size**2
            seconds += gates * (GATE_SECONDS + AMPLITUDE_SECONDS * size**2)
        else:
            # a state vector a shot
            seconds += gates * shots * (GATE_SECONDS / 10 + AMPLITUDE_SECONDS * size)
    # each shot as booleans, as Aer's text and as packed bits
    memory += together * shots * (2.0 * qubits + (120.0 if n > 20 else 8.0))
    return Need(field, memory, seconds, hint)
