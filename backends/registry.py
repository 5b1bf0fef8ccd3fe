"""Opening a backend, by its name or as it is."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import BackendError

if TYPE_CHECKING:
    from qiskit.primitives import BaseSamplerV2
    from qiskit.providers import BackendV2

    from .sampling import TargetSampler
    from .stateful import StatefulSampler

__all__ = [
    "BackendInfo",
    "backend_names",
    "list_backends",
    "open_place",
    "open_sampler",
    "open_stateful_sampler",
]

SIMULATORS = ("statevector", "aer")


@dataclass(frozen=True)
class BackendInfo:
    """One backend: its name, what it is, its size (None: no limit of its own, or not known
    before it is opened) and what it needs.
    """

    name: str
    kind: str
    qubits: int | None
    needs: str


def backend_names() -> list[str]:
    """Every name that :func:`open_sampler` takes, ``package.module:factory`` aside."""
    from .plugs import published
    from .snapshot import snapshot_names

    own = [*SIMULATORS, *snapshot_names()]
    return [*own, *(name for name in published() if name not in own)]


def list_backends() -> list[BackendInfo]:
    """What circuits can be run on here, and what each needs."""
    from .plugs import published
    from .snapshot import snapshot_names, snapshot_qubits

    own = {*SIMULATORS, *snapshot_names()}
    return [
        BackendInfo("statevector", "ideal simulator", None, "nothing (slow past 12 qubits)"),
        BackendInfo("aer", "ideal simulator", None, "nothing"),
        *(
            BackendInfo(name, "device snapshot", snapshot_qubits(name), "nothing")
            for name in snapshot_names()
        ),
        *(
            BackendInfo(name, f"plug-in of {by}", None, "whatever the plug-in needs")
            for name, by in published().items()
            if name not in own
        ),
    ]


def open_sampler(
    name: str,
    *,
    qubits: int,
    seed: int | None = None,
    shots_hint: int | None = None,
    fractional: bool = False,
    placements: int = 1,
    noise: str = "snapshot",
) -> TargetSampler:
    """A sampler over ``qubits`` qubits of a named backend.

    Names are ``statevector``, ``aer``, ``fake_<device>``, those that installed distributions
    publish under the entry-point group ``qbrain.backends``, and ``package.module:factory`` (see
    :mod:`qbrain.backends.plugs`).

    ``shots_hint`` only makes ``details["method"]`` of a noisy sampler say what that many shots
    will be run with. ``fractional``: with ``rx``, and ``rzz`` at angles in [0, π/2], where a
    snapshot's calibration has them.
    ``placements`` is the number of disjoint lines of a device that circuits can be put on.
    ``noise`` is the form of a snapshot's noise (see :mod:`qbrain.backends.device_noise`).

    Raises:
        BackendError: for an unknown name (near ones are listed), for a plug-in that cannot be
            loaded or is no backend, for more qubits than the device has, for a bad seed, for more
            placements than it has lines, and for ``fractional`` or placements on an ideal
            simulator, which has no use for them.
    """
    _check_placements(placements)
    if name in SIMULATORS:
        if fractional:
            raise BackendError(f"fractional: wanted a device snapshot, got {name}")
        if placements > 1:
            raise BackendError(f"placements: wanted 1 on {name}, got {placements}")
        if name == "aer":
            from .aer import AerSampler

            return AerSampler(qubits, seed=seed)
        from .statevector import StatevectorSampler

        return StatevectorSampler(qubits, seed=seed)
    from .plugs import is_path, published
    from .snapshot import snapshot_names

    if name not in snapshot_names():
        if isinstance(name, str) and (is_path(name) or name in published()):
            return _open_plug(name, qubits, seed, placements, fractional)
        near = difflib.get_close_matches(str(name), backend_names(), n=4, cutoff=0.5)
        hint = ", ".join(near) if near else "statevector, aer or fake_<device>"
        raise BackendError(
            f"backend: wanted a known name ({hint}) or package.module:factory, got {name!r}"
        )
    from .placements import cuts, sampler_of_cuts
    from .snapshot import cut

    parts = (
        (cut(name, qubits, fractional, noise),)
        if placements == 1
        else cuts(name, qubits, placements, fractional, noise)
    )
    return sampler_of_cuts(name, parts, seed=seed, shots_hint=shots_hint)


def _open_plug(
    name: str, qubits: int, seed: int | None, placements: int, fractional: bool
) -> TargetSampler:
    from .foreign import open_foreign
    from .plugs import load_plug

    plug = load_plug(name)
    return open_foreign(
        plug.backend,
        name=name,
        source=plug.source,
        qubits=qubits,
        seed=seed,
        placements=placements,
        fractional=fractional,
    )


def open_place(
    backend: str | BackendV2 | BaseSamplerV2,
    *,
    qubits: int,
    seed: int | None = None,
    shots_hint: int | None = None,
    fractional: bool = False,
    placements: int = 1,
    noise: str = "snapshot",
) -> TargetSampler:
    """A sampler over ``qubits`` qubits of a backend: by its name, or of the backend itself.

    A name is opened by :func:`open_sampler`. A backend is any Qiskit
    :class:`~qiskit.providers.BackendV2` (``AerSimulator``, ``GenericBackendV2``, a fake device,
    a provider's), or a :class:`~qiskit.primitives.BaseSamplerV2` that has a ``target``.

    Raises:
        BackendError: for anything else, and as :func:`open_sampler`.
    """
    if isinstance(backend, str):
        return open_sampler(
            backend,
            qubits=qubits,
            seed=seed,
            shots_hint=shots_hint,
            fractional=fractional,
            placements=placements,
            noise=noise,
        )
    from .foreign import open_foreign

    _check_placements(placements)
    return open_foreign(
        backend, qubits=qubits, seed=seed, placements=placements, fractional=fractional
    )


def _check_placements(placements: object) -> None:
    if isinstance(placements, bool) or not isinstance(placements, int) or placements < 1:
        raise BackendError(f"placements: wanted an integer >= 1, got {placements!r}")


def open_stateful_sampler(name: str, *, qubits: int, seed: int | None = None) -> StatefulSampler:
    """A sampler that keeps its state between runs: ``aer`` or ``statevector``.

    Raises:
        BackendError: for any other name (noise and devices keep no state), and for a bad seed.
    """
    from .stateful import StatefulSampler

    return StatefulSampler(name, qubits, seed=seed)
