"""The closed loop on E measured at given times, whatever controls it was measured under.

With a field E depends on the whole history of r and not on its integral s alone. A loop that chose
its controls as it went has followed the law approximately: each interval was run before its E was
known. Its readings still tell the trajectory of the law: E(t) is interpolated between them, the
law integrated along it, and E moved to the phase that the law has at each time, to first order,

    E*(t_k) = E_k + (dE/ds)_k (s*(t_k) − s_k),    ds*/dt = r*,

where s_k is the phase under which E_k was measured; repeated until nothing moves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .orbit import OrbitBand, even_spline, noisy_replicas
from .synapse import FeedbackError, Synapse, SynapticState

__all__ = ["integrate_in_time"]

Array = NDArray[np.float64]
_PARTS = 8  # of an interval: E is taken at the middle of each, an error of second order in them
_ROUNDS = 6
_SMALLEST_R = 1e-3  # dE/ds = Ė/r is not asked for where the coupling is off


def integrate_in_time(
    synapse: Synapse,
    start: SynapticState,
    times: ArrayLike,
    phases: ArrayLike,
    couplings: ArrayLike,
    values: ArrayLike,
    stderr: ArrayLike,
    *,
    replicas: int = 200,
    seed: int = 0,
) -> OrbitBand:
    """Trajectory of the law through measured E, with a bootstrap band.

    Args:
        synapse: the law, Eqs. (4) and (5) of Torres and Romera (arXiv:2602.16003).
        start: its state at times[0].
        times: (time,), rising.
        phases: (time,): s under which each E was measured.
        couplings: (time,): r under which each E was measured.
        values: (time,): measured E. Ė = 0 at the start, as in every eigenstate of J_z.
        stderr: (time,): their standard errors.
        replicas: of the band; replica b has E_k + stderr_k ξ_kb.
        seed: of ξ.

    Returns:
        E*, r*, U*, s* at the times, (time, 1 + replicas), the estimate first.

    Raises:
        FeedbackError: for times that do not rise, or fewer than two.
    """
    times, phases, couplings = (np.asarray(x, dtype=float) for x in (times, phases, couplings))
    if times.size < 2 or not np.all(np.diff(times) > 0):
        raise FeedbackError("times: wanted at least two that rise")
    measured = noisy_replicas(values, stderr, replicas, seed)
    curve = even_spline(times, measured[:, :1])
    slope = curve(times, 1) / np.maximum(couplings, _SMALLEST_R)[:, None]
    moved = measured
    for _ in range(_ROUNDS):
        r, u, s = _along(synapse, start, times, moved)
        moved = measured + slope * (s - phases[:, None])
    return OrbitBand(np.clip(moved, 0, 1), r, u, s)


def _along(
    synapse: Synapse, start: SynapticState, times: Array, energy: Array
) -> tuple[Array, Array, Array]:
    """r, U and s at the times, (time, columns), along E(t) through the given points."""
    curve, count = even_spline(times, energy), energy.shape[1]
    r: Array
    u: Array
    s: Array
    r, u, s = (np.full(count, x) for x in (start.r, start.utilisation, start.phase))
    out = [np.empty_like(energy) for _ in range(3)]
    for k, time in enumerate(times):
        for array, value in zip(out, (r, u, s), strict=True):
            array[k] = value
        if k + 1 == times.size:
            break
        h = float(times[k + 1] - time) / _PARTS
        for drive in np.clip(curve(time + h * (np.arange(_PARTS) + 0.5)), 0, 1):
            r, u, ds = synapse.step(r, u, drive, h)
            s = s + ds
    return out[0], out[1], out[2]
