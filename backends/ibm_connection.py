"""The way from a run to its device: account, device, session, all opened when first asked for."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from .errors import DeviceFault
from .ibm_device import DeviceFacts, read_device
from .ibm_policy import Action, Deadline, action_for, client_errors, status_of
from .ibm_service import IBMService

__all__ = ["CLOSING", "Connection", "open_device"]

# seconds for which the end of a session, or a question about it, is waited for
CLOSING = 5.0
# seconds for which a calibration is waited for
_READING = 30.0


def open_device(
    service: IBMService, name: str, qubits: int, *, fractional: bool, **chains: Any
) -> tuple[Any, DeviceFacts]:
    """The client's backend, and what :func:`read_device` finds on it for the same ``chains``.

    Raises:
        BackendError: no such device, or as :func:`read_device`.
        DeviceFault: the service does not answer, or a calibration that cannot be read.
    """
    opened = [(service.client, service.device(name, fractional))]

    def read() -> DeviceFacts:
        if opened[-1][0] is not service.client:
            # a refused token was replaced, and a backend keeps that of its client
            opened.append((service.client, service.device(name, fractional)))
        return read_device(opened[-1][1], qubits, fractional=fractional, **chains)

    facts = service.ask(name, read, Deadline(min(_READING, service.patience)))
    return opened[-1][1], facts


class Connection:
    """An account, a device of it, and the session or batch that jobs are sent in.

    Args:
        facts: what the run knows of the device.
        service: the account, or what opens it.
        device: the client's backend, where it is open already.
        mode: ``auto``, ``session``, ``batch`` or ``job``.

    Attributes:
        mode_name: the execution mode in use, once a job was sent; before that the one asked for.
        loops: whether job follows job; mode ``auto`` opens a session for these only.
    """

    def __init__(
        self,
        facts: DeviceFacts,
        service: IBMService | Callable[[], IBMService],
        device: Any = None,
        mode: str = "auto",
    ) -> None:
        self._facts = facts
        self._open = service if callable(service) else None
        self._service = None if callable(service) else service
        self._device = device
        self._wanted, self.mode_name = mode, mode
        self._mode: Any = None
        self.loops = True
        # that device and session belong to
        self._client = None if self._service is None else self._service.client

    @property
    def service(self) -> IBMService:
        """The account."""
        if self._service is None:
            assert self._open is not None
            self._service = self._open()
        return self._service

    @property
    def device(self) -> Any:
        """The client's backend.

        Raises:
            DeviceFault: it has lost what the run's circuits are made of.
        """
        if self._device is None:
            device = self.service.device(self._facts.name, self._facts.fractional)
            self._check(device)
            self._device = device
        return self._device

    def _check(self, device: Any) -> None:
        """The run's chains have to be there still, with their gates."""
        facts = self._facts
        today = read_device(
            device,
            len(facts.places[0]),
            placements=len(facts.places),
            places=facts.places,
            fractional=facts.fractional,
        )
        for place, old, new in zip(facts.places, facts.targets, today.targets, strict=True):
            for name in old.operation_names:
                left = set(new[name]) if name in new.operation_names else set()
                gone = [qubits for qubits in old[name] if qubits and qubits not in left]
                if gone:
                    where = ", ".join(str(place[qubit]) for qubit in min(gone))
                    raise DeviceFault(
                        f"{facts.name}: {name} on qubits {where} is out of order since the run "
                        "began; wait until it is back, or begin a new run"
                    )

    @property
    def instance(self) -> str:
        """CRN of the instance, empty where the client does not say."""
        found = getattr(self._device, "_instance", None) or getattr(self._mode, "_instance", None)
        return str(found or "")

    @property
    def session(self) -> str | None:
        """Id of the session or batch in use, None outside one."""
        found = getattr(self._mode, "session_id", None)
        return found if isinstance(found, str) else None

    def sampler(self, tag: str, options: Mapping[str, Any]) -> Any:
        """The client's sampler in the wanted mode; ``auto`` takes what the plan allows.

        Raises the client's errors.
        """
        from qiskit_ibm_runtime import Batch, Session
        from qiskit_ibm_runtime.executor_sampler import Sampler

        self._follow()
        if self._wanted == "job" or (self._wanted == "auto" and not self.loops):
            self.mode_name = "job"
        elif self._mode is None and not self.mode_name.startswith("job"):
            kinds = {"auto": (Session, Batch), "session": (Session,), "batch": (Batch,)}
            self._mode, self.mode_name = self.service.open_mode(self.device, kinds[self._wanted])
        sampler = Sampler(mode=self._mode or self.device, options=copy.deepcopy(dict(options)))
        sampler.options.environment.job_tags = [tag]
        self.service.believe_ids()
        return sampler

    def leave_closed_session(self) -> bool:
        """Whether there is a session that takes no more jobs; it is left, if so."""
        if self._mode is None:
            return False
        try:
            details = self.service.ask(self._facts.name, self._mode.details, Deadline(CLOSING))
            closed = details is not None and not details.get("accepting_jobs", True)
        except DeviceFault as error:
            closed = status_of(error.__cause__) == 404
        if closed:
            self._mode = None
        return closed

    def _follow(self) -> None:
        """Take device and session from a service that was opened anew."""
        client = self.service.client
        if self._client is client:
            return
        if self._client is not None:
            self._device = None
        if self._mode is not None:
            # it is paid for as long as it is open
            try:
                self._mode = type(self._mode).from_id(
                    self._mode.session_id, client, use_fractional_gates=self._facts.fractional
                )
            except client_errors() as error:
                if action_for(error) is not Action.REFUSED:
                    raise
                self._mode = None
        self._client = client
        self.leave_closed_session()

    def close(self) -> None:
        """Close the session or batch, if one is open; its jobs go on."""
        mode, self._mode = self._mode, None
        if mode is None:
            return
        # where this fails, it closes by itself in time, and nothing of ours depends on it
        with suppress(DeviceFault):
            self.service.close_mode(mode, Deadline(CLOSING))
