"""The quantum memristor's master equation on a density matrix in the Fock basis.

The same equation as in :mod:`qbrain.reference.hodgkin_huxley.memristor`, with nothing assumed of
the state's shape: φ = (a + a†)/√(2Cω) and q = i√(Cω/2)(a† − a) in the first `levels` Fock states of
the bare circuit, ω = 1/√(LC). All terms are commutators, so that the trace stays 1 whatever the
truncation; the weight in the last level says whether there are enough.
"""

from __future__ import annotations

import math
import numbers

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, eye_array, kron
from scipy.special import gammaln

from .memristor import (
    FloatArray,
    MemristorCircuit,
    MemristorError,
    Start,
    assembled,
    checked_times,
    solved,
)

__all__ = ["fock_operators", "fock_start", "simulate_fock"]

ComplexArray = NDArray[np.complex128]

# weight in the last level above which the truncation spoils the moments
_LAST = 1e-6


def fock_operators(circuit: MemristorCircuit, levels: int) -> tuple[ComplexArray, ComplexArray]:
    """φ and q in the first Fock states of the bare circuit, each of shape (levels, levels).

    Raises:
        MemristorError: fewer than two levels.
    """
    if isinstance(levels, bool) or not isinstance(levels, numbers.Integral) or levels < 2:
        raise MemristorError(f"levels: wanted an integer >= 2, got {levels!r}")
    lower = np.diag(np.sqrt(np.arange(1.0, int(levels))), 1).astype(np.complex128)
    mass = circuit.capacitance * circuit.frequency
    flux = (lower + lower.T) / math.sqrt(2 * mass)
    charge = 1j * math.sqrt(mass / 2) * (lower.T - lower)
    return flux, charge


def fock_start(circuit: MemristorCircuit, start: Start, levels: int) -> ComplexArray:
    """The displaced thermal state at t = 0, shape (levels, levels), cut from a larger space.

    Raises:
        MemristorError: fewer than two levels, or so few that the start does not fit.
    """
    fock_operators(circuit, levels)  # which refuses too few
    mass = circuit.capacitance * circuit.frequency
    alpha = math.sqrt(mass / 2) * start.flux + 1j * start.charge / math.sqrt(2 * mass)
    # ⟨m|D|n⟩ column by column, from a†D = D(a† + α*): exact, with no exponential of cut matrices
    n = np.arange(levels)
    size, phase = abs(alpha), np.angle(alpha)
    logs = -(size**2) / 2 - gammaln(n + 1) / 2 + (n * math.log(size) if size else 0.0)
    column: ComplexArray = np.exp(logs) * np.exp(1j * n * phase)
    if not size:
        column = np.eye(1, levels, dtype=np.complex128)[0]
    ratio = start.occupation / (start.occupation + 1)
    share = 1 / (start.occupation + 1)
    rho = np.zeros((levels, levels), dtype=np.complex128)
    for k in range(levels):
        rho += share * ratio**k * np.outer(column, column.conj())
        if ratio**k < 1e-18:
            break
        raised = np.append(0.0, np.sqrt(n[1:]) * column[:-1])
        column = (raised - np.conj(alpha) * column) / math.sqrt(k + 1)
    if abs(1 - np.trace(rho).real) > _LAST:
        raise MemristorError(
            f"levels: wanted enough for the start, got {levels}, which hold "
            f"{np.trace(rho).real:.6g} of it"
        )
    return rho


def simulate_fock(
    circuit: MemristorCircuit, start: Start, times: ArrayLike, *, levels: int = 40
) -> xr.Dataset:
    """The average over all readings, by the density matrix itself.

    Args:
        circuit, start, times: as of
        :func:`qbrain.reference.hodgkin_huxley.memristor.simulate_moments`. levels: Fock states
        kept, at least 2.

    Returns:
        The variables of `simulate_moments`, all from ρ (`purity` is Tr ρ², `smallest_eigenvalue`
        that of the matrix), and over `time` the weight `last_level` of the last Fock state.

    Raises:
        MemristorError: an argument that makes no sense, or too few levels; the message names it.
    """
    t = checked_times(times)
    flux, charge = fock_operators(circuit, levels)
    begin = fock_start(circuit, start, levels)
    number = circuit.frequency * np.diag(np.arange(levels) + 0.5).astype(np.complex128)
    friction = _left(flux, charge) + _left_right(flux, charge)
    friction = -1j * (friction - _left_right(charge, flux) - _right(charge, flux))
    warmth = 2 * circuit.capacitance * circuit.temperature
    lossy = friction - warmth * _double(flux)
    free = -1j * _commutator(number) - circuit.strength * _double(charge)
    in_branch = circuit.source_in == "memristor"
    # of V, or of γV
    push = 1j * (2 * circuit.capacitance * _commutator(flux) if in_branch else _commutator(charge))
    unfold = _unfolded(levels)
    free, lossy, push = (_folded(part @ unfold) for part in (free, lossy, push))
    seen = (csr_array(charge.T.reshape(1, -1)) @ unfold).toarray()[0].real

    def slope(time: float, y: FloatArray) -> FloatArray:
        state, mu = y[:-1], y[-1]
        gamma = float(circuit.memristor.rate(mu))
        source = circuit.source(time) * (gamma if in_branch else 1.0)
        drift = free @ state + gamma * (lossy @ state)
        if source:
            drift += source * (push @ state)
        return np.append(drift, circuit.memristor.slope(mu, circuit.across(seen @ state, time)))

    found = solved(slope, np.append((begin.real + begin.imag).ravel(), start.mu), t)
    rho = (unfold @ found[:, :-1].T).T.reshape(-1, levels, levels)
    last = rho[:, -1, -1].real
    if np.abs(last).max() > _LAST:
        raise MemristorError(
            f"levels: wanted enough for a weight below {_LAST:g} in the last, got {levels} with "
            f"{np.abs(last).max():.2g}"
        )
    both = (flux @ charge + charge @ flux) / 2
    means = [np.einsum("ab,tba->t", op, rho).real for op in (flux, charge)]
    squares = [np.einsum("ab,tba->t", op, rho).real for op in (flux @ flux, charge @ charge, both)]
    moments = np.array(
        [
            *means,
            squares[0] - means[0] ** 2,
            squares[1] - means[1] ** 2,
            squares[2] - means[0] * means[1],
        ]
    )
    data = assembled(
        circuit,
        start,
        t,
        moments,
        found[:, -1],
        purity=np.einsum("tab,tba->t", rho, rho).real,
        smallest_eigenvalue=np.linalg.eigvalsh(rho)[:, 0],
    )
    data["last_level"] = ("time", last, {"long_name": "weight of the last level", "units": "1"})
    data.attrs["levels"] = int(levels)
    return data


def _unfolded(levels: int) -> csr_array:
    """R → ρ = (R + Rᵀ)/2 + i(R − Rᵀ)/2: real matrices for Hermitian ones, as R.ravel()."""
    size = levels * levels
    turned = np.arange(size).reshape(levels, levels).T.ravel()
    turn = csr_array((np.ones(size), (np.arange(size), turned)), shape=(size, size))
    return csr_array((1 + 1j) / 2 * eye_array(size) + (1 - 1j) / 2 * turn)


def _folded(operator: csr_array) -> csr_array:
    """R = Re ρ + Im ρ of what comes out."""
    return csr_array(operator.real + operator.imag)


def _left(*operators: ComplexArray) -> csr_array:
    """ρ → ABρ on ρ.ravel()."""
    product = operators[0] @ operators[1] if len(operators) > 1 else operators[0]
    return csr_array(kron(csr_array(product), csr_array(np.eye(len(product)))))


def _right(*operators: ComplexArray) -> csr_array:
    """ρ → ρAB on ρ.ravel()."""
    product = operators[0] @ operators[1] if len(operators) > 1 else operators[0]
    return csr_array(kron(csr_array(np.eye(len(product))), csr_array(product.T)))


def _left_right(left: ComplexArray, right: ComplexArray) -> csr_array:
    """ρ → AρB on ρ.ravel()."""
    return csr_array(kron(csr_array(left), csr_array(right.T)))


def _commutator(operator: ComplexArray) -> csr_array:
    """ρ → [A, ρ]."""
    return _left(operator) - _right(operator)


def _double(operator: ComplexArray) -> csr_array:
    """ρ → [A, [A, ρ]]."""
    once = _commutator(operator)
    return csr_array(once @ once)
