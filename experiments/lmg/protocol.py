"""The LMG quantum brain: circuits that reach a time, and a synapse that follows what they read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from qbrain.backends.stateful import StatefulSampler
from qbrain.reference.lmg import initial_excitations

from ..engine.experiment import Bench, Experiment, Outcome, Protocol
from ..engine.needs import Need
from ..engine.sampler import RunSampler
from .brain import Brain
from .circuits import qubits_needed
from .config import LMGConfig
from .forms.fast_forward import fast_forward, fast_forward_in_one_job
from .forms.incremental import incremental
from .forms.orbit import orbit
from .forms.relax import relax
from .forms.replay import replay
from .needs import lmg_needs
from .points import Measured, PointCircuits
from .relaxation import MOST_ROUNDS
from .result import outcome_of

__all__ = ["LMGExperiment"]

FORMS: Mapping[str, Callable[[PointCircuits], Protocol[Measured]]] = {
    "replay": replay,
    "incremental": incremental,
    "fast-forward": fast_forward,
    "orbit": orbit,
    "relax": relax,
}


class LMGExperiment(Experiment[LMGConfig, Measured]):
    """A run of the brain: its model, and on a bench its circuits."""

    def __init__(self, config: LMGConfig, bench: Bench | None) -> None:
        super().__init__(config, bench)
        self.brain = Brain(config)
        self.circuits = None if bench is None else PointCircuits(self.brain, bench)
        kept: Literal["all", "last"] = "all"
        if config.evolution in ("replay", "relax") and config.encoding == "qubit":
            # the last circuit begins with all the others
            kept = "last"
        self.circuits_kept = kept

    @classmethod
    def qubits_of(cls, config: LMGConfig) -> int:
        """Neurons, or the qubits of their parity sector."""
        return qubits_needed(config, initial_excitations(config.neurons, config.initial))

    @classmethod
    def needs(cls, config: LMGConfig) -> Sequence[Need]:
        """See :mod:`.needs`."""
        return lmg_needs(config)

    @classmethod
    def open_sampler(
        cls, config: LMGConfig, qubits: int, record: Mapping[str, Any] | None
    ) -> RunSampler:
        """The backend's sampler, or one that keeps its state."""
        if config.evolution == "incremental":
            return StatefulSampler(config.backend, qubits, seed=config.seed)
        return super().open_sampler(config, qubits, record)

    @property
    def jobs(self) -> int:
        """A job a time, one, or one a round."""
        if self.config.integrates_afterwards:
            return 1
        return MOST_ROUNDS if self.config.evolution == "relax" else len(self.brain.times)

    @property
    def loops_on_device(self) -> bool:
        """``relax`` sends one job or two as a rule, with nothing to hurry for between them."""
        return self.jobs > 1 and self.config.evolution != "relax"

    def protocol(self) -> Protocol[Measured]:
        """The form of the loop that the configuration asks for."""
        assert self.circuits is not None
        if self.config.feedback_afterwards:
            return fast_forward_in_one_job(self.circuits)
        return FORMS[self.config.evolution](self.circuits)

    def outcome(self, measured: Measured | None) -> Outcome:
        """E, r and U against the exact closed loop."""
        return outcome_of(self.brain, self.circuits, measured, self.where)

    def costs(self) -> Mapping[str, Any]:
        """The Trotter steps of the largest circuit."""
        return {} if self.circuits is None else {"trotter_steps": self.circuits.most_steps}
