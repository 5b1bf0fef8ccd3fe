"""Configuration of an LMG quantum brain's run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import field_validator

from ..engine.chains import Chain, chain_of, label_of
from ..engine.config import MOST_TIMES, analysis_field, circuit_field, model_field
from ..engine.mitigated import MitigatedConfig
from ..errors import NotApplicable

__all__ = ["LMGConfig"]


class LMGConfig(MitigatedConfig):
    """The LMG quantum brain (Torres and Romera, arXiv:2602.16003, Eqs. 2 to 6)."""

    renamed: ClassVar[Mapping[str, str]] = {"feedback": "dispatch"}
    # a trajectory may be sampled without any circuit
    exact_uses: ClassVar[frozenset[str]] = frozenset({"shots"})
    known_mitigations: ClassVar[tuple[str, ...]] = ("parity", "readout", "echo", "zero", "zne")

    neurons: int = model_field(
        6,
        ge=1,
        le=10**6,
        why="an exact trajectory has N + 1 amplitudes",
        description="number N of neurons, all-to-all coupled",
    )
    gamma: float = model_field(1.0, description="anisotropy γ of the coupling")
    g0: float = model_field(1.0, description="maximum coupling g0; g(t) = g0·r(t)")
    field: float = model_field(0.0, description="external field h along J_z")
    tau_r: float = model_field(1.0, ge=0, description="recovery time τ_r of depression (0: r ≡ 1)")
    tau_f: float = model_field(0.0, ge=0, description="facilitation time τ_f (0: U ≡ release)")
    release: float = model_field(0.5, ge=0, le=1, description="release probability 𝒰 at rest")
    initial: str = model_field(
        "silent", description="silent, half, saturated, or a number of active neurons"
    )
    time: float = analysis_field(
        12.0, gt=0, smallest=1e-6, description="duration, in inverse units of g0"
    )
    steps: int = analysis_field(
        16,
        ge=1,
        le=10**6,
        why=MOST_TIMES,
        description="feedback steps; E is measured steps+1 times",
    )
    encoding: Literal["qubit", "dicke"] = circuit_field(
        "qubit", description="a qubit a neuron, or the parity sector on few qubits"
    )
    evolution: Literal["replay", "incremental", "fast-forward", "orbit", "relax"] = circuit_field(
        "replay", description="how a circuit reaches its time"
    )
    dispatch: Literal["auto", "live", "afterwards"] = circuit_field(
        "auto",
        description="fast-forward: live sends a job a step, afterwards all points in one job at "
        "predicted phases, feedback integrated from what came back; auto: afterwards on devices",
    )
    trotter_order: Literal[1, 2, 4] | None = circuit_field(
        None,
        description="order of the product formula (default 2; on a swap network without field 1, "
        "whose sweeps run to and fro)",
    )
    trotter_steps: int | None = circuit_field(
        None,
        ge=1,
        le=10_000,
        why="each step has gates between every two neurons",
        description="Trotter steps a feedback step (fast-forward, orbit: a circuit); default: "
        "under noise the number of least expected error by gates, shots and formula, else the "
        "fewest that meet max-trotter-error",
    )
    max_trotter_error: float = circuit_field(
        0.02, gt=0, description="largest Trotter error of E that may be dispatched"
    )
    synthesis: Literal["unitary", "isometry", "trotter"] = circuit_field(
        "unitary", description="dicke encoding: how the evolution becomes gates"
    )
    feedback_order: Literal[1, 2] = circuit_field(
        2, description="order in the step of the feedback (1 holds E, 2 extrapolates it)"
    )
    mitigation: str = circuit_field(
        "parity",
        description="none, or names joined by +: parity, readout, echo, zero, zne; raw figures "
        "are kept beside",
    )
    readout_calibration: Literal["measured", "published"] = circuit_field(
        "measured",
        description="mitigation readout: by circuits sent along, or as the device says",
    )
    fractional_gates: bool = circuit_field(
        False, description="use rzz where the device has it (one axis, such as gamma = 1)"
    )

    @field_validator("initial", mode="before")
    @classmethod
    def _initial_as_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) else value

    @field_validator("trotter_order", "feedback_order", mode="before")
    @classmethod
    def _number_from_text(cls, value: Any) -> Any:
        return int(value) if isinstance(value, str) and value.isdigit() else value

    @property
    def chain(self) -> Chain:
        """The mitigations of the run's own estimate."""
        # dicke: one parity only, there is nothing to drop
        return super().chain - ({"parity"} if self.encoding == "dicke" else set())

    @property
    def feedback_afterwards(self) -> bool:
        """Whether fast-forward sends one job and integrates the feedback from its results."""
        if self.evolution != "fast-forward":
            return False
        return self.dispatch == "afterwards" or (self.dispatch == "auto" and self.on_device)

    @property
    def integrates_afterwards(self) -> bool:
        """Whether E is measured at given phases and the feedback integrated on it."""
        return self.evolution == "orbit" or self.feedback_afterwards

    @property
    def fixed_depth(self) -> bool:
        """Whether each circuit has Trotter steps of its own instead of a number an interval."""
        return self.evolution in ("fast-forward", "orbit")

    @property
    def single_layer(self) -> bool:
        """γ = 1, h = 0: every term commutes and one layer is exact at any time."""
        return self.gamma == 1 and self.field == 0

    @property
    def exact_circuits(self) -> bool:
        """Whether the circuits have no Trotter error by construction."""
        if self.encoding == "dicke":
            return self.synthesis != "trotter"
        return self.single_layer

    def refuse_ignored(self) -> None:
        """Refuse combinations without meaning, and settings that would do nothing."""
        if self.field != 0 and self.evolution in ("orbit", "fast-forward"):
            raise NotApplicable(
                f"evolution: {self.evolution} needs field = 0, where all H(t) commute and the "
                f"dynamics is one orbit; got field = {self.field}"
            )
        if self.evolution != "fast-forward":
            self._refuse("only fast-forward has the choice", "dispatch")
        if "readout" not in self.chain:
            self._refuse("mitigation has no readout", "readout_calibration")
        super().refuse_ignored()
        if not self.runs_circuits:
            return
        if self.validation == "matrix-product-state" and (
            self.encoding == "dicke" or self.evolution == "incremental"
        ):
            raise NotApplicable(
                "validation: matrix-product-state is for a qubit a neuron, from the start on; "
                f"got encoding {self.encoding}, evolution {self.evolution}"
            )
        if self.evolution == "incremental":
            if self.backend not in ("aer", "statevector"):
                raise NotApplicable(
                    "evolution: incremental keeps the simulator's state between measurements, "
                    f"which only aer and statevector can; got backend {self.backend}"
                )
            if self.encoding == "dicke":
                raise NotApplicable(
                    "evolution: incremental is for encoding qubit; a dicke circuit reaches any "
                    "time at fixed depth, so replay costs no more"
                )
        self._refuse_mitigation()
        if self.encoding == "qubit":
            self._refuse("encoding is qubit", "synthesis")
        elif self.synthesis == "trotter" and self.trotter_order == 4:
            raise NotApplicable("trotter_order: wanted 1 or 2 in the dicke encoding, got 4")
        if self.exact_circuits:
            reason = (
                "one layer is exact for gamma = 1, field = 0"
                if self.encoding == "qubit"
                else f"synthesis {self.synthesis} has no product formula"
            )
            self._refuse(reason, "trotter_order", "trotter_steps", "max_trotter_error")
        if self.evolution in ("orbit", "relax") or self.feedback_afterwards:
            self._refuse(f"{self.evolution} integrates the continuous law", "feedback_order")

    def refuse_noise_free(self) -> None:
        """Refuse all but parity where circuits meet no errors."""
        noisy = self.chain - {"parity"}
        if self.backend in ("statevector", "aer") and noisy:
            raise NotApplicable(
                f"mitigation: backend {self.backend} has no noise that {label_of(noisy)} "
                "could correct; wanted none or parity"
            )

    def _refuse_mitigation(self) -> None:
        if self.backend in ("statevector", "aer") and self.fractional_gates:
            raise NotApplicable(
                f"fractional_gates: backend {self.backend} has gates at any angle anyway"
            )
        if self.encoding == "qubit":
            if self.fractional_gates and not self.single_layer:
                self._refuse("rzz saves nothing where two axes interact", "fractional_gates")
            return
        self._refuse("encoding is dicke", "fractional_gates")
        names = chain_of(self.mitigation, self.known_mitigations)
        if "parity" in names and self.given("mitigation"):
            raise NotApplicable(
                f"mitigation: {self.mitigation} has nothing to drop in the dicke encoding, which "
                "holds one parity only; wanted it without parity"
            )
        if "zero" in names:
            raise NotApplicable(
                "mitigation: zero has no circuit in the dicke encoding, where no gate is left at "
                "phase zero; wanted echo"
            )
