"""The hybrid loop every system shares: build, sample, estimate, update, and again.

The loop knows no physics. It is handed a circuit builder, a sampler, an estimator and a law and
yields one step at a time; progress bars, checkpoints and figures hang on the iterator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from qiskit import QuantumCircuit
from qiskit.primitives import BaseSamplerV2

__all__ = ["LoopStep", "counts_of", "hybrid_loop"]

C = TypeVar("C")
E = TypeVar("E")


@dataclass(frozen=True)
class LoopStep(Generic[C, E]):
    """One finished step: the control that led to ``time``, what was counted, what it means.

    ``counts``: outcome → shots of each of the step's circuits.
    """

    index: int
    time: float
    control: C
    counts: tuple[Mapping[int, int], ...]
    estimate: E


def counts_of(pub_result: Any) -> dict[int, int]:
    """Outcome integer (bit j of it is classical bit j) → number of shots, of one pub's result.

    Raises ``ValueError`` if the circuit had more than one classical register, since the order of
    bits across registers would be a guess.
    """
    registers = list(pub_result.data.values())
    if len(registers) != 1:
        raise ValueError(f"circuit: wanted one classical register, got {len(registers)}")
    return dict(sorted(registers[0].get_int_counts().items()))


def hybrid_loop(
    *,
    times: Sequence[float],
    start: C,
    build: Callable[[int, Sequence[C]], Sequence[QuantumCircuit]],
    sampler: BaseSamplerV2,
    estimate: Callable[[Sequence[Mapping[int, int]]], E],
    law: Callable[[C, Sequence[E], float], C],
    shots: int,
    done: Sequence[LoopStep[C, E]] = (),
) -> Iterator[LoopStep[C, E]]:
    """Measure at each of ``times`` and let ``law`` choose the control of the next interval.

    ``build(k, controls)`` returns the circuits whose measurement belongs to ``times[k]``, which
    are run as one job; ``controls[i]`` is the control at ``times[i]``, i = 0…k. Their metadata
    gets ``step`` = k and ``stream``, their place among the step's circuits, by which the
    project's samplers draw their randomness: a loop taken up again after ``done`` gives the very
    counts of one that was never interrupted. ``estimate`` is handed the counts of all of them.

    ``law(control, estimates, dt)`` gives the control after the interval ``dt`` that follows the
    last estimate. A step is yielded before the next one is built, so a consumer that stores it
    loses nothing.
    """
    controls: list[C] = [step.control for step in done] or [start]
    estimates: list[E] = [step.estimate for step in done]
    if done and len(done) < len(times):
        last = len(done) - 1
        controls.append(law(controls[-1], estimates, times[last + 1] - times[last]))
    for k in range(len(done), len(times)):
        circuits = build(k, controls)
        for stream, circuit in enumerate(circuits):
            circuit.metadata = {**(circuit.metadata or {}), "step": k, "stream": stream}
        counts = tuple(counts_of(pub) for pub in sampler.run(circuits, shots=shots).result())
        estimates.append(estimate(counts))
        yield LoopStep(k, times[k], controls[k], counts, estimates[k])
        if k + 1 < len(times):
            controls.append(law(controls[k], estimates, times[k + 1] - times[k]))
