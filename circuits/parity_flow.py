"""All pairs of one axis on a line, by writing parities: fewer gates than moving qubits.

Terms of one axis commute, and in that axis's basis each is a rotation by the parity of two
neurons. With the neurons on a path, N-1 qubits hold the parities of neighbours on the path. A CX
between qubits that hold ab and bc writes ac; a layer of N-2 of them exchanges neighbours on the
path, and N-2 such layers bring every pair together once. That is (N-2)² CZ, and N-1 more to read
the neurons out of the parities (and N-1 to write them, unless the start is a product state in
the axis's basis): about N² against 3N²/2 of a network that moves the qubits. Parity flow:
B. Klaver, S. Rombouts, M. Fellner, A. Messinger, K. Ender, K. Ludwig, W. Lechner,
arXiv:2408.10907.

Fewer gates are not all: a wrong bit in a parity is two wrong neurons, which the parity check on
measured strings does not see. See :func:`~qbrain.circuits.swap_network.network_single_layer`.
"""

from __future__ import annotations

from collections.abc import Sequence

from qiskit import QuantumCircuit

from .step_program import PHASE

__all__ = ["append_cx", "parity_layer", "parity_layer_of_product"]


def append_cx(circuit: QuantumCircuit, control: int, target: int) -> None:
    """Append a CNOT as CZ between two H, which cancel against their like."""
    circuit.h(target)
    circuit.cz(control, target)
    circuit.h(target)


class _Path:
    """Neurons on a path; qubit p ≥ 1 holds the parity of path[p-1] and path[p].

    Qubit 0 holds one neuron alone, ``path[0]`` as it is or will be at the end.
    """

    def __init__(self, circuit: QuantumCircuit, path: Sequence[int], angle: float) -> None:
        self.circuit = circuit
        self.path = list(path)
        self.angle = angle
        self.met: set[frozenset[int]] = set()

    def meet(self) -> None:
        """Rotate every pair that has become neighbours on the path."""
        for p in range(1, len(self.path)):
            pair = frozenset(self.path[p - 1 : p + 1])
            if pair not in self.met:
                self.met.add(pair)
                self.circuit.rz(self.angle * PHASE, p)

    def write(self) -> None:
        """Write parities over single neurons."""
        for p in range(len(self.path) - 1, 0, -1):
            append_cx(self.circuit, p - 1, p)

    def read(self) -> None:
        """Turn parities back to single neurons."""
        for p in range(1, len(self.path)):
            append_cx(self.circuit, p - 1, p)

    def exchange(self, first: int, *, alone: bool) -> None:
        """Exchange neighbours path[p-1], path[p] for p = first, first+2, …

        Each writes its parity onto the qubits beside its own. ``alone``: also onto qubit 0, which
        then goes on holding path[0].
        """
        neurons = len(self.path)
        for p in range(first, neurons, 2):
            self.path[p - 1], self.path[p] = self.path[p], self.path[p - 1]
        for step in (1, -1):
            for p in range(first, neurons, 2):
                beside = p + step
                if beside < neurons and (beside > 0 or alone):
                    append_cx(self.circuit, p, beside)


def _turn_axis(circuit: QuantumCircuit, axis: str, *, back: bool) -> None:
    """Turn the axis of the interaction into Z, or back."""
    qubits = range(circuit.num_qubits)
    if axis == "xx":
        circuit.h(qubits)
    elif axis == "yy" and back:
        circuit.sx(qubits)
    elif axis == "yy":
        circuit.sxdg(qubits)


def _exchange_starts(neurons: int, *, backwards: bool) -> list[int]:
    starts = [1 + layer % 2 for layer in range(neurons - 2)]
    return starts[::-1] if backwards else starts


def parity_layer(
    circuit: QuantumCircuit,
    order: Sequence[int],
    axis: str,
    angle: float,
    *,
    backwards: bool = False,
) -> tuple[int, ...]:
    """Apply exp(-i angle·phase/2 PP) to all pairs, in place; return the new order.

    Args:
        circuit: on a line, qubit i holding neuron order[i].
        order: the neurons on the line.
        axis: ``xx``, ``yy`` or ``zz``.
        angle: rotation angle of a pair per unit of the parameter ``phase``.
        backwards: undo the changes of places of a layer that was not backwards.
    """
    path = _Path(circuit, order, angle)
    _turn_axis(circuit, axis, back=False)
    path.write()
    path.meet()
    for first in _exchange_starts(len(order), backwards=backwards):
        path.exchange(first, alone=True)
        path.meet()
    path.read()
    _turn_axis(circuit, axis, back=True)
    return tuple(path.path)


def parity_layer_of_product(
    circuit: QuantumCircuit, order: Sequence[int], angle: float, *, active: bool
) -> tuple[int, ...]:
    """Apply exp(-i angle·phase/2 XX) to all pairs of |0…0⟩, or (``active``) of |1…1⟩.

    In the X basis these are Σ_x s(x)|x⟩ with s = 1 or (-1)^popcount(x). As a function of the
    labels that the qubits hold, s is again a product, so that nothing has to be written.
    """
    neurons = len(order)
    path = _Path(circuit, order, angle)
    starts = _exchange_starts(neurons, backwards=False)
    if active:
        # popcount(x) mod 2 as a sum of labels: for even N every other pair of the path, for odd
        # N the neuron alone and the pairs that cover the rest
        ends = _Path(QuantumCircuit(neurons), order, 0.0)
        for first in starts:
            ends.exchange(first, alone=False)
        wanted = [1] * neurons
        if neurons % 2:
            wanted[ends.path[0]] = 0
        used = [neurons % 2] + [sum(wanted[i] for i in order[:p]) % 2 for p in range(1, neurons)]
        for qubit in range(neurons):
            if not used[qubit]:  # it comes in |1⟩ and s does not depend on its label
                circuit.x(qubit)
    _turn_axis(circuit, "xx", back=False)
    path.meet()
    for first in starts:
        path.exchange(first, alone=False)
        path.meet()
    path.read()
    _turn_axis(circuit, "xx", back=True)
    return tuple(path.path)
