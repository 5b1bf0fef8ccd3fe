"""The neuron of a configuration: its exact trajectory, its feedback law, its shot noise.

Gate variables are n (channel K) or n, m, h (the whole neuron); channels are K, or K and Na.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.classical_feedback.membrane import (
    GateControl,
    GateReading,
    MembraneFeedback,
    MembraneLaw,
    Rates,
    SteadyFeedback,
    check_step,
)
from qbrain.reference.hodgkin_huxley import Membrane, rates, simulate_neuron, steady_gate
from qbrain.reference.hodgkin_huxley.channel_drives import (
    ClassicalDrive,
    CoherentDrive,
    ConstantDrive,
    EntangledDrive,
)
from qbrain.reference.hodgkin_huxley.quantized_channel import (
    Channel,
    impedance,
    simulate_channel,
    steady_voltage,
)

from .config import HodgkinHuxleyConfig

__all__ = ["Ensemble", "NeuronModel", "make_drive", "powers_of", "variables_of"]

Array = NDArray[np.float64]
Gate = Literal["n", "m", "h"]
Drive = ConstantDrive | ClassicalDrive | CoherentDrive | EntangledDrive


def variables_of(config: HodgkinHuxleyConfig) -> tuple[Gate, ...]:
    """The gate variables of a configuration's channels."""
    return ("n", "m", "h") if config.channel == "full" else ("n",)


def powers_of(config: HodgkinHuxleyConfig) -> Array:
    """(channels, variables): a channel is open with probability Π x^power."""
    return np.array([[4, 0, 0], [0, 3, 1]] if config.channel == "full" else [[4]], dtype=float)


def make_drive(config: HodgkinHuxleyConfig) -> Drive:
    """The current that a configuration asks for."""
    if config.drive == "constant":
        return ConstantDrive(config.amplitude)
    if config.drive == "classical":
        return ClassicalDrive(config.amplitude, config.frequency)
    source = (config.frequency, config.gate_capacitance, config.source_capacitance)
    if config.drive == "coherent":
        return CoherentDrive(config.alpha0, *source)
    normalised = config.entangled_state == "normalised"
    return EntangledDrive(config.alpha0, config.theta, *source, normalised=normalised)


@dataclass(frozen=True)
class Ensemble:
    """Repetitions of the same loop on circuits without errors, that differ by shots alone.

    Attributes:
        voltage: (repetitions, time) in mV.
        values: (repetitions, time, variables) as read.
        controls: of each time, with the repetitions first.
    """

    voltage: Array
    values: Array
    controls: list[GateControl]


class NeuronModel:
    """What a configuration describes.

    Raises ``FeedbackError`` for a step longer than the fastest rate on the exact trajectory allows.
    """

    def __init__(self, config: HodgkinHuxleyConfig) -> None:
        self.config = config
        self.full = config.channel == "full"
        self.variables = variables_of(config)
        self.channels = ("K", "Na") if self.full else ("K",)
        self.powers = powers_of(config)
        self.drive = make_drive(config)
        self.membrane = Membrane(capacitance=config.capacitance)
        # the whole neuron's conductances are those of 1952
        k_only = {} if self.full else {"z_min": config.z_min, "reversal": config.reversal}
        self.channel = Channel(capacitance=config.capacitance, **k_only)
        self.times: Array = np.linspace(0, config.time, config.steps + 1, dtype=np.float64)
        self.step = config.time / config.steps
        rest = [float(steady_gate(name, 0.0)) for name in self.variables]
        self.initial = np.array(rest if config.initial_n is None else [config.initial_n])
        check_step(self.step, self.fastest_rate)

    @property
    def period(self) -> float | None:
        """Of the drive, in ms; None for a constant one."""
        return None if isinstance(self.drive, ConstantDrive) else self.drive.period

    @cached_property
    def exact(self) -> xr.Dataset:
        """Voltage and gate variables at the times of the loop."""
        return self.simulate(self.times)

    def simulate(self, times: Array) -> xr.Dataset:
        """Voltage, gate variables and potassium's conductance by the differential equations."""
        if not self.full:
            return simulate_channel(self.channel, self.drive, float(self.initial[0]), times)
        # a membrane takes its current at once, whatever source it comes from
        start = (0.0, *self.initial.tolist())
        found = simulate_neuron(self.membrane, self.current, times, initial=start)
        return found.rename(conductance_K="conductance")

    def current(self, time: float) -> float:
        """Into the membrane, in µA/cm²."""
        return float(self.drive.current(time))

    def conductance(self, opened: Array) -> Array:
        """Potassium's, in mS/cm², where it is open with probability ``opened``."""
        largest = self.membrane.g_K if self.full else 1 / self.channel.z_min
        return largest * opened

    @property
    def exact_values(self) -> Array:
        """(time, variables)."""
        return np.stack([self.exact[name].values for name in self.variables], axis=1)

    @property
    def fastest_rate(self) -> float:
        """Largest α + β of any variable along the exact trajectory, per ms."""
        voltage = self.exact.voltage.values
        return float(max(np.sum(rates(name, voltage), axis=0).max() for name in self.variables))

    def law(self, readings: int) -> MembraneLaw:
        """Feedback for gates that are read so many times each."""
        if not self.full:
            return SteadyFeedback(
                lambda voltage: rates("n", voltage),
                lambda n, time: np.asarray(
                    steady_voltage(self.channel, self.drive, impedance(self.channel, n), time)
                ),
                floor=0.5 / readings,
            )
        cell = self.membrane
        return MembraneFeedback(
            rates=[_rates_of(name) for name in self.variables],
            powers=self.powers,
            conductances=[cell.g_K, cell.g_Na],
            reversals=[cell.V_K, cell.V_Na],
            leak=(cell.g_L, cell.V_L),
            capacitance=cell.capacitance,
            current=self.current,
            voltage=0.0,
        )

    @property
    def copies(self) -> NDArray[np.int64]:
        """Qubits of each variable in all circuits of a step."""
        each = self.powers.max(axis=0).astype(np.int64) if self.config.reading == "channels" else 1
        return np.asarray(each * np.ones(len(self.variables), dtype=np.int64) * self.config.copies)

    def noiseless(self) -> Ensemble:
        """The same loop with exact readings, without the dimension of repetitions."""
        one = self._loop(1, None, 0)
        return Ensemble(one.voltage[0], one.values[0], [_only(c) for c in one.controls])

    def repeated(self, repetitions: int, shots: int, seed: int) -> Ensemble:
        """The same loop on circuits without errors, with its own shots each time.

        Joint readings of a channel are drawn apart from those of its gates.
        """
        return self._loop(repetitions, shots, seed)

    def _loop(self, repetitions: int, shots: int | None, seed: int) -> Ensemble:
        random = np.random.default_rng(seed)
        window = self.config.window_steps if self.config.runs_circuits else len(self.times)
        law = self.law((shots or 10**12) * int(self.copies.min()))
        control = law.start((repetitions,))
        controls = [control]
        values, voltages = [], []
        for k in range(len(self.times)):
            first = max(0, k - window)
            true = self._first(controls, first, repetitions)
            for passed in controls[first + 1 :]:
                decay = np.cos(passed.angles) ** 2
                true = passed.openings + (true - passed.openings) * decay
            reading = self._drawn(true, shots, random)
            voltages.append(law.voltage(control, reading))
            values.append(reading.values)
            if k + 1 < len(self.times):
                control = law(control, [reading], self.step)
                controls.append(control)
        return Ensemble(np.stack(voltages, axis=1), np.stack(values, axis=1), controls)

    def _first(self, controls: list[GateControl], first: int, repetitions: int) -> Array:
        """Where a circuit begins that replays from interval ``first`` on."""
        if first == 0:
            return np.broadcast_to(self.initial, (repetitions, len(self.variables)))
        return controls[first + 1].before

    def _drawn(self, true: Array, shots: int | None, random: np.random.Generator) -> GateReading:
        opened = np.prod(true[..., None, :] ** self.powers, axis=-1)
        nothing = np.zeros_like
        if shots is None:
            return GateReading(true, nothing(true), opened, nothing(opened))
        values = random.binomial(shots * self.copies, np.clip(true, 0, 1)) / (shots * self.copies)
        chances = np.prod(values[..., None, :] ** self.powers, axis=-1)
        if self.config.reading == "channels":
            readings = shots * self.config.copies
            chances = random.binomial(readings, np.clip(opened, 0, 1)) / readings
        return GateReading(values, nothing(values), chances, nothing(chances))


def _only(control: GateControl) -> GateControl:
    """The one repetition there is."""
    return GateControl(
        control.time, control.angles[0], control.openings[0], control.voltage[0], control.before[0]
    )


def _rates_of(name: Gate) -> Rates:
    return lambda voltage: rates(name, voltage)
