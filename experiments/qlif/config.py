"""Configuration of an entangled pair's run: shared state, settings, membranes, circuits."""

from __future__ import annotations

import math
import warnings
from typing import Any, Literal

from pydantic import field_validator

from qbrain.reference.qlif.bell import optimal_settings

from ..engine.chains import label_of
from ..engine.config import analysis_field, circuit_field, model_field
from ..engine.mitigated import LINES, MOST_PLACEMENTS, MitigatedConfig
from ..errors import ConfigError, NotApplicable

__all__ = ["QlifConfig"]

# neurons and ticks of a run together; a raster of all kinds is some ten bytes each
MOST_SPIKES = 2 * 10**8


class QlifConfig(MitigatedConfig):
    """Leaky integrate-and-fire neurons that share an entangled state in every tick.

    Units: ms, mV, MΩ, nA; angles in radians.
    """

    pairs: int = analysis_field(
        50, ge=1, le=MOST_SPIKES, description="independent pairs (or groups) of neurons"
    )
    group: int = model_field(
        2, ge=2, le=8, description="neurons that share a state cosφ|0…0⟩ + sinφ|1…1⟩; 2: a pair"
    )
    ticks: int = model_field(
        1000, ge=1, le=MOST_SPIKES, description="ticks, a fresh shared state in each"
    )
    tick: float = model_field(1.0, gt=0, description="length of a tick in ms")
    phi: float = model_field(
        math.pi / 4, ge=0, le=math.pi / 2, description="φ of the shared state; π/4: most entangled"
    )
    visibility: float = model_field(
        1.0, ge=0, le=1, description="exact: share of the state, the rest is white noise"
    )
    settings: Literal["fixed", "level", "linear"] = model_field(
        "level",
        description="of the measurements: fixed; level: one of two, by whether the own voltage is "
        "above a level; linear in the own voltage",
    )
    angles: str | None = model_field(
        None,
        description="settings, numbers joined by commas, neuron after neuron: one each, or with "
        "level the one below and the one above (default: level: those of the largest CHSH value, "
        "and π/2 for a group's others; else 0)",
    )
    level: float = model_field(-57.0, description="voltage at which settings change, in mV")
    slope: float = model_field(0.1, description="linear: change of the setting in rad/mV")

    current: float = model_field(1.2, description="current into every neuron in nA")
    current_second: float | None = model_field(
        None, description="current into all but the first neuron of a group (default: the same)"
    )
    drive_step: float = analysis_field(
        0.2,
        ge=0,
        description="nA, by which one neuron's current is raised to see whether the other's rate "
        "follows; 0: no such test",
    )
    tau: float = model_field(20.0, gt=0, description="membrane's time constant τ in ms")
    rest: float = model_field(-65.0, description="voltage at rest in mV")
    reset: float = model_field(-65.0, description="voltage after a spike in mV")
    threshold: float = model_field(-50.0, description="threshold in mV")
    resistance: float = model_field(10.0, gt=0, description="membrane's resistance in MΩ")
    voltage_noise: float = model_field(
        2.5, ge=0, description="standard deviation of the voltage's noise in mV"
    )
    refractory: float = model_field(2.0, ge=0, description="refractory time in ms")
    coupling: float = model_field(
        3.0, ge=0, description="J: what a measured 1 takes off the threshold"
    )
    kick: float = model_field(
        3.0, description="mV that a spike adds to the partner's voltage in the coupled control"
    )
    coincidence: float = model_field(
        1.0, ge=0, description="spikes at most so many ms apart are coincident"
    )
    count_window: float = model_field(
        50.0, gt=0, description="ms, in which spikes are counted for their correlation"
    )

    circuits: Literal["table", "live"] = circuit_field(
        "table",
        description="table: shots of every setting taken beforehand, each used once, in order; "
        "live: a circuit a pair and a job a tick, of the settings the voltages have chosen",
    )
    margin: float = circuit_field(
        1.15, ge=1, description="table: shots taken over those that an exact run would use"
    )
    mitigation: str = circuit_field(
        "none",
        description="of correlators and CHSH value, spikes follow raw shots: none, or names joined "
        "by +: readout (errors measured by two circuits sent along), zne (no noise, from several "
        "noise scales)",
    )
    placements: int = circuit_field(
        1,
        ge=1,
        le=MOST_PLACEMENTS,
        why=LINES,
        description="lines of the device that every circuit runs on; spikes follow the first, "
        "correlators are averaged",
    )
    noise_scales: str = circuit_field(
        "1,3,5", description="mitigation zne: noise scales, made by folding two-qubit gates"
    )

    @field_validator("angles", mode="before")
    @classmethod
    def _angles_as_text(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return ",".join(str(x) for x in value)
        return str(value) if isinstance(value, int | float) else value

    @field_validator("angles")
    @classmethod
    def _readable_angles(cls, value: str | None) -> str | None:
        if value is not None:
            _numbers(value)
        return value

    @property
    def live(self) -> bool:
        """Whether circuits follow the voltages, a job a tick."""
        return self.runs_circuits and self.circuits == "live"

    @property
    def shots_each(self) -> int:
        """One where circuits are live."""
        return 1 if self.live else self.shots

    @property
    def settings_each(self) -> int:
        """Settings that a neuron has by name; with linear ones, where the line starts."""
        return 2 if self.settings == "level" else 1

    @property
    def angle_rows(self) -> tuple[tuple[float, ...], ...]:
        """Settings of each neuron in turn.

        Raises ``ConfigError`` for another number of them.
        """
        each, n = self.settings_each, self.group
        if self.angles is None:
            if self.settings != "level":
                return ((0.0,),) * n
            return *optimal_settings(self.phi), *(((math.pi / 2,) * 2,) * (n - 2))
        numbers = _numbers(self.angles)
        if len(numbers) != each * n:
            raise ConfigError(
                f"angles: wanted {each * n} numbers ({each} for each of {n} neurons), "
                f"got {self.angles!r}"
            )
        return tuple(tuple(numbers[each * i : each * (i + 1)]) for i in range(n))

    @property
    def currents(self) -> tuple[float, ...]:
        """Of each neuron of a group."""
        other = self.current if self.current_second is None else self.current_second
        return (self.current, *((other,) * (self.group - 1)))

    @property
    def has_chsh(self) -> bool:
        """Whether two neurons choose between two settings each and the others have one each.

        In a larger group the others' bits say which state the first two are left in; that needs
        the second's settings to be ±χ.
        """
        if self.settings != "level":
            return False
        others = self.angle_rows[2:]
        if not others:
            return True
        one, two = self.angle_rows[1]
        return one == -two and all(row == (math.pi / 2,) * 2 for row in others)

    def refuse_ignored(self) -> None:
        """Refuse combinations without meaning, and settings that would do nothing."""
        size = self.pairs * self.group * self.ticks
        if size > MOST_SPIKES:
            raise ConfigError(
                f"ticks: wanted at most {MOST_SPIKES} in all neurons together, got {size}"
            )
        if self.tick > 100 * self.tau:
            raise ConfigError(
                f"tick: wanted at most 100 tau, after which a voltage is forgotten, got {self.tick}"
            )
        # a wrong number of angles
        _ = self.angle_rows
        if self.settings == "fixed":
            self._refuse("fixed settings know no voltage", "level")
        if self.settings != "linear":
            self._refuse(f"settings {self.settings} are not linear in the voltage", "slope")
        super().refuse_ignored()
        if not self.runs_circuits:
            return
        self._refuse_circuits()

    @classmethod
    def current_names(cls, values: dict[str, Any]) -> dict[str, Any]:
        """As in every system; ``noise`` once was the voltage's and a number."""
        noise = values.get("noise")
        if isinstance(noise, int | float) and not isinstance(noise, bool):
            if "voltage_noise" in values:
                raise ConfigError("noise: wanted its new name voltage_noise alone, got both")
            warnings.warn("noise is now voltage_noise", FutureWarning, stacklevel=4)
            values = {("voltage_noise" if k == "noise" else k): v for k, v in values.items()}
        return super().current_names(values)

    def _refuse_circuits(self) -> None:
        if self.visibility != 1:
            raise NotApplicable(
                "visibility: circuits prepare the pure state and a backend adds its own noise; "
                f"wanted 1, or backend exact, got {self.visibility:g} on {self.backend}"
            )
        if self.validation == "matrix-product-state":
            raise NotApplicable(
                f"validation: a group's state is a vector; wanted auto or statevector, got "
                f"{self.validation}"
            )
        if self.circuits == "live":
            self._refuse("live circuits are measured once each", "shots", "margin")
            self._refuse("live circuits are those of one drive", "drive_step")
            if self.chain:
                raise NotApplicable(
                    f"mitigation: {label_of(self.chain)} takes many shots of each circuit, and "
                    "live circuits have one each; wanted none or circuits table"
                )
        elif self.settings == "linear":
            raise NotApplicable(
                "circuits: a table has a circuit a setting, and settings that are linear in the "
                "voltage have no end; wanted live"
            )
        if self.chain and not (self.has_chsh and self.group == 2):
            raise NotApplicable(
                f"mitigation: {label_of(self.chain)} corrects the CHSH value of a pair with two "
                f"settings each, got settings {self.settings}, group {self.group}"
            )


def _numbers(text: str) -> list[float]:
    """Raises ValueError unless the text is finite numbers joined by commas."""
    wanted = ValueError("finite numbers joined by commas, such as 0,1.5708,0.7854,-0.7854")
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        raise wanted from None
    if not all(math.isfinite(x) for x in found):
        raise wanted
    return found
