"""Fixtures around the loopback server; a conftest imports them by name."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .server import HOST, LoopbackIBM

__all__ = ["ibm", "loopback", "only_loopback", "own_ledger", "start_ibm"]


@pytest.fixture
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections to anywhere but this machine fail, and so does asking for a name."""
    connect = socket.socket.connect
    resolve = socket.getaddrinfo

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] != HOST:
            raise AssertionError(f"a test called {address}")
        return connect(self, address)

    def asked(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in (HOST, "localhost", None):
            raise AssertionError(f"a test asked for {host}")
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket, "getaddrinfo", asked)


@pytest.fixture
def own_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger of the test's own, in the working folder; the list of jobs is taken to be prompt."""
    monkeypatch.setenv("QBRAIN_LEDGER", str(tmp_path / "ledger.sqlite"))
    monkeypatch.setenv("QBRAIN_IBM_LIST_LAG", "0.5")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def start_ibm(
    only_loopback: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., LoopbackIBM]]:
    """Start a server with the given options and point the environment at it."""
    servers: list[LoopbackIBM] = []

    def start(**options: Any) -> LoopbackIBM:
        server = LoopbackIBM(**options).start()
        servers.append(server)
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        # else the client walks pytest's deep stack, sources included, at every request
        monkeypatch.setenv("USAGE_DATA_OPT_OUT", "True")
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def loopback(start_ibm: Callable[..., LoopbackIBM]) -> LoopbackIBM:
    """A server with ``ibm_fez`` and sessions, and the environment that leads to it."""
    return start_ibm()


@pytest.fixture
def ibm(loopback: LoopbackIBM) -> Any:
    """The genuine client's service on :func:`loopback`."""
    from qiskit_ibm_runtime import QiskitRuntimeService

    return QiskitRuntimeService()
