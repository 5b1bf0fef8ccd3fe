"""The neurons and the bath of a configuration: rates of each collision, exact spins, feedback law.

The bath remembers: the integral of a rate over a collision depends on the stimulation of all times
before it, and is linear in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from qbrain.classical_feedback.stimulation import (
    Homeostasis,
    LinearRates,
    OpenLoop,
    SpinReading,
    StepRates,
    StimulusLaw,
)
from qbrain.reference.open_system import simulate_open_system
from qbrain.reference.open_system.bath_coefficients import StepIntegrals, step_integrals
from qbrain.reference.open_system.bath_stimuli import Bath, PiecewiseStimulus, Pulse
from qbrain.reference.open_system.collision_model import collision_states
from qbrain.reference.open_system.mean_field import printed_mean_field, right_mean_field

from .config import OpenSystemConfig, parse_pulses

__all__ = ["CollectiveModel", "Collisions"]

Array = NDArray[np.float64]
Matrices = NDArray[np.complex128]
_ROUNDING = 1e-12
_NAMES = ("kappa", "kappa_tilde", "lambda_", "lambda_tilde")


@dataclass(frozen=True)
class Collisions:
    """What the collisions of a circuit are made of.

    Attributes:
        times: (K+1,) their edges.
        emission, absorption: (K,) ∫κ and ∫κ̃ over each; absorption is None at zero temperature.
        shifts, shifts_tilde: (K,) ∫λ and ∫λ̃ over each.
        rotations: (K,) ∫g dt.
    """

    times: Array
    emission: Array
    absorption: Array | None
    shifts: Array
    shifts_tilde: Array | None
    rotations: Array

    def coarser(self) -> Collisions:
        """Two as one; an even number of them."""
        return Collisions(
            self.times[::2],
            _pairs(self.emission),
            None if self.absorption is None else _pairs(self.absorption),
            _pairs(self.shifts),
            None if self.shifts_tilde is None else _pairs(self.shifts_tilde),
            _pairs(self.rotations),
        )


def _pairs(values: Array) -> Array:
    return np.asarray(values.reshape(-1, 2).sum(axis=1))


class CollectiveModel:
    """What a configuration describes."""

    def __init__(self, config: OpenSystemConfig) -> None:
        self.config = config
        self.bath = Bath(
            config.cutoff, exponent=config.exponent, occupation=config.occupation, beta=config.beta
        )
        self.times: Array = np.linspace(0, config.time, config.steps + 1, dtype=np.float64)
        count = config.steps * config.substeps
        self._fine: Array = np.linspace(0, config.time, count + 1, dtype=np.float64)
        self.feedback = config.controller == "homeostasis"
        tilted = (config.tilt, config.azimuth)
        self.start: str | tuple[float, float] = tilted if config.start == "tilted" else config.start
        # Eq. 4's 1/√N in every coupling
        self._share = config.neurons if config.scaling == "1/N" else 1

    # ------------------------------------------------------------------------------ the collisions

    def collisions(self, etas: ArrayLike) -> Collisions:
        """Of the steps so far, at the stimulation ``etas`` of each (nan in those to come).

        Without feedback only their number counts: the pulses may begin and end anywhere.
        """
        etas = _until_now(etas)
        steps = len(etas)
        many = steps * self.config.substeps
        if self.feedback:
            rows = [self._responses[name][:many, :steps] @ etas for name in _NAMES]
        else:
            rows = [getattr(self._given, name)[:many] for name in _NAMES]
        emission, absorption, shifts, shifts_tilde = (row / self._share for row in rows)
        # feedback may set a rate to nothing, up to rounding
        emission, absorption = (
            np.where(np.abs(row) < _ROUNDING, 0.0, row) for row in (emission, absorption)
        )
        absorbs = self.config.occupation != "zero"
        times = self._fine[: many + 1]
        return Collisions(
            times,
            emission,
            absorption if absorbs else None,
            shifts,
            shifts_tilde if absorbs else None,
            self.bath.g * np.diff(times),
        )

    @cached_property
    def _given(self) -> StepIntegrals:
        return step_integrals(self.bath, self.stimulus, self._fine)

    @cached_property
    def _responses(self) -> dict[str, Array]:
        """R[k, j]: integral over collision k per unit of η in step j."""
        columns = [
            step_integrals(self.bath, Pulse(float(a), float(b), 1.0), self._fine)
            for a, b in zip(self.times[:-1], self.times[1:], strict=True)
        ]
        return {name: np.stack([getattr(c, name) for c in columns], axis=1) for name in _NAMES}

    def states(self, collisions: Collisions) -> Matrices:
        """(2^N, 2^N) of the neurons after the collisions, by the exact collision model."""
        c = collisions
        found = collision_states(
            self.config.neurons,
            np.sqrt(c.emission),
            self.start,
            angles_up=None if c.absorption is None else np.sqrt(c.absorption),
            shifts=c.shifts,
            shifts_tilde=c.shifts_tilde,
            rotations=c.rotations,
            order=self.config.order,
            shift="ising",
        )
        return np.asarray(found[-1])

    # --------------------------------------------------------------------------- the feedback's law

    @cached_property
    def stimulus(self) -> PiecewiseStimulus:
        """The stimulation that is given beforehand."""
        return PiecewiseStimulus([Pulse(*each) for each in parse_pulses(self.config.pulses)])

    def law(self) -> StimulusLaw:
        """The stimulation of the next step."""
        config = self.config
        if not self.feedback:
            middles = (self.times[1:] + self.times[:-1]) / 2
            return OpenLoop(np.asarray(self.stimulus(middles)), _no_rates)
        shape = (config.steps, config.substeps, config.steps)
        tables = {name: rows.reshape(shape).sum(axis=1) for name, rows in self._responses.items()}
        absorbs = config.occupation != "zero"
        rates = LinearRates(
            tables["kappa"],
            absorption=tables["kappa_tilde"] if absorbs else None,
            shifts=tables["lambda_"],
            shifts_tilde=tables["lambda_tilde"] if absorbs else None,
        )
        return Homeostasis(
            rates, config.steps, target=config.target, gain=config.gain,
            limits=(0.0, config.largest),
        )  # fmt: skip

    # ---------------------------------------------------------------------------- exact answers

    @cached_property
    def etas(self) -> Array:
        """η of each step (steps,), where readings are those of the exact master equation."""
        if not self.feedback:
            return np.asarray(self.stimulus((self.times[1:] + self.times[:-1]) / 2))
        law = self.law()
        # only the last control is kept: each holds η of all steps
        control = law.start()
        for k in range(self.config.steps):
            value = float(self._exact_at(control.etas, self.times[: k + 1]).m_z[-1])
            control = law(control, [_exact_reading(value)], float(np.diff(self.times)[k]))
        return np.asarray(control.etas)

    def _exact_at(self, etas: ArrayLike, times: Array) -> xr.Dataset:
        stimulus = self.stimulus_of(etas)
        return simulate_open_system(
            self.config.neurons, (self.bath, stimulus), self.start, times,
            # under feedback no step's integral is negative, though a moment's rate may be
            scaling=self.config.scaling, allow_negative=self.feedback,
        )  # fmt: skip

    def stimulus_of(self, etas: ArrayLike) -> PiecewiseStimulus:
        """The stimulation that consists of η in each step."""
        if not self.feedback:
            return self.stimulus
        edges = zip(self.times[:-1], self.times[1:], _until_now(etas), strict=False)
        return PiecewiseStimulus([Pulse(float(a), float(b), float(x)) for a, b, x in edges])

    def simulate(self, times: Array) -> xr.Dataset:
        """Spins, rates and populations by the collective master equation; dimension time.

        With feedback, under the stimulation that the loop with exact readings arrives at.
        """
        return self._exact_at(self.etas, times)

    @cached_property
    def exact(self) -> xr.Dataset:
        """The same at the times of the loop."""
        return self.simulate(self.times)

    def mean_fields(self, times: Array) -> dict[str, Array]:
        """m_z by the right mean field and by the paper's Eq. 18, under the same stimulation."""
        rates = (self.bath, self.stimulus_of(self.etas))
        n, scaling = self.config.neurons, self.config.scaling
        right = right_mean_field(
            n, rates, self.start, times, scaling=scaling, allow_negative=self.feedback
        )
        printed = printed_mean_field(rates, self.start, times, neurons=n, scaling=scaling)
        return {"right": right.m_z.values, "printed": printed.m_z.values}


def _exact_reading(value: float) -> SpinReading:
    exact, none = np.asarray(value), np.asarray(0.0)
    nothing = np.zeros(0)
    return SpinReading(exact, none, exact, none, nothing, nothing, 0)


def _until_now(etas: ArrayLike) -> Array:
    """η of the steps that have been."""
    whole = np.asarray(etas, dtype=float)
    return np.asarray(whole[np.isfinite(whole)])


def _no_rates(etas: Array, step: int) -> StepRates:
    """Circuits take the collisions' rates from the pulses themselves."""
    nothing = np.zeros(np.shape(etas)[:-1])
    return StepRates(nothing, nothing, nothing, nothing)
