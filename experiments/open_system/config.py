"""Configuration of a collective bath's run: neurons, bath, stimulus, circuits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import field_validator

from ..engine.config import LARGEST, MOST_TIMES, analysis_field, circuit_field, model_field
from ..engine.mitigated import MitigatedConfig
from ..errors import ConfigError, NotApplicable

__all__ = ["OpenSystemConfig", "parse_pulses"]


# of the stimulation: times in 1/g
MOST_PULSES, STRONGEST, SHORTEST = 1000, 1e3, 1e-6


def parse_pulses(text: str) -> list[tuple[float, float, float]]:
    """(start, stop, strength) of each pulse of ``start:stop:strength,…``; stop may be inf.

    Raises ``ValueError`` for anything else, and for pulses past what can be integrated.
    """
    wanted = ValueError("start:stop:strength, joined by commas, such as 1:1.5:0.8 or 0:inf:0.1")
    found = []
    parts = text.split(",")
    if len(parts) > MOST_PULSES:
        raise ValueError(f"at most {MOST_PULSES} pulses")
    for part in parts:
        try:
            start, stop, strength = (float(number) for number in part.split(":"))
        except ValueError:
            raise wanted from None
        if not (math.isfinite(start) and math.isfinite(strength) and start < stop):
            raise wanted
        if abs(start) > LARGEST or abs(strength) > STRONGEST or stop - start < SHORTEST:
            raise ValueError(
                f"pulses of at most {STRONGEST:g} in strength, at least {SHORTEST:g} long, that "
                f"begin at most {LARGEST:g} from 0"
            )
        found.append((start, stop, strength))
    return found


class OpenSystemConfig(MitigatedConfig):
    """Collective neurons in a bath under stimulation (Sun and Zhang 2021).

    Units: ω₀ = g = 1; times in 1/g.
    """

    renamed: ClassVar[Mapping[str, str]] = {"feedback": "controller"}

    neurons: int = model_field(
        2,
        ge=1,
        le=2000,
        why="the master equation has N³/6 numbers",
        description="number N of neurons that share the bath",
    )
    cutoff: float = model_field(
        3.5, gt=0, smallest=1e-3, largest=1e4, description="cutoff ω_c of the bath's spectrum"
    )
    exponent: float = model_field(
        1.0, gt=0, smallest=0.01, largest=20, description="exponent s of the spectrum (1: Ohmic)"
    )
    occupation: Literal["zero", "boltzmann", "bose"] = model_field(
        "zero", description="of the bath's modes: zero temperature, e^{-βω} or 1/(e^{βω} - 1)"
    )
    beta: float | None = model_field(
        None,
        gt=0,
        smallest=1e-4,
        largest=1e4,
        description="inverse temperature β of the occupation, in 1/g",
    )
    scaling: Literal["none", "1/N"] = model_field(
        "1/N", description="1/N: with the 1/√N of the coupling (Eq. 4), which the paper loses"
    )
    pulses: str = model_field(
        "0.5:inf:0.1",
        description="stimulation η(t): start:stop:strength, joined by commas; they add",
    )
    start: Literal["down", "up", "tilted"] = model_field(
        "up", description="state of all neurons at 0"
    )
    tilt: float = model_field(
        2.0, ge=0, le=math.pi, description="start tilted: polar angle of each spin (0: up)"
    )
    azimuth: float = model_field(0.0, description="start tilted: its azimuth")
    time: float = model_field(6.0, gt=0, smallest=1e-6, largest=1e4, description="duration in 1/g")
    steps: int = analysis_field(
        24, ge=1, le=10**5, why=MOST_TIMES, description="steps; spins are read steps+1 times"
    )
    substeps: int = circuit_field(
        1,
        ge=1,
        le=1000,
        why="each is a collision with every neuron",
        description="collisions a step",
    )

    controller: Literal["none", "homeostasis"] = model_field(
        "none", description="homeostasis: η of the next step set from the measured ⟨S_z⟩"
    )
    target: float = model_field(0.0, ge=-1, le=1, description="homeostasis: ⟨σ_z⟩ aimed at")
    gain: float = model_field(0.5, gt=0, description="homeostasis: η for each unit of the error")
    largest: float = model_field(0.5, gt=0, description="homeostasis: largest η")

    order: Literal["alternating", "palindromic", "fixed"] = circuit_field(
        "alternating",
        description="in which the bath's ancilla meets the neurons (fixed does not converge)",
    )
    extrapolation: Literal["none", "richardson"] = circuit_field(
        "none", description="richardson: each point also with half as many collisions"
    )
    fresh: bool = circuit_field(
        False, description="a new ancilla for every collision, nothing is reset"
    )
    mitigation: str = circuit_field(
        "none",
        description="none, or names joined by +: readout (errors measured by two circuits sent "
        "along), zne (no noise, from several noise scales); raw figures are kept beside",
    )

    @field_validator("pulses")
    @classmethod
    def _readable_pulses(cls, value: str) -> str:
        parse_pulses(value)
        return value

    @property
    def collisions(self) -> int:
        """Of a whole run, at the finest."""
        return self.steps * self.substeps

    def refuse_ignored(self) -> None:
        """Refuse combinations without meaning, and settings that would do nothing."""
        if self.occupation == "zero":
            self._refuse("the bath is at zero temperature", "beta")
        elif self.beta is None:
            raise ConfigError(f"beta: wanted a number for occupation {self.occupation}, got none")
        if self.start != "tilted":
            self._refuse(f"the start is {self.start}", "tilt", "azimuth")
        if self.controller == "homeostasis":
            self._refuse("homeostasis sets the stimulation", "pulses")
        else:
            self._refuse("there is no controller", "target", "gain", "largest")
        super().refuse_ignored()
        if not self.runs_circuits:
            return
        self.refuse_state_methods()
        if self.neurons > MOST_ON_CIRCUITS:
            raise NotApplicable(
                f"neurons: wanted at most {MOST_ON_CIRCUITS} on circuits, whose check compares "
                f"density matrices, got {self.neurons}; backend exact takes a thousand"
            )
        if self.controller == "homeostasis" and self.substeps > 1:
            raise NotApplicable(
                "substeps: wanted 1 under homeostasis, which keeps every collision's rate from "
                f"being negative, got {self.substeps}"
            )
        if self.extrapolation == "richardson" and (self.substeps % 2 or self.order == "fixed"):
            raise NotApplicable(
                "extrapolation: richardson halves the collisions of every step and wants an order "
                f"that converges; got substeps = {self.substeps}, order = {self.order}"
            )


# neurons and an ancilla that gates join, as one density matrix
MOST_ON_CIRCUITS = 5
