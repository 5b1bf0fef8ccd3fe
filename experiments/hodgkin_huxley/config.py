"""Configuration of a quantized Hodgkin-Huxley neuron's run: channel, drive, circuits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal

from ..engine.config import MOST_TIMES, analysis_field, circuit_field, model_field
from ..engine.mitigated import MitigatedConfig
from ..errors import ConfigError, NotApplicable

__all__ = ["HodgkinHuxleyConfig"]

# steps replayed by default where circuits have no noise
IDEAL_WINDOW = 25
# steps a ms by default of the whole neuron: sodium's activation follows 8 per ms in a spike
STEPS_A_MS = 20


def by_channel(**defaults: float) -> Callable[[dict[str, Any]], float]:
    """A default that depends on the channel, of a field after it."""
    return lambda data: defaults[data.get("channel", "K")]


def _default_steps(data: dict[str, Any]) -> int:
    return max(1, math.ceil(STEPS_A_MS * data["time"])) if data["channel"] == "full" else 100


class HodgkinHuxleyConfig(MitigatedConfig):
    """A neuron whose channels' gates are qubits (Cheng et al., arXiv:1807.10698).

    Units: mV from rest, ms, µA/cm², mS/cm², µF/cm², kΩ·cm²; frequencies in rad/ms.
    """

    known_mitigations: ClassVar[tuple[str, ...]] = ("readout", "reference", "zne")

    channel: Literal["K", "full"] = model_field(
        "K",
        description="K: the quantized potassium channel, whose voltage follows its gate at once; "
        "full: potassium, sodium and leak, voltage integrated",
    )
    drive: Literal["constant", "classical", "coherent", "entangled"] = model_field(
        "classical",
        description="current: constant, I0 sin²Ωt, or that of a coherent or an entangled source",
    )
    amplitude: float = model_field(
        30.0, description="I0 of the constant and the classical drive, in µA/cm²"
    )
    frequency: float = model_field(
        0.5, gt=0, smallest=1e-3, largest=1e3, description="Ω of the drive in rad/ms"
    )
    alpha0: float = model_field(
        by_channel(K=1.0, full=0.1),
        ge=0,
        description="amplitude α0 of the source's coherent states (default: 1.0; full: 0.1)",
    )
    theta: float = model_field(
        math.pi / 4, ge=0, le=math.pi / 2, description="angle θ of cosθ|α,0⟩ + sinθ|0,α⟩"
    )
    entangled_state: Literal["normalised", "unnormalised"] = model_field(
        "normalised", description="unnormalised: as in the paper, which is no state"
    )
    gate_capacitance: float = model_field(
        1.0, gt=0, description="C_g between source and membrane, in µF/cm²"
    )
    source_capacitance: float = model_field(1e-5, gt=0, description="C_s of the source")
    capacitance: float = model_field(1.0, gt=0, description="C of the membrane in µF/cm²")
    z_min: float = model_field(
        1 / 36,
        gt=0,
        smallest=1e-6,
        largest=1e3,
        description="impedance Z_min of the open channel in kΩ·cm² (K)",
    )
    reversal: float = model_field(-12.0, description="V_K in mV from rest")
    initial_n: float | None = model_field(
        None, ge=0, le=1, description="gate variable n at the start (default: at rest)"
    )
    time: float = model_field(
        by_channel(K=50.0, full=20.0),
        gt=0,
        smallest=1e-6,
        largest=1e5,
        description="duration in ms (default: 50.0; full: 20.0)",
    )
    steps: int = analysis_field(
        _default_steps,
        ge=1,
        le=10**6,
        why=MOST_TIMES,
        description="feedback steps; gates are read steps+1 times (default: 100; full: "
        f"{STEPS_A_MS} a ms)",
    )

    reading: Literal["gates", "channels"] = circuit_field(
        "gates",
        description="gates: a qubit a gate variable, powers taken of what was read; channels: four "
        "gates a channel, read jointly",
    )
    copies: int = circuit_field(
        1,
        ge=1,
        le=64,
        why="each copy is a qubit",
        description="copies of every gate in a circuit, averaged over",
    )
    window: int | None = circuit_field(
        None,
        ge=1,
        le=1000,
        why="each step replayed is a collision of every gate",
        description="steps that a circuit replays, from what was read before them (default: "
        f"{IDEAL_WINDOW}, and 1 under noise)",
    )
    ancilla: Literal["auto", "mixed", "split", "coherent"] = circuit_field(
        "auto",
        description="how an ancilla opens a gate: mixed (purified by a second one), split (two "
        "collisions), coherent (a window of one step only); auto: coherent or mixed",
    )
    fresh: bool = circuit_field(
        False, description="a new ancilla for every step, where none can be reset on the way"
    )
    mitigation: str = circuit_field(
        "none",
        description="none, or names joined by +: readout (errors measured by two circuits sent "
        "along) or reference (those and the collision's, by two circuits with a collision of "
        "almost zero angle; a window of one step), zne (no noise, from several noise scales)",
    )
    noise_scales: str = circuit_field(
        "1,2,3", description="mitigation zne: noise scales, made by folding two-qubit gates"
    )

    @property
    def window_steps(self) -> int:
        """Steps that a circuit replays."""
        if self.window is not None:
            return self.window
        return 1 if self.noisy else IDEAL_WINDOW

    @property
    def ancilla_form(self) -> Literal["mixed", "split", "coherent"]:
        """How the ancilla is made."""
        if self.ancilla != "auto":
            return self.ancilla
        return "coherent" if self.window_steps == 1 else "mixed"

    def refuse_ignored(self) -> None:
        """Refuse combinations without meaning, and settings that would do nothing."""
        if self.drive == "constant":
            self._refuse("a constant current has no frequency", "frequency")
        if self.drive in ("constant", "classical"):
            self._refuse(
                f"drive {self.drive} has no quantum source",
                *("alpha0", "gate_capacitance", "source_capacitance"),
            )
        else:
            self._refuse(f"drive {self.drive} has an amplitude of its own", "amplitude")
        if self.drive != "entangled":
            self._refuse(f"drive {self.drive} is not entangled", "theta", "entangled_state")
        if self.channel == "full":
            self._refuse("the whole neuron starts at rest and has conductances of 1952", *_OF_K)
        super().refuse_ignored()
        if not self.runs_circuits:
            return
        self.refuse_state_methods()
        if self.ancilla == "coherent" and self.window_steps > 1:
            raise NotApplicable(
                "ancilla: coherent is exact for a window of one step only, got window = "
                f"{self.window_steps}; wanted mixed or split"
            )
        if self.fresh and self.window_steps == 1:
            raise ConfigError("fresh: would be ignored, since a window of one step resets nothing")
        if "reference" in self.chain and self.window_steps > 1:
            raise NotApplicable(
                "mitigation: reference is for a window of one step, whose collision it measures; "
                f"got window = {self.window_steps}"
            )


_OF_K = ("z_min", "reversal", "initial_n")
