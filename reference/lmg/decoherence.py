"""The LMG brain with decay, excitation and dephasing, of each neuron and of all together.

    dρ/dt = −i[H(t), ρ] + Σ_k κ_k D[C_k]ρ + Σ_k γ_k Σ_i D[c_k⁽ⁱ⁾]ρ,    D[L]ρ = LρL† − ½{L†L, ρ}

with H(t) = g0 r(t) K − h J_z as in :mod:`qbrain.reference.lmg`, collective jumps C = J₋, J₊, J_z
at rates κ, and local ones c = σ₋, σ₊, σ_z/2 at rates γ; the synapse follows E = ½ + ⟨J_z⟩/N.

Every term is symmetric under permutations of the neurons, so that ρ is a block a total spin
j = N/2, N/2 − 1, …, averaged over the d_j = C(N, N/2−j) − C(N, N/2−j−1) copies of each: of order
N³ numbers instead of 4^N. Collective terms stay in the block; a local jump takes |j,m⟩⟨j,m'| to

    c₁ A A' |j,m+q⟩⟨j,m'+q| + c₂ B B' |j−1,m+q⟩⟨j−1,m'+q| + c₃ D D' |j+1,m+q⟩⟨j+1,m'+q|

    c₁ = (N/2+1)/(2j(j+1)),   c₂ = (N/2+j+1)/(2j(2j+1)),   c₃ = (N/2−j)/(2(j+1)(2j+1))

with q = −1, +1, 0 and, for σ₋ (σ₊ by m → −m), A = √((j+m)(j−m+1)), B = −√((j+m)(j+m−1)),
D = √((j−m+1)(j−m+2)); for σ_z/2, A = m, B = √(j²−m²), D = √((j+1)²−m²) (B. A. Chase and J. M.
Geremia, Phys. Rev. A 78, 052101 (2008); N. Shammah et al., Phys. Rev. A 98, 063815 (2018)).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from .hamiltonian import LMG, ComplexArray, FloatArray, ModelError, finite, initial_excitations
from .runge_kutta import checked_explicit, integrate, law_slopes, starting_values
from .synaptic_clock import (
    IntegrationError,
    SynapseLike,
    checked_law,
    checked_times,
    checked_tolerance,
)

__all__ = ["Rates", "simulate_open"]


@dataclass(frozen=True)
class Rates:
    """Rates of the jumps, each >= 0, in inverse time units.

    ``decay``: σ₋ of every neuron; ``excitation``: σ₊; ``dephasing``: σ_z/2, so that coherences of
    one neuron fall as e^{−γt/2}; ``collective_*``: J₋, J₊, J_z of all neurons together.

    Raises:
        ModelError: a rate that is negative or not finite.
    """

    decay: float = 0.0
    excitation: float = 0.0
    dephasing: float = 0.0
    collective_decay: float = 0.0
    collective_excitation: float = 0.0
    collective_dephasing: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no rate."""
        for field in fields(self):
            value = finite(field.name, getattr(self, field.name))
            if value < 0:
                raise ModelError(f"{field.name}: wanted a rate >= 0, got {value}")
            object.__setattr__(self, field.name, value)

    @property
    def local(self) -> bool:
        """Whether neurons jump one by one, so that the total spin changes."""
        return self.decay + self.excitation + self.dephasing > 0


def simulate_open(
    model: LMG,
    synapse: SynapseLike,
    initial: str | int,
    times: ArrayLike,
    rates: Rates,
    *,
    r0: float = 1.0,
    U0: float | None = None,
    tolerance: float = 1e-8,
) -> xr.Dataset:
    """The trajectory of the open brain from a Dicke state at t = 0.

    Arguments as of :func:`qbrain.reference.lmg.simulate`, and the rates of the jumps.

    Returns:
        A dataset over `time` and `excitations` with `excitation` (E), `r`, `U`, `phase` (∫r dt),
        `populations` (of n active neurons, over all spins), `purity` (Tr ρ²) and `symmetric` (the
        weight of j = N/2, to which an isolated brain keeps).

    Raises:
        ModelError: an argument that makes no sense; the message names it.
        IntegrationError: the integrator gave up, or the trace was lost.
    """
    law = checked_law(synapse, r0, U0)
    t = checked_times(times)
    tolerance = checked_tolerance(tolerance)
    checked_explicit(law, t)
    start = initial_excitations(model.neurons, initial)
    generator = _Generator(model, rates)
    blocks = generator.shape
    state = np.zeros(blocks, dtype=np.complex128)
    state[0, start, start] = 1.0
    r_start, u_start = starting_values(law)
    levels = np.arange(model.neurons + 1) / model.neurons

    def slope(_: float, y: ComplexArray) -> ComplexArray:
        rho = y[:-3].reshape(blocks)
        _, r, u = y[-3:].real
        energy = float(np.einsum("bnn,n->", rho, levels).real)
        out = np.empty_like(y)
        out[:-3] = generator(rho, float(r)).ravel()
        out[-3:] = r, *law_slopes(law, r, u, energy)
        return out

    y0 = np.append(state.ravel(), [0.0, r_start, u_start])
    found = integrate(slope, y0, t, tolerance, f"open LMG brain, N = {model.neurons}")
    rho = found[:, :-3].reshape(len(t), *blocks)
    populations = np.einsum("tbnn->tn", rho).real
    if np.abs(populations.sum(axis=1) - 1).max() > 1e3 * tolerance:
        raise IntegrationError(f"open LMG brain, N = {model.neurons}: the trace was lost")
    s, r, u = found[:, -3:].real.T
    purity = np.einsum("tbij,b->t", np.abs(rho) ** 2, 1 / generator.copies)
    over_time: dict[str, tuple[str, FloatArray, dict[str, str]]] = {
        "excitation": ("time", populations @ levels, _said("fraction of active neurons E")),
        "r": ("time", r, _said("synaptic efficacy r")),
        "U": ("time", u, _said("release probability U")),
        "phase": ("time", s, _said("integral of r over time", "inverse coupling")),
        "purity": ("time", purity, _said("purity Tr ρ²")),
        "symmetric": ("time", np.einsum("tnn->t", rho[:, 0]).real, _said("weight of j = N/2")),
    }
    parameters: dict[str, Any] = {
        **{name: getattr(model, name) for name in ("neurons", "gamma", "g0", "field")},
        **{field.name: getattr(rates, field.name) for field in fields(rates)},
        **{"tau_r": law.tau_r, "tau_f": law.tau_f, "release": law.release},
        **{"initial_excitations": start, "r0": r_start, "U0": u_start, "tolerance": tolerance},
    }
    return xr.Dataset(
        {
            **over_time,
            "populations": (("time", "excitations"), populations, _said("populations")),
        },
        {
            "time": ("time", t, _said("time", "inverse coupling")),
            "excitations": np.arange(model.neurons + 1),
        },
        parameters,
    )


def _said(name: str, units: str = "1") -> dict[str, str]:
    return {"long_name": name, "units": units}


class _Generator:
    """The right side of the master equation on blocks ρ[b, n, n'], j = N/2 − b, n = m + N/2.

    Aligned by n, a block of spin j fills n = b … N − b and is zero around it, so that jumps
    between blocks are shifts of whole arrays.
    """

    def __init__(self, model: LMG, rates: Rates) -> None:
        neurons = model.neurons
        count = neurons // 2 + 1 if rates.local else 1
        self.shape = (count, neurons + 1, neurons + 1)
        j: FloatArray = np.asarray(neurons / 2 - np.arange(count))[:, None]
        m: FloatArray = np.asarray(np.arange(neurons + 1) - neurons / 2)[None, :]
        inside = np.abs(m) <= j
        self.copies = np.array([_copies(neurons, b) for b in range(count)])
        lower = _root((j + m) * (j - m + 1), inside)  # ⟨m−1|J₋|m⟩
        minus = np.zeros(self.shape)
        for n in range(1, neurons + 1):
            minus[:, n - 1, n] = lower[:, n]
        plus = np.swapaxes(minus, 1, 2)
        jx, jy = (plus + minus) / 2, (plus - minus) / 2  # J_y = −i jy
        coupling = -((1 + model.gamma) * jx @ jx - (1 - model.gamma) * jy @ jy) / neurons
        self._coupling = model.g0 * coupling
        self._field = np.where(inside, -model.field * m, 0.0)
        diagonal = np.where(inside, m, 0.0)
        self._collective = [
            (rate, operator)
            for rate, operator in (
                (rates.collective_decay, minus),
                (rates.collective_excitation, plus),
                (rates.collective_dephasing, diagonal[:, :, None] * np.eye(neurons + 1)),
            )
            if rate
        ]
        active = np.arange(neurons + 1)
        loss = rates.decay * active + rates.excitation * (neurons - active)
        loss = loss + rates.dephasing * neurons / 4
        self._local_loss = (loss[:, None] + loss[None, :]) / 2
        self._jumps = [
            jump
            for rate, kind in (
                (rates.decay, -1),
                (rates.excitation, 1),
                (rates.dephasing, 0),
            )
            if rate
            for jump in _local_jumps(neurons, j, m, inside, kind, rate)
        ]

    def __call__(self, rho: ComplexArray, r: float) -> ComplexArray:
        """dρ/dt at a value of r."""
        h = r * self._coupling
        out = -1j * (h @ rho - rho @ h)
        out -= 1j * (self._field[:, :, None] - self._field[:, None, :]) * rho
        for rate, operator in self._collective:
            dagger = np.swapaxes(operator, 1, 2)
            square = dagger @ operator
            out += rate * (operator @ rho @ dagger - (square @ rho + rho @ square) / 2)
        if self._jumps:
            out -= self._local_loss * rho
        for weight, up, shift in self._jumps:
            _add_shifted(out, weight[:, :, None] * weight[:, None, :] * rho, up, shift)
        return out


def _copies(neurons: int, b: int) -> float:
    """d_j = C(N, b) (N − 2b + 1)/(N − b + 1) for j = N/2 − b, as a float."""
    value = 1.0
    for k in range(1, b + 1):
        value *= (neurons - k + 1) / k
    return value * (neurons - 2 * b + 1) / (neurons - b + 1)


def _root(value: FloatArray, inside: Any) -> FloatArray:
    return np.asarray(np.sqrt(np.where(inside, np.clip(value, 0.0, None), 0.0)))


def _local_jumps(
    neurons: int, j: FloatArray, m: FloatArray, inside: Any, kind: int, rate: float
) -> list[tuple[FloatArray, int, int]]:
    """(√weights (blocks, n), change of j, change of n) of the three ways that a jump can go."""
    if kind == 0:
        same, down, up = np.where(inside, m, 0.0), _root(j**2 - m**2, inside), (j + 1) ** 2 - m**2
    else:
        # σ₊ is σ₋ with all neurons turned over
        turned = -kind * m
        same = _root((j + turned) * (j - turned + 1), inside)
        down = _root((j + turned) * (j + turned - 1), inside)
        up = (j - turned + 1) * (j - turned + 2)
    up = _root(up, inside)
    half = neurons / 2
    with np.errstate(divide="ignore"):
        stay_weight = np.where(j > 0, (half + 1) / (2 * j * (j + 1)), 0.0)
        down_weight = np.where(j > 0, (half + j + 1) / (2 * j * (2 * j + 1)), 0.0)
    up_weight = (half - j) / (2 * (j + 1) * (2 * j + 1))
    return [
        (np.sqrt(rate * stay_weight) * same, 0, kind),
        (np.sqrt(rate * down_weight) * down, -1, kind),
        (np.sqrt(rate * up_weight) * up, 1, kind),
    ]


def _add_shifted(out: ComplexArray, term: ComplexArray, up: int, shift: int) -> None:
    """out[b − up, n + shift, n' + shift] += term[b, n, n'], what would fall outside being zero."""

    def slices(step: int, size: int) -> tuple[slice, slice]:
        to = slice(max(step, 0), size + min(step, 0))
        return to, slice(max(-step, 0), size - max(step, 0))

    to_b, from_b = slices(-up, out.shape[0])
    to_n, from_n = slices(shift, out.shape[1])
    out[to_b, to_n, to_n] += term[from_b, from_n, from_n]
