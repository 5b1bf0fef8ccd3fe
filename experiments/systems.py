"""The systems that can be run, and where each one's experiment is.

A system of another package is found by its entry point in the group ``qbrain.systems``; see
"Add a system" in the documentation. Experiments are named, and imported only when one is run: some
need seconds, some an extra.
"""

from __future__ import annotations

import warnings
from importlib.metadata import entry_points
from typing import Any

from .engine.system import PointRecord, System
from .errors import ConfigError
from .hodgkin_huxley.config import HodgkinHuxleyConfig
from .lmg.config import LMGConfig
from .lmg.sweep import POINTS as LMG_POINTS
from .open_system.config import OpenSystemConfig
from .qlif.config import QlifConfig
from .spiqgan.config import SpiQGANConfig

__all__ = ["SYSTEMS", "find_system"]

_GROUP = "qbrain.systems"
_OURS = (
    System(
        "lmg",
        LMGConfig,
        "qbrain.experiments.lmg.protocol:LMGExperiment",
        "The LMG quantum brain under synaptic feedback.",
        (
            "backend", "neurons", "encoding", "evolution", "qubits", "two_qubit_gates", "shots",
        ),
        LMG_POINTS,
        curve="excitation",
    ),
    System(
        "spiqgan",
        SpiQGANConfig,
        "qbrain.experiments.spiqgan.protocol:SpikeExperiment",
        "A quantum generator of neuronal spike patterns against a classical critic.",
        (
            "backend", "weights_per", "emission", "parameters", "rate_error", "covariance_rmse",
            "kl_count_bin", "kl_count_window", "lag1_error", "lag1", "train_seconds",
        ),
        PointRecord(shown="covariance_rmse"),
    ),
    System(
        "hodgkin-huxley",
        HodgkinHuxleyConfig,
        "qbrain.experiments.hodgkin_huxley.protocol:NeuronExperiment",
        "A neuron whose ion channels' gates are qubits, under its own membrane's voltage.",
        (
            "backend", "channel", "drive", "reading", "window", "mitigation", "two_qubit_gates",
            "shots", "rmse_voltage", "fit.shot_error", "rmse_gates", "rmse_gates_raw", "loop_area",
            "loop_area_exact", "spikes", "spikes_exact", "half_height_crossings",
            "half_height_crossings_exact",
        ),
        PointRecord(shown="voltage"),
    ),
    System(
        "open-system",
        OpenSystemConfig,
        "qbrain.experiments.open_system.protocol:CollectiveExperiment",
        "Collective neurons in a bath under stimulation, as collisions with an ancilla.",
        (
            "backend", "neurons", "collisions", "order", "extrapolation", "controller",
            "mitigation", "two_qubit_gates", "shots", "fit.rmse", "fit.max_error",
            "fit.shot_error", "collision_error", "mean_field_error", "published_formula_error",
        ),
        PointRecord(shown="m_z"),
        curve="m_z",
    ),
    System(
        "qlif",
        QlifConfig,
        "qbrain.experiments.qlif.protocol:QlifExperiment",
        "Leaky integrate-and-fire neurons that share an entangled pair in every tick.",
        (
            "backend", "form", "group", "phi", "settings", "two_qubit_gates", "shots_used",
            "chsh", "chsh_stderr", "chsh_exact", "synchrony", "synchrony_stderr",
            "shared_bit_synchrony", "no_signalling_p",
        ),
        PointRecord(shown="synchrony"),
    ),
)  # fmt: skip


def _published() -> dict[str, System[Any]]:
    """Systems of other packages; ours keep their names.

    What does not load is left out with a warning, so that nothing else fails for it.
    """
    found: dict[str, System[Any]] = {}
    for point in entry_points(group=_GROUP):
        try:
            system = point.load()
            if not isinstance(system, System):
                raise TypeError(f"wanted a qbrain.System, got {type(system).__name__}")
        except Exception as error:  # a stranger's package may fail in any way
            warnings.warn(
                f"system {point.name} is left out, for {point.value} does not load: "
                f"{type(error).__name__}: {error}",
                stacklevel=2,
            )
            continue
        found[system.name] = system
    return found


SYSTEMS: dict[str, System[Any]] = {**_published(), **{system.name: system for system in _OURS}}


def find_system(name: str | System[Any]) -> System[Any]:
    """The system of a name, or the one that was handed over.

    Raises ``ConfigError`` for a name that no system has.
    """
    if isinstance(name, System):
        return name
    if name not in SYSTEMS:
        raise ConfigError(f"system: wanted one of {', '.join(SYSTEMS)}, got {name!r}")
    return SYSTEMS[name]
