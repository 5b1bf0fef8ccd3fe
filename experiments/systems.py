"""The systems that can be run: their configurations, and the modules that run them.

Modules are named, and imported only when one is run: some need seconds, some an extra.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from .engine.config import BaseConfig
from .engine.folder import RunDirectory
from .errors import RunDirectoryError
from .hodgkin_huxley.config import HodgkinHuxleyConfig
from .lmg.config import LMGConfig
from .open_system.config import OpenSystemConfig
from .qlif.config import QlifConfig
from .spiqgan.config import SpiQGANConfig

__all__ = ["SYSTEMS", "System", "resume"]


@dataclass(frozen=True)
class System:
    """One system of the command line.

    Attributes:
        config: its configuration; every field is an option.
        module: of ``start(config, out)`` and ``resume(path)``.
        estimator: module and function that say what a run would cost.
        about: one line for ``run``.
        costs: what the estimate is of.
    """

    config: type[BaseConfig]
    module: str
    estimator: tuple[str, str]
    about: str
    costs: str

    def start(self, config: BaseConfig, out: Path | None) -> dict[str, Any]:
        """Run into a new folder; the run's JSON object."""
        found: dict[str, Any] = _module(self.module).start(config, out)
        return found

    def estimate(self, config: BaseConfig) -> dict[str, Any]:
        """What such a run would cost."""
        module, function = self.estimator
        found: dict[str, Any] = getattr(_module(module), function)(config)
        return found


SYSTEMS = {
    "lmg": System(
        LMGConfig,
        "lmg.protocol",
        ("engine.costs", "estimate_lmg"),
        "The LMG quantum brain under synaptic feedback.",
        "an LMG run",
    ),
    "spiqgan": System(
        SpiQGANConfig,
        "spiqgan.protocol",
        ("spiqgan.device", "estimate_spiqgan"),
        "A quantum generator of neuronal spike patterns against a classical critic.",
        "a generator",
    ),
    "hodgkin-huxley": System(
        HodgkinHuxleyConfig,
        "hodgkin_huxley.protocol",
        ("hodgkin_huxley.protocol", "estimate_hodgkin_huxley"),
        "A neuron whose ion channels' gates are qubits, under its own membrane's voltage.",
        "a neuron's gates",
    ),
    "open-system": System(
        OpenSystemConfig,
        "open_system.protocol",
        ("open_system.protocol", "estimate_open_system"),
        "Collective neurons in a bath under stimulation, as collisions with an ancilla.",
        "a bath's collisions",
    ),
    "qlif": System(
        QlifConfig,
        "qlif.protocol",
        ("qlif.protocol", "estimate_qlif"),
        "Leaky integrate-and-fire neurons that share an entangled pair in every tick.",
        "entangled neurons",
    ),
}


def resume(path: Path) -> dict[str, Any]:
    """Go on with a run of any system; a finished one only returns its result.

    Raises ``RunDirectoryError`` if ``path`` holds no intact run.
    """
    name = RunDirectory.open(path).record()["run"]["system"]
    if name not in SYSTEMS:
        raise RunDirectoryError(f"{path}: wanted a run of {', '.join(SYSTEMS)}, got {name}")
    found: dict[str, Any] = _module(SYSTEMS[name].module).resume(path)
    return found


def _module(name: str) -> Any:
    return import_module(f"qbrain.experiments.{name}")
