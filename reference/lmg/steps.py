"""Evolution under a coupling that is constant from step to step: exact, and as product formula.

Both work on the Dicke amplitudes in the initial state's parity sector, so they reach neuron
numbers that no dense vector does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .hamiltonian import (
    LMG,
    ComplexArray,
    FloatArray,
    ModelError,
    coupling_band,
    coupling_basis,
    field_diagonal,
    initial_excitations,
    sector_excitations,
    tridiagonal_eigen,
)


def piecewise_states(
    model: LMG, initial: str | int, couplings: ArrayLike, durations: ArrayLike
) -> ComplexArray:
    """Exact states under H_k = −(g_k/N)[(1+γ)J_x² + (1−γ)J_y²] − h J_z for a time dt_k each.

    Args:
        model: N, γ and h; its g0 is not used, for the couplings are g_k itself.
        initial: the Dicke state to start from.
        couplings: g_k, shape (K,), in inverse time units.
        durations: dt_k, shape (K,), or one number for all steps. Negative ones run backwards.

    Returns:
        Dicke amplitudes before the first and after every step, shape (K+1, N+1).

    Raises:
        ModelError: an unknown initial state, lengths that differ, a value that is not finite.
    """
    g, dt = _steps(couplings, durations)
    start = initial_excitations(model.neurons, initial)
    parity = start % 2
    if model.field == 0.0:
        values, vectors = coupling_basis(model.neurons, model.gamma, parity)
        phases = np.concatenate(([0.0], np.cumsum(g * dt)))
        sector = (np.exp(-1j * np.outer(phases, values)) * vectors[start // 2]) @ vectors.T
        sector[0] = _unit(len(values), start // 2)
        return _embed(sector, model.neurons, parity)

    diagonal, off_diagonal = coupling_band(model.neurons, model.gamma, parity)
    tilt = model.field * field_diagonal(model.neurons, parity)
    state = _unit(len(diagonal), start // 2)
    states = [state]
    known: tuple[float, FloatArray, FloatArray] | None = None
    for coupling, duration in zip(g.tolist(), dt.tolist(), strict=True):
        if known is None or known[0] != coupling:
            known = (
                coupling,
                *tridiagonal_eigen(coupling * diagonal - tilt, coupling * off_diagonal),
            )
        _, values, vectors = known
        state = vectors @ (np.exp(-1j * duration * values) * (vectors.T @ state))
        states.append(state)
    return _embed(np.array(states), model.neurons, parity)


def product_formula_states(
    model: LMG,
    initial: str | int,
    couplings: ArrayLike,
    durations: ArrayLike,
    order: int = 2,
    *,
    form: str = "xx+yy",
) -> ComplexArray:
    """States of a Trotter formula of collective layers, one formula a step.

    With φ = g_k dt_k the layers are XX(φ) = exp(+i(1+γ)(φ/N) J_x²), YY(φ) = exp(+i(1−γ)(φ/N) J_y²)
    and Z(h dt) = exp(+i h dt J_z). In the order of time:

        order 1: XX(φ), YY(φ), Z(h dt)
        order 2: Z(h dt/2), YY(φ/2), XX(φ), YY(φ/2), Z(h dt/2)
        order 4: Suzuki's S2(p)S2(p)S2(1−4p)S2(p)S2(p), p = 1/(4 − 4^(1/3))

    The form "xx+zz" uses (1+γ)J_x² + (1−γ)J_y² = 2γJ_x² − (1−γ)J_z² + (1−γ)J(J+1): the XX layer
    is exp(+2iγ(φ/N) J_x²), the YY layer is gone and exp(−i(1−γ)(φ/N)(J_z² − J(J+1))) joins Z.

    Args:
        model: N, γ and h; its g0 is not used.
        initial: the Dicke state to start from.
        couplings: g_k, shape (K,), in inverse time units.
        durations: dt_k, shape (K,) or one number.
        order: 1, 2 or 4.
        form: "xx+yy" or "xx+zz".

    Returns:
        Dicke amplitudes before the first and after every step, shape (K+1, N+1).

    Raises:
        ModelError: an unknown initial state, order or form, lengths that differ, a value that
            is not finite.
    """
    if order not in (1, 2, 4):
        raise ModelError(f"order: wanted 1, 2 or 4, got {order!r}")
    if form not in ("xx+yy", "xx+zz"):
        raise ModelError(f"form: wanted 'xx+yy' or 'xx+zz', got {form!r}")
    g, dt = _steps(couplings, durations)
    start = initial_excitations(model.neurons, initial)
    parity = start % 2
    layers = _Layers(model, parity, form)
    state = _unit(layers.size, start // 2)
    states = [state]
    for phase, duration in zip((g * dt).tolist(), dt.tolist(), strict=True):
        state = layers.step(state, phase, model.field * duration, order)
        states.append(state)
    return _embed(np.array(states), model.neurons, parity)


class _Layers:
    """The collective layers of one model in one parity sector."""

    def __init__(self, model: LMG, parity: int, form: str) -> None:
        n = sector_excitations(model.neurons, parity)
        values, self.vectors = coupling_basis(model.neurons, 1.0, parity)
        self.size = len(n)
        self.jz = field_diagonal(model.neurons, parity)
        self.has_field = model.field != 0.0
        spin = model.neurons / 2
        # At γ=1 the coupling is −(2/N)J_x²; a quarter turn about z takes J_x² to J_y² and only
        # flips the sign of every other amplitude of the sector.
        self.jx2 = -values / 2
        self.flip = 1.0 - 2.0 * (np.arange(self.size) % 2)
        if form == "xx+yy":
            self.x, self.y = 1 + model.gamma, 1 - model.gamma
            self.zz = 0.0 * self.jz
        else:
            self.x, self.y = 2 * model.gamma, 0.0
            self.zz = -(1 - model.gamma) / model.neurons * (self.jz**2 - spin * (spin + 1))

    def step(self, state: ComplexArray, phase: float, field: float, order: int) -> ComplexArray:
        if order == 1:
            return self._z(self._yy(self._xx(state, phase), phase), phase, field)
        if order == 2:
            return self._strang(state, phase, field)
        outer = 1 / (4 - 4 ** (1 / 3))
        for part in (outer, outer, 1 - 4 * outer, outer, outer):
            state = self._strang(state, part * phase, part * field)
        return state

    def _strang(self, state: ComplexArray, phase: float, field: float) -> ComplexArray:
        state = self._yy(self._z(state, phase / 2, field / 2), phase / 2)
        state = self._xx(state, phase)
        return self._z(self._yy(state, phase / 2), phase / 2, field / 2)

    def _xx(self, state: ComplexArray, phase: float) -> ComplexArray:
        turned = np.exp(1j * self.x * phase * self.jx2) * (self.vectors.T @ state)
        return np.asarray(self.vectors @ turned)

    def _yy(self, state: ComplexArray, phase: float) -> ComplexArray:
        if self.y == 0.0:
            return state
        turned = np.exp(1j * self.y * phase * self.jx2) * (self.vectors.T @ (self.flip * state))
        return np.asarray(self.flip * (self.vectors @ turned))

    def _z(self, state: ComplexArray, phase: float, field: float) -> ComplexArray:
        return np.asarray(state * np.exp(1j * (field * self.jz + phase * self.zz)))


def _steps(couplings: ArrayLike, durations: ArrayLike) -> tuple[FloatArray, FloatArray]:
    g = np.asarray(couplings, dtype=np.float64)
    dt = np.asarray(durations, dtype=np.float64)
    if g.ndim != 1:
        raise ModelError(f"couplings: wanted shape (steps,), got {g.shape}")
    if dt.ndim == 0:
        dt = np.full(g.shape, dt)
    if dt.shape != g.shape:
        raise ModelError(f"durations: wanted shape {g.shape} or one number, got {dt.shape}")
    for name, array in (("couplings", g), ("durations", dt)):
        if not np.all(np.isfinite(array)):
            raise ModelError(f"{name}: wanted finite numbers, got {array[~np.isfinite(array)][0]}")
    return g, dt


def _unit(size: int, index: int) -> ComplexArray:
    state = np.zeros(size, dtype=np.complex128)
    state[index] = 1.0
    return state


def _embed(sector: ComplexArray, neurons: int, parity: int) -> ComplexArray:
    """Amplitudes of one parity sector, shape (rows, M), among all N+1 Dicke states."""
    states = np.zeros((len(sector), neurons + 1), dtype=np.complex128)
    states[:, parity::2] = sector
    return states
