"""The circuits of a run's points on a bench, with the references that are sent along."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from qbrain.classical_feedback.estimator import Estimate
from qbrain.classical_feedback.synapse import SynapticLaw, SynapticState

from ..engine.calibration import calibration_tasks
from ..engine.experiment import Bench, Reading, Task
from ..engine.mitigation import Mitigator
from ..errors import NotApplicable
from .brain import Brain
from .circuits import Prepared, Steps, formula_on, open_circuits
from .companions import point_tasks, reference_tasks
from .trotter import Plan, guard_step_size, plan_steps

__all__ = ["Measured", "Point", "PointCircuits"]


@dataclass(frozen=True)
class Point:
    """A measured point: its step, the control it was measured under, what came of its circuits."""

    step: int
    control: SynapticState
    estimate: Estimate
    readings: tuple[Reading, ...]


@dataclass(frozen=True)
class Measured:
    """What a form of the loop measured.

    ``points``: those of the result; ``every``: the readings of all points that led to them, which
    are more where the loop was relaxed in several rounds.
    """

    points: list[Point]
    every: list[tuple[Reading, ...]]


class PointCircuits:
    """Circuits, references and estimates of a run's points.

    Raises:
        DispatchRefused: a product formula whose steps are too long.
        NotApplicable: a mitigation that the backend has no data for.
    """

    def __init__(self, brain: Brain, bench: Bench) -> None:
        self.brain, self.bench, self.config = brain, bench, brain.config
        config = self.config
        self.sources = [
            open_circuits(config, brain.model, brain.initial, target) for target in bench.targets
        ]
        self.trotter = self._trotter_steps()
        for source in self.sources:
            source.trotter = self.trotter
        if "readout" in config.chain and bench.readout is None:
            raise NotApplicable(f"mitigation: backend {config.backend} has no readout calibration")
        self.mitigator = Mitigator(
            config.neurons,
            config.chain,
            table=self.sources[0].table(),
            parity=brain.initial % 2 if config.encoding == "qubit" else None,
            published=bench.readouts,
        )

    def _trotter_steps(self) -> Steps:
        config, brain = self.config, self.brain
        formula = formula_on(config, brain.initial, self.bench.target)
        plan = Plan(config, brain.model, brain.initial, brain.exact.phase.values, formula)
        ideal = not self.bench.noisy or config.exact_circuits
        steps = plan_steps(plan, None if ideal else self.sources[0].infidelity())
        guard_step_size(plan, steps)
        return steps

    @property
    def law(self) -> SynapticLaw:
        """The synapse's law, of the order that was asked for."""
        return SynapticLaw(self.brain.synapse, self.config.feedback_order)

    def prepare(self, index: int, controls: Sequence[SynapticState]) -> list[Prepared]:
        """The circuit of point ``index`` from the start, on every placement."""
        schedule = self.brain.schedule_to(index, controls)
        name = f"lmg-{self.config.evolution}"
        return [source.prepare(schedule, name) for source in self.sources]

    def last_interval(self, index: int, controls: Sequence[SynapticState]) -> list[Prepared]:
        """The circuit of the last interval alone, for a simulator that keeps its state."""
        schedule = self.brain.schedule_to(index, controls)
        return [source.step(schedule, f"lmg-{self.config.evolution}") for source in self.sources]

    def tasks(
        self,
        index: int,
        controls: Sequence[SynapticState],
        step: int,
        circuit: Callable[[int, Sequence[SynapticState]], list[Prepared]] | None = None,
    ) -> list[Task]:
        """All circuits that measure point ``index``; the first brings the references along."""
        prepared = (circuit or self.prepare)(index, controls)
        tasks = point_tasks(prepared, self.config, self.bench.targets, step)
        if index == 0:
            tasks += [replace(task, step=step) for task in self.references]
        return tasks

    @cached_property
    def references(self) -> list[Task]:
        """Circuits of known answer, to be sent with the first point of a run."""
        config, brain, tasks = self.config, self.brain, []
        kind = next((name for name in ("echo", "zero") if name in config.chain), None)
        if kind is not None:
            planned = brain.planned
            tasks += reference_tasks(
                config=config,
                kind=kind,
                sources=self.sources,
                targets=self.bench.targets,
                schedules=[brain.schedule_to(k, planned) for k in range(1, len(planned))],
                steps=self.most_steps,
                mixed=self.mitigator.mixed_excitation,
            )
        if "readout" in config.chain and config.readout_calibration == "measured":
            tasks += calibration_tasks(self.bench)
        return tasks

    @cached_property
    def most_steps(self) -> int:
        """Trotter steps of a circuit that has its own number, else of an interval; the largest."""
        g0 = self.config.g0
        return max(self.trotter(g0 * control.phase) for control in self.brain.planned)

    def point(self, step: int, control: SynapticState, readings: Sequence[Reading]) -> Point:
        """The estimate of a point from the readings of its circuits and references."""
        return Point(step, control, self.mitigator.estimate(readings), tuple(readings))

    def points_of(
        self, controls: Sequence[SynapticState], first: int, readings: Sequence[Reading]
    ) -> list[Point]:
        """The points of one job that holds several, in their order; the first is step ``first``."""
        each = len(self.sources) * len(self.config.scales)
        ahead = len(readings) - each * (len(controls) - 1)
        sizes = [ahead, *[each] * (len(controls) - 1)]
        self.mitigator.calibrate(readings[:ahead])
        found, start = [], 0
        for k, (control, size) in enumerate(zip(controls, sizes, strict=True)):
            found.append(self.point(first + k, control, readings[start : start + size]))
            start += size
        return found
