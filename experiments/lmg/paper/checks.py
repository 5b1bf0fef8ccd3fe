"""The reference figures of the LMG model, recomputed and held beside the paper's own values.

The reference figures were computed independently of this project. Each is recomputed here from
the same functions that make the figures, at the digits to which it is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from qbrain.classical_feedback.synapse import Synapse, SynapticLaw
from qbrain.reference.lmg import LMG, Orbit, simulate

from ...papers.claims import Check
from .entanglement import entropies
from .measures import bin_frequency, dominant_frequency
from .model import run
from .plasticity import COUPLINGS_9, orbit_frequency

__all__ = ["CHECKS", "loop_error"]


def _closed_form() -> Iterator[Check]:
    for neurons in (5, 10, 80):
        s = np.linspace(0, 2 * np.pi * neurons, 401)
        orbit = Orbit(LMG(neurons, 1.0, 1.0), "saturated")
        diagonalised = orbit.expectation(orbit.excitations / neurons, s)
        formula = 0.5 * (1 + np.cos(2 * s / neurons) ** (neurons - 1))
        worst = float(np.abs(diagonalised - formula).max())
        yield Check(
            4, f"closed form of E less diagonalisation, N = {neurons}", worst, 4e-14, 1e-12, None
        )


def _lowest_efficacy() -> Iterator[Check]:
    d = run(10, 1.0, 0.05, "saturated", np.linspace(0, 4000, 8001), tau_r=1.0, tolerance=1e-9)
    yield Check(4, "lowest r, N = 10, from saturated", float(d.r.min()), 0.66668, 5e-6, None)


def _entropies() -> Iterator[Check]:
    found = entropies()
    wanted: tuple[tuple[str, float, float, str | None], ...] = (
        ("saturated start", 0.0, 5e-4, "0"),
        ("saturated maximum", 3.445, 5e-4, "close to 3.46"),
        ("saturated Eq. 7 maximum", 5.107, 5e-4, None),
        ("half start", 3.217, 5e-4, "around 3.3"),
        ("half maximum", 4.894, 5e-4, "about 4.8"),
        # known on a grid of times; between its points the dip is deeper
        ("half minimum", 2.799, 2e-3, "slightly below the initial value"),
        ("half Eq. 7 maximum", 5.302, 5e-4, None),
        ("half Eq. 7 minimum", 3.217, 5e-4, None),
    )
    for name, reference, tolerance, paper in wanted:
        yield Check(6, f"block entropy (bits), {name}", found[name], reference, tolerance, paper)


def _low_frequency() -> Iterator[Check]:
    step = 4.0
    t = np.arange(0.0, 40_000.0, step)
    e = run(20, 0.8, 0.5, "silent", t, tau_r=0.1, tolerance=1e-6).excitation.values
    paper = "2.5e-4"
    yield Check(
        7, "low frequency, bin of the spectrum", bin_frequency(e, step), 2.50e-4, 1e-12, paper
    )
    line = dominant_frequency(e, step)
    yield Check(7, "low frequency, interpolated", line, 2.575e-4, 1e-6, paper)


def _frequencies_9() -> Iterator[Check]:
    wanted = {2: 0.01592, 10: 0.01507, 20: 0.01583}
    for neurons, g0 in COUPLINGS_9.items():
        found = orbit_frequency(neurons, 0.8, g0)
        name = f"frequency of E(s), N = {neurons}, g0 = {g0:g}"
        yield Check(9, name, found, wanted[neurons], 6e-6, "the same temporal scale")


_LOOP: tuple[tuple[float, float, int, float, float], ...] = (
    # γ, time, steps, first order, second order
    (1.0, 12.0, 16, 0.0086, 0.0013),
    (1.0, 12.0, 32, 0.0043, 0.0004),
    (1.0, 12.0, 64, 0.0022, 0.0001),
    (0.8, 200.0, 100, 0.023, 0.011),
    (0.8, 200.0, 200, 0.011, 0.0031),
    (0.8, 200.0, 400, 0.0056, 0.0008),
)


def _feedback_steps() -> Iterator[Check]:
    for gamma, time, steps, *references in _LOOP:
        for order, reference in enumerate(references, 1):
            yield Check(
                None,
                f"step error of the loop, γ = {gamma:g}, {steps} steps to {time:g}, order {order}",
                loop_error(gamma, time, steps, order),
                reference,
                0.07 * reference + 6e-5,  # the references have one or two digits
                None,
            )


@dataclass(frozen=True)
class _Noiseless:
    value: float


def loop_error(gamma: float, time: float, steps: int, order: int) -> float:
    """Return the RMS error of E from the feedback step alone, without shots or circuits.

    N = 6, g0 = 1, τ_r = 1, from silence: E is exact at each step and the law advances r from the
    last one (order 1) or two (order 2), against the continuous law at the same times.
    """
    model, synapse = LMG(6, gamma, 1.0), Synapse(1.0)
    law, orbit = SynapticLaw(synapse, order), Orbit(model, "silent")
    times = np.linspace(0, time, steps + 1)
    state, seen = synapse.start(), []
    for _ in range(steps):
        seen.append(_Noiseless(float(orbit.excitation(state.phase)[0])))
        state = law(state, seen, time / steps)
    measured = np.array([x.value for x in seen] + [float(orbit.excitation(state.phase)[0])])
    exact = simulate(model, synapse, "silent", times).excitation.values
    return float(np.sqrt(np.mean((measured - exact) ** 2)))


CHECKS: tuple[tuple[int | None, Callable[[], Iterator[Check]]], ...] = (
    (4, _closed_form),
    (4, _lowest_efficacy),
    (6, _entropies),
    (7, _low_frequency),
    (9, _frequencies_9),
    (None, _feedback_steps),
)
