"""The quantized potassium channel: a memristor whose impedance follows the gate n.

The circuit (Cheng et al., arXiv:1807.10698, Eq. 16, with V = −dΦ₀/dt and V₀ = −V_K) is

    I(t) = C dV/dt + (V − V_K)/Z,      Z = Z_min n⁻⁴,      dn/dt = α_n(V)(1 − n) − β_n(V) n

with C = C_c, and C = C_c + C_g behind a quantum source. At a frozen Z and I = Re Σ a_k e^{ikΩt} its
periodic state is

    V(t) = V_K + Re Σ_k a_k Z e^{ikΩt}/(1 + ikΩCZ)

so for I₀ sin²Ωt:   V = V_K + ½I₀Z[1 − (cos 2Ωt + 2CΩZ sin 2Ωt)/(1 + 4C²Ω²Z²)]
and for A sin Ωt:   V = V_K + AZ[sin Ωt − CΩZ cos Ωt]/(1 + C²Ω²Z²).

The paper's Eqs. 17, 22 and 25 have the reactive terms with the other sign, and 22 and 25 the whole
drive besides, at half its amplitude; `printed_voltage` keeps them as they stand. The paper puts the
present Z(t) into the closed form and integrates Z by Eq. 18, or n, alone: `simulate_channel`.
`simulate_channel_dynamic` integrates the circuit itself.

V in mV from rest, t in ms, C in µF/cm², Z in kΩ cm², I in µA/cm².
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from .channel_circuits import ChannelError, Dynamic, QuasiStatic, Response, integrate
from .channel_drives import ClassicalDrive, ConstantDrive, Drive, EntangledDrive, Harmonics
from .rates import FloatArray, checked_number, checked_times, rates

__all__ = [
    "Channel",
    "ChannelError",
    "Response",
    "channel_response",
    "gate_rate",
    "impedance",
    "impedance_rate",
    "printed_voltage",
    "simulate_channel",
    "simulate_channel_dynamic",
    "steady_voltage",
]


@dataclass(frozen=True)
class Channel:
    """One cm² of potassium channel, by default that of 1952.

    Args:
        capacitance: C_c >= 0, in µF/cm².
        z_min: Z_min > 0, the impedance with every gate open, in kΩ cm² (1/g_K).
        reversal: V_K, in mV from rest.

    Raises:
        ChannelError: a value out of range or not finite.
    """

    capacitance: float = 1.0
    z_min: float = 1.0 / 36.0
    reversal: float = -12.0

    def __post_init__(self) -> None:
        """Refuse what is no channel, and turn the numbers into plain Python ones."""
        bounds: dict[str, dict[str, float]] = {
            "capacitance": {"least": 0.0},
            "z_min": {"above": 0.0},
            "reversal": {},
        }
        for name, bound in bounds.items():
            value = checked_number(name, getattr(self, name), ChannelError, **bound)
            object.__setattr__(self, name, value)


def channel_response(
    channel: Channel, drive: Drive, *, printed: bool = False, tolerance: float = 1e-12
) -> Response:
    """The voltage's response to a drive at frozen Z, right or as the paper prints it.

    Args:
        channel: C_c, Z_min and V_K.
        drive: the current; C_g is its own.
        printed: Eq. 17, 22 or 25 as printed, by the kind of drive (25 for any entangled drive; a
            constant one has no printed formula and no difference).
        tolerance: where to cut the series, relative to the drive's amplitude.
    """
    capacitance = channel.capacitance + drive.gate_capacitance
    if not printed:
        return Response(channel.reversal, capacitance, drive.harmonics(tolerance))
    if isinstance(drive, ClassicalDrive | ConstantDrive):
        return Response(channel.reversal, -capacitance, drive.harmonics(tolerance))
    if isinstance(drive, EntangledDrive):
        series, factor = drive.printed_voltage_harmonics(), -1.0
    else:
        series, factor = drive.harmonics(tolerance), -0.5
    halved = Harmonics(series.frequency, series.orders, factor * series.amplitudes)
    return Response(channel.reversal, -capacitance, halved)


def steady_voltage(channel: Channel, drive: Drive, z: ArrayLike, t: ArrayLike) -> FloatArray:
    """V(t) = −dΦ₀/dt of the periodic state at frozen Z, in mV: Eqs. 17 and 22, put right.

    Args:
        channel: C_c and V_K (its Z_min plays no part).
        drive: the current.
        z: Z in kΩ cm², > 0, of any shape.
        t: times in ms, of any shape that broadcasts against z.

    Raises:
        ChannelError: an impedance that is not > 0 or not finite.
    """
    return channel_response(channel, drive).voltage(_positive("z", z), t)


def printed_voltage(channel: Channel, drive: Drive, z: ArrayLike, t: ArrayLike) -> FloatArray:
    """V(t) by Eq. 17 (classical), 22 (coherent) or 25 (entangled) exactly as printed.

    No solution of the circuit: see the module's heading. Arguments as in `steady_voltage`.

    Raises:
        ChannelError: an impedance that is not > 0 or not finite.
    """
    return channel_response(channel, drive, printed=True).voltage(_positive("z", z), t)


def impedance(channel: Channel, n: ArrayLike) -> FloatArray:
    """Z = Z_min n⁻⁴ in kΩ cm², of the shape of n.

    Raises:
        ChannelError: n outside (0, 1].
    """
    gate = np.asarray(n, dtype=np.float64)
    good = (gate > 0.0) & (gate <= 1.0)
    if not np.all(good):
        raise ChannelError(f"n: wanted numbers above 0 and up to 1, got {gate[~good].flat[0]:g}")
    return np.asarray(channel.z_min * gate**-4.0)


def gate_rate(n: ArrayLike, voltage: ArrayLike) -> FloatArray:
    """dn/dt = α_n(V)(1 − n) − β_n(V) n, in 1/ms (Eq. 6)."""
    alpha, beta = rates("n", voltage)
    gate = np.asarray(n, dtype=np.float64)
    return np.asarray(alpha * (1.0 - gate) - beta * gate)


def impedance_rate(channel: Channel, z: ArrayLike, voltage: ArrayLike) -> FloatArray:
    """dZ/dt = −4 Z_min (Z/Z_min)^{5/4} α_n(V) + 4Z[α_n(V) + β_n(V)], in kΩ cm²/ms (Eq. 18).

    Raises:
        ChannelError: an impedance that is not > 0 or not finite.
    """
    alpha, beta = rates("n", voltage)
    value = _positive("z", z)
    growth = (value / channel.z_min) ** 1.25
    return np.asarray(-4.0 * channel.z_min * growth * alpha + 4.0 * value * (alpha + beta))


def simulate_channel(
    channel: Channel,
    drive: Drive,
    initial_n: float,
    times: ArrayLike,
    *,
    printed: bool = False,
    tolerance: float = 1e-10,
) -> xr.Dataset:
    """The paper's trajectory: V from the closed form at the present Z, n integrated from t = 0.

    Args:
        channel: C_c, Z_min and V_K.
        drive: the current.
        initial_n: n at t = 0, in (0, 1].
        times: where to report, shape (times,), increasing and >= 0, in ms.
        printed: use `printed_voltage` in place of `steady_voltage`.
        tolerance: of each step in n, relative and absolute, 1e-13 to 1e-3.

    Returns:
        A dataset over `time` with `voltage`, `n`, `impedance`, `conductance` (1/Z) and `current`.
        Units are attributes of the variables.

    Raises:
        ChannelError: an argument that makes no sense, or a gate that closes for good (a current
            that keeps V negative while Z grows without bound).
    """
    t = checked_times(times, ChannelError)
    start = _gate(initial_n)
    response = channel_response(channel, drive, printed=printed)
    circuit = QuasiStatic(response, channel.z_min)
    (n,) = integrate(circuit, np.array([start]), t, tolerance)
    v = response.voltage(impedance(channel, n), t)
    return _dataset(channel, drive, t, v, n, printed, tolerance)


def simulate_channel_dynamic(
    channel: Channel,
    drive: Drive,
    initial_n: float,
    times: ArrayLike,
    *,
    initial_voltage: float = 0.0,
    tolerance: float = 1e-10,
) -> xr.Dataset:
    """The circuit itself, V and n integrated together from t = 0.

    Args:
        channel: C_c, Z_min and V_K; C_c + C_g must be > 0.
        drive: the current.
        initial_n: n at t = 0, in (0, 1].
        times: where to report, shape (times,), increasing and >= 0, in ms.
        initial_voltage: V at t = 0, in mV.
        tolerance: of each step in n and in V, relative and absolute, 1e-13 to 1e-3.

    Returns:
        A dataset as from `simulate_channel`.

    Raises:
        ChannelError: an argument that makes no sense, or a gate that closes for good.
    """
    t = checked_times(times, ChannelError)
    start = [checked_number("initial_voltage", initial_voltage, ChannelError), _gate(initial_n)]
    total_capacitance(channel, drive)
    circuit = Dynamic(channel_response(channel, drive), channel.z_min)
    v, n = integrate(circuit, np.array(start), t, tolerance)
    return _dataset(channel, drive, t, v, n, False, tolerance)


def total_capacitance(channel: Channel, drive: Drive) -> float:
    """C_c + C_g; `ChannelError` if there is none for the voltage to live on."""
    capacitance = channel.capacitance + drive.gate_capacitance
    return checked_number("capacitance", capacitance, ChannelError, above=0.0)


def _positive(name: str, value: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(value, dtype=np.float64)
    good = np.isfinite(array) & (array > 0.0)
    if not np.all(good):
        worst = float(array[~good].flat[0])
        raise ChannelError(f"{name}: wanted > 0, got {worst:g}")
    return array


def _gate(initial_n: float) -> float:
    value = checked_number("initial_n", initial_n, ChannelError, least=0.0, most=1.0)
    if value == 0.0:
        raise ChannelError("initial_n: wanted > 0, where the impedance is finite, got 0")
    return value


def _dataset(
    channel: Channel,
    drive: Drive,
    t: FloatArray,
    voltage: FloatArray,
    n: FloatArray,
    printed: bool,
    tolerance: float,
) -> xr.Dataset:
    z = impedance(channel, n)
    values = {
        "voltage": (voltage, "membrane voltage from rest V", "mV"),
        "n": (n, "potassium activation n", "1"),
        "impedance": (z, "impedance of the memristor Z", "kOhm cm^2"),
        "conductance": (1.0 / z, "potassium conductance", "mS/cm^2"),
        "current": (drive.current(t), "input current I", "uA/cm^2"),
    }
    data = {
        name: xr.Variable(("time",), array, {"long_name": label, "units": unit})
        for name, (array, label, unit) in values.items()
    }
    time = xr.Variable(("time",), t, {"long_name": "time", "units": "ms"})
    parameters: dict[str, float | int | str] = {
        "drive": type(drive).__name__,
        "printed": int(printed),
        "tolerance": tolerance,
        **vars(channel),
    }
    for name, value in vars(drive).items():
        parameters[name] = int(value) if isinstance(value, bool) else value
    return xr.Dataset(data, {"time": time}, parameters)
