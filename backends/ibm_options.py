"""How jobs are sent to an IBM Quantum device: execution mode, twirling, decoupling."""

from __future__ import annotations

from typing import Any

from .errors import BackendError

__all__ = ["MODES", "check_options", "sampler_options"]

MODES = ("auto", "session", "batch", "job")
TWIRLING = ("none", "gates", "readout", "both")
DECOUPLING = ("none", "XX", "XpXm", "XY4")


def check_options(mode: str, twirling: str, decoupling: str, fractional: bool) -> None:
    """Raises BackendError for an option that there is not, and for fractional gates twirled."""
    if mode not in MODES:
        raise BackendError(f"mode: wanted one of {', '.join(MODES)}, got {mode!r}")
    if twirling not in TWIRLING:
        raise BackendError(f"twirling: wanted one of {', '.join(TWIRLING)}, got {twirling!r}")
    if decoupling not in DECOUPLING:
        raise BackendError(f"decoupling: wanted one of {', '.join(DECOUPLING)}, got {decoupling!r}")
    if fractional and twirling in ("gates", "both"):
        # the client twirls by all Paulis, of which only half pass through an rzz
        raise BackendError(
            f"twirling: wanted none or readout with fractional gates, got {twirling!r}"
        )


def sampler_options(twirling: str, decoupling: str) -> dict[str, Any]:
    """The client's options for what ``open_ibm_sampler`` calls twirling and decoupling."""
    options: dict[str, Any] = {
        "twirling": {
            "enable_gates": twirling in ("gates", "both"),
            "enable_measure": twirling in ("readout", "both"),
        }
    }
    if decoupling != "none":
        options["dynamical_decoupling"] = {"enable": True, "sequence_type": decoupling}
    return options
