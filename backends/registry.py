"""Opening a place to run circuits by its name."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import BackendError

if TYPE_CHECKING:
    from .sampling import TargetSampler
    from .stateful import StatefulSampler

__all__ = [
    "BackendInfo",
    "backend_names",
    "list_backends",
    "open_sampler",
    "open_stateful_sampler",
]

SIMULATORS = ("statevector", "aer")


@dataclass(frozen=True)
class BackendInfo:
    """One place where circuits run: its name, what it is, its size (None: no limit of its own)
    and what it needs.
    """

    name: str
    kind: str
    qubits: int | None
    needs: str


def backend_names() -> list[str]:
    """Every name that :func:`open_sampler` takes."""
    from .snapshot import snapshot_names

    return [*SIMULATORS, *snapshot_names()]


def list_backends() -> list[BackendInfo]:
    """What circuits can be run on here, and what each needs."""
    from .snapshot import snapshot_names, snapshot_qubits

    return [
        BackendInfo("statevector", "ideal simulator", None, "nothing (slow past 12 qubits)"),
        BackendInfo("aer", "ideal simulator", None, "nothing"),
        *(
            BackendInfo(name, "device snapshot", snapshot_qubits(name), "nothing")
            for name in snapshot_names()
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
) -> TargetSampler:
    """A sampler over ``qubits`` qubits: ``statevector``, ``aer``, or ``fake_<device>``.

    ``shots_hint`` only makes ``details["method"]`` of a noisy sampler say what that many shots
    will be run with. ``fractional`` gives a snapshot an ``rzz`` gate at angles in [0, π/2].
    ``placements`` is the number of disjoint lines of a snapshot that circuits can be put on.

    Raises:
        BackendError: for an unknown name (near ones are listed), for more qubits than the device
            has, for a bad seed, for more placements than it has lines, and for ``fractional`` or
            placements on an ideal simulator, which has no use for them.
    """
    if isinstance(placements, bool) or not isinstance(placements, int) or placements < 1:
        raise BackendError(f"placements: wanted an integer >= 1, got {placements!r}")
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
    names = backend_names()
    if name not in names:
        near = difflib.get_close_matches(str(name), names, n=4, cutoff=0.5)
        hint = ", ".join(near) if near else "statevector, aer or fake_<device>"
        raise BackendError(f"backend: wanted a known name ({hint}), got {name!r}")
    from .aer import NoisyAerSampler
    from .placements import PlacedSampler, cuts
    from .snapshot import cut

    parts = (
        (cut(name, qubits, fractional),)
        if placements == 1
        else cuts(name, qubits, placements, fractional)
    )
    each = [NoisyAerSampler.of_cut(name, part, seed=seed) for part in parts]
    sampler = each[0] if placements == 1 else PlacedSampler(each, [part.place for part in parts])
    sampler.details["method"] = NoisyAerSampler.method_for(
        qubits, shots_hint or sampler.default_shots
    )
    return sampler


def open_stateful_sampler(name: str, *, qubits: int, seed: int | None = None) -> StatefulSampler:
    """A sampler that keeps its state between runs: ``aer`` or ``statevector``.

    Raises:
        BackendError: for any other name (noise and devices keep no state), and for a bad seed.
    """
    from .stateful import StatefulSampler

    return StatefulSampler(name, qubits, seed=seed)
