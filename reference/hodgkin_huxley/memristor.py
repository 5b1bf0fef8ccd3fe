"""A quantum memristor on an LC circuit: its master equation, solved by closed moments.

    dρ = −i[H, ρ]dt − κ[q, [q, ρ]]dt − iγ(μ)[φ, {q, ρ}]dt − 2Cλγ(μ)[φ, [φ, ρ]]dt,
    H = q²/2C + φ²/2L,   dμ/dt = f(μ, V_M),   [φ, q] = i,   ħ = 1

(Eqs. 8 to 12 of Cheng, Gonzalez-Raya, Chen, Sanz and Solano, arXiv:1807.10698, averaged over what
the weak measurement of strength κ = τ/q₀² reads; with it see
:mod:`qbrain.reference.hodgkin_huxley.memristor_trajectories`.) φ plays the position and q = Cφ̇ the
momentum, which is the pair that Eq. 12 has: it damps, d⟨q⟩/dt = −φ/L − 2γ⟨q⟩, as printed. The
other pair, −iγ[q, {φ, ρ}], would let ⟨φ⟩ grow. So the memristor is a conductance

    I_M = G(μ)V_M,   G = 2Cγ(μ),   V_M = ⟨q⟩/C (less V where the source is in its branch)

and λ = k_B T. The paper gives neither γ(μ), f, λ, κ and the start nor the term of the source V.
Ours:

    γ(μ) = γ_low + (γ_high − γ_low)(1 + tanh μ)/2,   f = mobility·V_M

which obeys the paper's two conditions, G >= 0 and f(μ, 0) = 0 with f monotone in V_M. The source
is in series with the inductor, H → H − Vq with φ the inductor's flux, so that ⟨q⟩ rings about CV
and μ grows until the conductance no longer changes: the loops become lines as V grows, as the
caption of Fig. 3 says. Or it is in series with the memristor, as the potassium channel has it:
H → H − 2Cγ(μ)Vφ.

All terms are at most quadratic, so that the first and second moments are closed:

    d⟨φ⟩/dt = ⟨q⟩/C − V        d⟨q⟩/dt = −⟨φ⟩/L − 2γ⟨q⟩
    dV_φ/dt = 2c/C + 2κ        dV_q/dt = −2c/L − 4γV_q + 4Cλγ        dc/dt = V_q/C − V_φ/L − 2γc

with c the symmetrised covariance. **The first moments have neither λ nor κ nor ħ**: the loops of
the average are those of the classical circuit, whatever the state.

A Gaussian ρ with ν = √(V_φV_q − c²) has the purity 1/(2ν), and is a state only if ν >= ½; else its
smallest eigenvalue is (ν − ½)/(ν + ½)². The dissipator alone is not completely positive and goes
there; with the back action of the measurement the equation is, from κ = γ/(8Cλ) on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp

__all__ = [
    "Memristor",
    "MemristorCircuit",
    "MemristorError",
    "Start",
    "positivity_strength",
    "simulate_moments",
]

FloatArray = NDArray[np.float64]


class MemristorError(ValueError):
    """An argument that makes no sense; the message names it."""


def _number(name: str, value: object, *, least: float = -math.inf, above: bool = False) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise MemristorError(f"{name}: wanted a finite number, got {value!r}") from None
    if not math.isfinite(number):
        raise MemristorError(f"{name}: wanted a finite number, got {value!r}")
    if number < least or (above and number == least):
        raise MemristorError(f"{name}: wanted {'>' if above else '>='} {least:g}, got {value!r}")
    return number


@dataclass(frozen=True)
class Memristor:
    """The damping rate γ(μ) and the law μ̇ = f(μ, V) of the memory variable.

    Args:
        low, high: γ as μ → −∞ and +∞, >= 0, in inverse time units.
        mobility: f = mobility·V, in the inverse of flux; any sign.
        damping: γ(μ) instead of the default, for an array of any shape; >= 0.
        response: f(μ, V) instead of the default, for arrays; f(μ, 0) = 0, monotone in V.
    """

    low: float = 0.02
    high: float = 0.2
    mobility: float = 1.0
    damping: Callable[[FloatArray], FloatArray] | None = None
    response: Callable[[FloatArray, FloatArray], FloatArray] | None = None

    def __post_init__(self) -> None:
        _number("low", self.low, least=0)
        _number("high", self.high, least=0)
        _number("mobility", self.mobility)

    def rate(self, mu: ArrayLike) -> FloatArray:
        """γ(μ), the shape of μ.

        Raises:
            MemristorError: a rate of the caller's own that is negative or not finite.
        """
        m = np.asarray(mu, dtype=np.float64)
        if self.damping is None:
            return np.asarray(self.low + (self.high - self.low) * (1 + np.tanh(m)) / 2)
        found = np.asarray(self.damping(m), dtype=np.float64)
        if not (np.all(np.isfinite(found)) and np.all(found >= 0)):
            raise MemristorError(f"damping: wanted finite rates >= 0, got {np.min(found):g}")
        return found

    def slope(self, mu: ArrayLike, voltage: ArrayLike) -> FloatArray:
        """f(μ, V) = dμ/dt."""
        m, v = np.asarray(mu, dtype=np.float64), np.asarray(voltage, dtype=np.float64)
        if self.response is None:
            return np.asarray(self.mobility * v)
        return np.asarray(self.response(m, v), dtype=np.float64)


@dataclass(frozen=True)
class MemristorCircuit:
    """A capacitance, an inductance, a memristor and a source of voltage, ħ = 1.

    Args:
        capacitance, inductance: C and L, > 0. Times are in the unit of √(LC), charges in that of
            √(C/√(LC)) = √(1/Z) with Z = √(L/C): with C = L = 1 the vacuum has V_q = V_φ = ½.
        voltage: V, a number or a function of time.
        source_in: inductor or memristor, the branch that V is in series with.
        memristor: γ(μ) and f.
        temperature: λ = k_B T >= 0.
        strength: κ >= 0 of the measurement of q, in inverse units of charge² and time.
    """

    capacitance: float = 1.0
    inductance: float = 1.0
    voltage: float | Callable[[float], float] = 0.0
    source_in: Literal["inductor", "memristor"] = "inductor"
    memristor: Memristor = field(default_factory=Memristor)
    temperature: float = 1.0
    strength: float = 0.05

    def __post_init__(self) -> None:
        _number("capacitance", self.capacitance, least=0, above=True)
        _number("inductance", self.inductance, least=0, above=True)
        if not callable(self.voltage):
            _number("voltage", self.voltage)
        if self.source_in not in ("inductor", "memristor"):
            raise MemristorError(f"source_in: wanted inductor or memristor, got {self.source_in!r}")
        _number("temperature", self.temperature, least=0)
        _number("strength", self.strength, least=0)

    @property
    def frequency(self) -> float:
        """ω = 1/√(LC)."""
        return 1 / math.sqrt(self.inductance * self.capacitance)

    def source(self, time: float) -> float:
        """V(t).

        Raises:
            MemristorError: a function's value that is not a finite number.
        """
        if not callable(self.voltage):
            return float(self.voltage)
        return _number("voltage", self.voltage(time))

    def across(self, charge: ArrayLike, time: float) -> FloatArray:
        """V_M at a charge, the shape of the charge."""
        found = np.asarray(charge, dtype=np.float64) / self.capacitance
        return found - self.source(time) if self.source_in == "memristor" else found


@dataclass(frozen=True)
class Start:
    """The state at t = 0: of the bare circuit's thermal shape, displaced; and μ.

    Args:
        charge, flux: ⟨q⟩ and ⟨φ⟩.
        mu: μ.
        occupation: thermal quanta n̄ >= 0; 0 is a coherent state. V_q/C = V_φ/L = ω(n̄ + ½).
    """

    charge: float = 2.0
    flux: float = 0.0
    mu: float = 0.0
    occupation: float = 0.0

    def __post_init__(self) -> None:
        for name in ("charge", "flux", "mu"):
            _number(name, getattr(self, name))
        _number("occupation", self.occupation, least=0)

    def moments(self, circuit: MemristorCircuit) -> FloatArray:
        """⟨φ⟩, ⟨q⟩, V_φ, V_q and c, shape (5,)."""
        quanta = (self.occupation + 0.5) * circuit.frequency
        spread = [circuit.inductance * quanta, circuit.capacitance * quanta, 0.0]
        return np.array([self.flux, self.charge, *spread])


def checked_times(times: ArrayLike) -> FloatArray:
    """Where to report, shape (times,), increasing and >= 0.

    Raises:
        MemristorError: no times, negative ones, or ones that do not increase.
    """
    t = np.asarray(times, dtype=np.float64)
    if t.ndim != 1 or not len(t):
        raise MemristorError(f"times: wanted shape (times,) with at least one, got {t.shape}")
    if not np.all(np.isfinite(t)) or t[0] < 0 or np.any(np.diff(t) <= 0):
        raise MemristorError("times: wanted finite numbers >= 0 that increase")
    return t


def moment_slopes(
    circuit: MemristorCircuit, time: float, moments: FloatArray, gamma: ArrayLike
) -> FloatArray:
    """d/dt of ⟨φ⟩, ⟨q⟩, V_φ, V_q and c, shape (5, …), without what a measurement reads."""
    flux, charge, vf, vq, c = moments
    cap, ind, source = circuit.capacitance, circuit.inductance, circuit.source(time)
    g = np.asarray(gamma, dtype=np.float64)
    in_branch = circuit.source_in == "memristor"
    return np.array(
        [
            charge / cap - (0.0 if in_branch else source),
            -flux / ind - 2 * g * (charge - (cap * source if in_branch else 0.0)),
            2 * c / cap + 2 * circuit.strength,
            -2 * c / ind - 4 * g * vq + 4 * cap * circuit.temperature * g,
            vq / cap - vf / ind - 2 * g * c,
        ]
    )


def simulate_moments(circuit: MemristorCircuit, start: Start, times: ArrayLike) -> xr.Dataset:
    """The average over all readings, by its first and second moments, to about 1e-11.

    Args:
        circuit: the circuit and its memristor.
        start: the state at t = 0.
        times: where to report, shape (times,), increasing and >= 0.

    Returns:
        A dataset over `time` with `flux`, `charge`, `var_flux`, `var_charge`, `covariance`, `mu`,
        `gamma`, `voltage` (V_M), `current` (I_M = 2Cγ V_M), `purity` (over 1 where the equation
        has left the states) and `smallest_eigenvalue` of ρ (0 where it is none but positive).

    Raises:
        MemristorError: an argument that makes no sense; the message names it.
    """
    t = checked_times(times)

    def slope(time: float, y: FloatArray) -> FloatArray:
        gamma = circuit.memristor.rate(y[5])
        memory = circuit.memristor.slope(y[5], circuit.across(y[1], time))
        return np.append(moment_slopes(circuit, time, y[:5], gamma), memory)

    found = solved(slope, np.append(start.moments(circuit), start.mu), t)
    return assembled(circuit, start, t, found[:, :5].T, found[:, 5])


def solved(
    slope: Callable[[float, FloatArray], FloatArray], start: FloatArray, times: FloatArray
) -> FloatArray:
    """y at the times, shape (times, size), from y(0); explicit Runge-Kutta of order 8."""
    if times[-1] == 0:
        return start[None, :]
    run = solve_ivp(
        slope, (0.0, times[-1]), start, method="DOP853", t_eval=times, rtol=1e-12, atol=1e-14
    )
    if not run.success:
        raise MemristorError(f"times: wanted ones that the integrator reaches; {run.message}")
    return np.asarray(run.y.T)


_NAMES = {
    "flux": ("mean flux", "hbar/charge"),
    "charge": ("mean charge", "charge"),
    "var_flux": ("variance of the flux", "(hbar/charge)^2"),
    "var_charge": ("variance of the charge", "charge^2"),
    "covariance": ("symmetrised covariance of flux and charge", "hbar"),
    "mu": ("memory variable", "1"),
    "gamma": ("damping rate", "1/time"),
    "voltage": ("voltage across the memristor", "hbar/(charge time)"),
    "current": ("memristive current", "charge/time"),
    "purity": ("purity", "1"),
    "smallest_eigenvalue": ("smallest eigenvalue of the density matrix", "1"),
}


def gaussian_purity(
    var_flux: FloatArray, var_charge: FloatArray, covariance: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """1/(2ν) and the smallest eigenvalue min(0, (ν − ½)/(ν + ½)²) of a Gaussian ρ."""
    nu = np.sqrt(var_flux * var_charge - covariance**2)
    return 1 / (2 * nu), np.minimum(0.0, (nu - 0.5) / (nu + 0.5) ** 2)


def assembled(
    circuit: MemristorCircuit,
    start: Start,
    times: FloatArray,
    moments: FloatArray,
    mu: FloatArray,
    **more: FloatArray,
) -> xr.Dataset:
    """The dataset of moments (5, time, …) and μ (time, …); `more` replaces what is derived."""
    flux, charge, vf, vq, c = moments
    gamma = circuit.memristor.rate(mu)
    voltage = np.stack([circuit.across(q, float(t)) for q, t in zip(charge, times, strict=True)])
    purity, smallest = gaussian_purity(vf, vq, c)
    values = {
        "flux": flux,
        "charge": charge,
        "var_flux": vf,
        "var_charge": vq,
        "covariance": c,
        "mu": mu,
        "gamma": gamma,
        "voltage": voltage,
        "current": 2 * circuit.capacitance * gamma * voltage,
        "purity": purity,
        "smallest_eigenvalue": smallest,
    } | more
    axes = ("time", "trajectory")[: flux.ndim]
    return xr.Dataset(
        {
            name: (axes, value, dict(zip(("long_name", "units"), _NAMES[name], strict=True)))
            for name, value in values.items()
        },
        {"time": ("time", times, {"long_name": "time", "units": "time"})},
        {
            **{"capacitance": circuit.capacitance, "inductance": circuit.inductance},
            "source": "a function of time" if callable(circuit.voltage) else circuit.voltage,
            "source_in": circuit.source_in,
            **{"temperature": circuit.temperature, "strength": circuit.strength},
            **{name: getattr(circuit.memristor, name) for name in ("low", "high", "mobility")},
            "own_damping": int(circuit.memristor.damping is not None),
            "own_response": int(circuit.memristor.response is not None),
            **{f"start_{name}": getattr(start, name) for name in ("charge", "flux", "mu")},
            "start_occupation": start.occupation,
        },
    )


def positivity_strength(circuit: MemristorCircuit, gamma: float | None = None) -> float:
    """κ = γ/(8Cλ), from which on the averaged equation is completely positive at the rate γ.

    Args:
        circuit: its C and λ, and its memristor unless a rate is given.
        gamma: γ; by default the larger one of the memristor's `low` and `high`.

    Returns:
        κ; infinite at zero temperature with damping.

    Raises:
        MemristorError: a γ that is negative, or none for a damping of the caller's own.
    """
    if gamma is None and circuit.memristor.damping is not None:
        raise MemristorError("gamma: wanted a number for a damping of one's own, got None")
    largest = max(circuit.memristor.low, circuit.memristor.high)
    rate = _number("gamma", largest if gamma is None else gamma, least=0)
    if rate == 0:
        return 0.0
    heat = 8 * circuit.capacitance * circuit.temperature
    return rate / heat if heat else math.inf
