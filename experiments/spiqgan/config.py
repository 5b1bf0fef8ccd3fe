"""Configuration of a spike generator's run: data, circuit, training, controls, backend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import field_validator

from qbrain.circuits.arguments import CircuitError

from ..engine.config import LARGEST_SEED, analysis_field, circuit_field, model_field
from ..errors import ConfigError, NotApplicable
from ..spikes.config import RecordingConfig

if TYPE_CHECKING:  # PennyLane and JAX are an extra, and take seconds to import
    from qbrain.circuits.spiqgan import SpikeGenerator
    from qbrain.classical_feedback.spike_training import TrainingPlan
    from qbrain.reference.spiqgan.generator import SpiQGAN

__all__ = ["CONTROLS", "FREE_CONTROLS", "TRAINED_CONTROLS", "SpiQGANConfig", "is_file"]

FREE_CONTROLS = ("independent", "dichotomised-gaussian")
TRAINED_CONTROLS = ("classical", "spike-gan", "no-entangling")
CONTROLS = FREE_CONTROLS + TRAINED_CONTROLS

_TRAINING = (
    "training_steps", "batch", "generator_batch", "generator_rate", "critic_rate", "rate_weight",
    "covariance_weight", "count_weight", "patience",
)  # fmt: skip


def is_file(name: str) -> bool:
    """Whether there is such a file; a name that no file can have is none."""
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


class SpiQGANConfig(RecordingConfig):
    """A quantum generator of spikes against a classical critic (arXiv:2409.09125)."""

    renamed: ClassVar[Mapping[str, str]] = {
        "readout": "emission",
        "held_back": "validation_fraction",
        "held_out": "test_fraction",
        "steps": "training_steps",
    }

    backend: str = circuit_field(
        "exact",
        description="exact (no circuit: dense vectors), statevector, aer, fake_<device> (noise of "
        "a device snapshot) or ibm_<device> (the device itself)",
    )
    shots: int = circuit_field(400, ge=1, description="measurements of each circuit")

    bins: int = model_field(
        8, ge=1, le=1000, why="each bin is a circuit", description="bins of a window"
    )
    test_fraction: float = model_field(
        0.2, gt=0, lt=1, description="fraction of the trials held out for the results"
    )
    validation_fraction: float = model_field(
        0.15, gt=0, lt=1, description="fraction of the trials for stopping the training"
    )
    split_seed: int = model_field(
        0, ge=0, le=LARGEST_SEED, description="seed of which trials are held out"
    )

    layers: int = model_field(
        5,
        ge=1,
        le=100,
        why="each has a gate a qubit in every bin",
        description="how often the noise is uploaded",
    )
    weights_per: Literal["bin", "shared", "recurrent"] = model_field(
        "bin", description="a circuit a bin, one for all, or one whose memory qubits go on"
    )
    memory: int | None = model_field(
        None,
        ge=1,
        le=12,
        why="neurons and memory are simulated as one dense vector",
        description="recurrent: memory qubits kept from bin to bin (default: 1)",
    )
    emission: Literal["sigmoid", "words"] = model_field(
        "sigmoid", description="spikes by σ(a⟨Z⟩+b), or as the bits of one shot"
    )
    entangling: bool = model_field(True, description="end each layer in a ring of CNOTs")

    weights: str | None = analysis_field(
        None, description="weights of an earlier run; nothing is trained"
    )
    training_steps: int = analysis_field(
        4000, ge=1, le=10**7, description="training steps of the generator"
    )
    batch: int = analysis_field(64, ge=1, le=10**5, description="windows a step of the critic")
    generator_batch: int = analysis_field(
        256, ge=4, le=10**5, description="windows a step of the generator (even)"
    )
    generator_rate: float = analysis_field(1e-2, gt=0, description="learning rate of the generator")
    critic_rate: float = analysis_field(1e-3, gt=0, description="learning rate of the critic")
    rate_weight: float = analysis_field(
        300.0, ge=0, description="weight of the rates in the moment loss"
    )
    covariance_weight: float = analysis_field(
        300.0, ge=0, description="weight of the covariances in the moment loss"
    )
    count_weight: float = analysis_field(
        30.0, ge=0, description="weight of the spike counts in the moment loss"
    )
    patience: int = analysis_field(
        0,
        ge=0,
        le=10**7,
        description="checks without a lesser error after which to stop (0: never)",
    )
    controls: str = analysis_field(
        "independent,dichotomised-gaussian",
        description="what to compare with: all, none, or names joined by commas: "
        + ", ".join(CONTROLS),
    )
    samples: int = analysis_field(
        50_000, ge=100, le=10**7, description="windows drawn to measure a generator by"
    )

    noise_points: int = circuit_field(
        64,
        ge=1,
        le=10**5,
        why="each has circuits of its own",
        description="windows' worth of noise that circuits are run for",
    )
    mitigation: Literal["none", "readout"] = circuit_field(
        "readout",
        description="readout: invert the assignment matrix, measured by circuits sent along; raw "
        "results are kept beside",
    )

    @field_validator("controls")
    @classmethod
    def _known_controls(cls, value: str) -> str:
        unknown = set(value.split(",")) - {*CONTROLS, "all", "none"}
        if unknown or (len(value.split(",")) > 1 and {"all", "none"} & set(value.split(","))):
            raise ValueError(f"all, none, or names joined by commas of {', '.join(CONTROLS)}")
        return value

    @property
    def control_names(self) -> tuple[str, ...]:
        """Controls asked for, in the order of ``CONTROLS``."""
        if self.controls in ("all", "none"):
            return CONTROLS if self.controls == "all" else ()
        return tuple(name for name in CONTROLS if name in self.controls.split(","))

    @property
    def memory_qubits(self) -> int:
        """M: 0 unless recurrent."""
        return (self.memory or 1) if self.weights_per == "recurrent" else 0

    @property
    def histories(self) -> bool:
        """Whether each shot is a window as it is: a recurrent generator's words."""
        return self.weights_per == "recurrent" and self.emission == "words"

    @property
    def generator(self) -> SpikeGenerator:
        """The generator, for its circuits."""
        from qbrain.circuits.spiqgan import SpikeGenerator

        return SpikeGenerator(**self._form())

    @property
    def model(self) -> SpiQGAN:
        """The same generator, for its exact answer."""
        from qbrain.reference.spiqgan.generator import SpiQGAN

        return SpiQGAN(**self._form())

    def _form(self) -> dict[str, Any]:
        return {
            "neurons": self.neuron_count,
            "bins": self.bins,
            "layers": self.layers,
            "weights_per": self.weights_per,
            "memory": self.memory_qubits,
            "readout": self.emission,
            "entangling": self.entangling,
        }

    def plan(self, seed: int) -> TrainingPlan:
        """How to train. Raises ``ConfigError``."""
        from qbrain.classical_feedback.spike_training import TrainingError, TrainingPlan

        settings = {name: getattr(self, name) for name in _TRAINING}
        settings["steps"] = settings.pop("training_steps")
        try:
            return TrainingPlan(seed=seed, **settings)
        except TrainingError as error:
            raise ConfigError(str(error)) from None

    def refuse_ignored(self) -> None:
        """Refuse combinations without meaning, and settings that would do nothing."""
        try:
            self.generator  # noqa: B018
            self.plan(0)
        except ModuleNotFoundError as error:
            raise NotApplicable(
                f"spiqgan: wanted the extra qbrain[spiqgan], got none ({error.name} is missing)"
            ) from None
        except CircuitError as error:
            raise ConfigError(str(error)) from None
        if self.weights_per != "recurrent":
            self._refuse("only weights-per recurrent has memory", "memory")
        if self.weights is not None:
            self._refuse("weights are loaded and nothing is trained", *_TRAINING)
            if not is_file(self.weights):
                raise ConfigError(f"weights: wanted a file that exists, got {self.weights!r}")
        if self.histories and self.mitigation == "readout" and self.given("mitigation"):
            raise NotApplicable(
                "mitigation: readout corrects probabilities, and words of a recurrent generator "
                "are single histories; wanted none"
            )
        super().refuse_ignored()
        if self.validation == "matrix-product-state":
            raise NotApplicable(
                "validation: the states of a spike generator are dense vectors; wanted auto or "
                f"statevector, got {self.validation}"
            )
