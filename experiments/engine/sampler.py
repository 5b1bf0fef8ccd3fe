"""What the engine asks of that which runs its circuits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.primitives import BasePrimitiveJob
from qiskit.transpiler import Target

from qbrain.backends.ibm_device import DeviceFacts
from qbrain.backends.ibm_ticket import Allowance, TicketStore

__all__ = ["RunSampler", "SubmittingSampler", "keeps_state", "submits"]


class RunSampler(Protocol):
    """A Qiskit sampler over the qubits of a run, as :mod:`qbrain.backends.sampling` makes them.

    Attributes:
        details: what the run's record says of the device.
    """

    details: dict[str, Any]

    @property
    def target(self) -> Target:
        """Gates and couplings of the first placement."""

    @property
    def targets(self) -> Sequence[Target]:
        """Those of each placement."""

    @property
    def readout(self) -> NDArray[np.float64] | None:
        """Assignment errors (qubits, 2) of the first placement, None where reading is perfect."""

    @property
    def readouts(self) -> Sequence[NDArray[np.float64] | None]:
        """Those of each placement."""

    def run(
        self, pubs: Iterable[QuantumCircuit], *, shots: int | None = None
    ) -> BasePrimitiveJob[Any, Any]:
        """Sample each circuit so many times.

        The job's result is a ``PrimitiveResult`` of ``SamplerPubResult``, which its types do not
        let one iterate over.
        """


class SubmittingSampler(RunSampler, Protocol):
    """One whose circuits leave this machine, so that what is sent must be on disk before."""

    name: str
    facts: DeviceFacts

    def begin(
        self,
        run: str,
        directory: str,
        *,
        fresh: bool,
        loops: bool,
        sends: bool,
        tell: Callable[[str], None],
    ) -> None:
        """Say whose jobs follow, as :meth:`qbrain.backends.ibm.IBMSampler.begin`."""

    def submit(
        self,
        circuits: Sequence[QuantumCircuit],
        shots: int,
        number: int,
        store: TicketStore,
        *,
        part: int = 0,
        allow: Callable[[], Allowance] = Allowance,
    ) -> BasePrimitiveJob[Any, Any]:
        """Send a run's job, or find it, as :meth:`qbrain.backends.ibm.IBMSampler.submit`."""

    def standing(self) -> dict[str, Any]:
        """What the service says of the device and of the account before anything is sent."""

    def close(self) -> None:
        """End what is open on the device."""


def submits(sampler: RunSampler | None) -> TypeGuard[SubmittingSampler]:
    """Whether circuits leave this machine."""
    return bool(getattr(sampler, "submits", False))


def keeps_state(sampler: RunSampler | None) -> bool:
    """Whether a circuit goes on from the state in which the one before has ended."""
    return bool(getattr(sampler, "keeps_state", False))
