"""Configuration of a run: a pydantic model a system, TOML on disk, one option a field.

A configuration that exists is valid: Python, TOML and the command line are refused alike, by one
sentence that names the field, what was wanted and what came.
"""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import ConfigError, NotApplicable

__all__ = [
    "BaseConfig",
    "analysis_field",
    "circuit_field",
    "device_field",
    "group_of",
    "load_config",
    "model_field",
]

Group = Literal["model", "circuits", "device", "analysis"]
C = TypeVar("C", bound="BaseConfig")

# while a recorded configuration is read back, in which every field is given
_recorded: ContextVar[bool] = ContextVar("recorded", default=False)


def _in_group(group: Group, default: Any, options: Mapping[str, Any]) -> Any:
    given = {"default_factory": default} if callable(default) else {"default": default}
    return Field(json_schema_extra={"group": group}, **given, **options)


def model_field(default: Any, **options: Any) -> Any:
    """A field that changes what is simulated: two runs are of one thing where these agree.

    ``default``: a value, or a function of the fields before this one, as a mapping.
    """
    return _in_group("model", default, options)


def circuit_field(default: Any, **options: Any) -> Any:
    """A field of how circuits are made or run; of no effect on backend ``exact``."""
    return _in_group("circuits", default, options)


def device_field(default: Any, **options: Any) -> Any:
    """A field that only a device knows."""
    return _in_group("device", default, options)


def analysis_field(default: Any, **options: Any) -> Any:
    """A field of when or where something is measured, and of what is done with it."""
    return _in_group("analysis", default, options)


def group_of(model: type[BaseConfig], name: str) -> Group:
    """The group of a field: ``model``, ``circuits``, ``device`` or ``analysis``."""
    extra = model.model_fields[name].json_schema_extra
    assert isinstance(extra, dict), f"{model.__name__}.{name} has no group"
    group: Any = extra["group"]
    return group  # type: ignore[no-any-return]


def _one_line(error: ValidationError) -> str:
    """Each fault as 'field: wanted …, got …', joined by semicolons."""
    parts = []
    for fault in error.errors():
        if fault["type"] == "default_factory_not_called":
            # the fault is that of the field on which the default depends
            continue
        cause = fault.get("ctx", {}).get("error")
        if isinstance(cause, ConfigError):
            parts.append(str(cause))
            continue
        name = ".".join(str(x) for x in fault["loc"]) or "configuration"
        if fault["type"] == "extra_forbidden":
            parts.append(f"{name}: no such field")
            continue
        wanted = fault["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        wanted = wanted.split(", unable to parse")[0]
        if wanted.startswith(("greater", "less")):
            wanted = f"a number {wanted}"
        parts.append(f"{name}: wanted {wanted}, got {fault['input']!r}")
    return "; ".join(parts)


def _refusal(error: ValidationError) -> ConfigError:
    faults = error.errors()
    cause = faults[0].get("ctx", {}).get("error") if len(faults) == 1 else None
    # a combination that is refused keeps its own class
    return cause if isinstance(cause, ConfigError) else ConfigError(_one_line(error))


class BaseConfig(BaseModel):
    """Fields every system has. Unknown names and settings without effect are refused.

    Raises:
        ConfigError: naming the field, what was wanted and what came.
        NotApplicable: a combination of settings that has no meaning.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    # names of fields in the version before, which are still taken, with a warning
    renamed: ClassVar[Mapping[str, str]] = {}
    # fields of the group ``circuits`` that backend exact knows all the same
    exact_uses: ClassVar[frozenset[str]] = frozenset()

    backend: str = circuit_field(
        "aer",
        description="exact, statevector, aer, fake_<device> (noise of a device snapshot), "
        "ibm_<device> (the device itself), or a backend of your own by its entry point or as "
        "package.module:factory",
    )
    shots: int = circuit_field(4000, ge=1, description="measurements of each circuit")
    seed: int | None = analysis_field(
        None, ge=0, description="seed of everything random (drawn and recorded if not given)"
    )

    validation: Literal["auto", "statevector", "matrix-product-state"] = circuit_field(
        "auto", description="how the check simulates a circuit; auto: by the number of qubits"
    )

    execution_mode: Literal["auto", "session", "batch", "job"] = device_field(
        "auto", description="ibm_<device>: how jobs are sent; auto takes what the plan allows"
    )
    max_qpu_seconds: float | None = device_field(
        None, gt=0, description="ibm_<device>: refuse a run estimated to take more"
    )

    twirling: Literal["none", "gates", "readout", "both"] = device_field(
        "none", description="ibm_<device>: random Paulis around gates, flips before readout"
    )
    dynamical_decoupling: Literal["none", "XX", "XpXm", "XY4"] = device_field(
        "none", description="ibm_<device>: pulse sequence while qubits wait"
    )

    def __init__(self, **values: Any) -> None:
        values = self.current_names(values)
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _refusal(error) from None

    @classmethod
    def current_names(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The values under the names of today; a name of the version before is told of.

        Raises ``ConfigError`` for a setting that is given under both.
        """
        for old, new in cls.renamed.items():
            if old not in values or old in cls.model_fields:
                continue
            if new in values:
                raise ConfigError(f"{old}: wanted its new name {new} alone, got both")
            warnings.warn(f"{old} is now {new}", FutureWarning, stacklevel=4)
            values = {new if name == old else name: value for name, value in values.items()}
        return values

    @model_validator(mode="after")
    def _valid(self) -> Self:
        if not _recorded.get():
            self.refuse_ignored()
        return self

    @property
    def on_device(self) -> bool:
        """Whether circuits go to IBM Quantum rather than to a simulator here."""
        return self.backend.startswith("ibm_")

    @property
    def runs_circuits(self) -> bool:
        """Whether any circuit is run, beside the exact answer."""
        return self.backend != "exact"

    @property
    def shots_each(self) -> int:
        """Shots that the run's circuits are sent with."""
        return self.shots

    @property
    def noisy(self) -> bool:
        """Whether circuits meet a device's errors, simulated or real."""
        return self.runs_circuits and self.backend not in ("aer", "statevector")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Build and check; raises ``ConfigError`` with one line naming field, wanted and got."""
        return cls(**dict(values))

    @classmethod
    def from_record(cls, values: Mapping[str, Any], given: Iterable[str] | None = None) -> Self:
        """The configuration that a run has recorded, in which every field has its value.

        ``given``: the fields that were set when the run began; all of them if None.

        Raises ``ConfigError`` if it is not one.
        """
        token = _recorded.set(True)
        try:
            config = cls(**dict(values))
        except ConfigError as error:
            raise ConfigError(f"run.toml: {error}") from None
        finally:
            _recorded.reset(token)
        if given is not None:
            object.__setattr__(config, "__pydantic_fields_set__", set(given))
        return config

    def refuse_ignored(self) -> None:
        """Refuse settings that were given but would have no effect."""
        if not self.on_device:
            self._refuse("no device is used", *self._of_group("device"))
        if not self.runs_circuits:
            names = (n for n in self._of_group("circuits") if n not in self.exact_uses)
            self._refuse("backend exact runs no circuit", *(n for n in names if n != "backend"))

    def refuse_state_methods(self) -> None:
        """Refuse a way to simulate pure states where circuits reset qubits on the way."""
        if self.validation != "auto":
            raise NotApplicable(
                "validation: circuits with resets are held against density matrices; wanted auto, "
                f"got {self.validation}"
            )

    @classmethod
    def _of_group(cls, group: Group) -> list[str]:
        return [name for name in cls.model_fields if group_of(cls, name) == group]

    def given(self, *names: str) -> list[str]:
        """Those of ``names`` that were set rather than left at their default."""
        return [name for name in names if name in self.model_fields_set]

    def _refuse(self, reason: str, *names: str) -> None:
        ignored = self.given(*names)
        if ignored:
            raise ConfigError(f"{ignored[0]}: would be ignored, since {reason}")


def load_config(model: type[C], path: Path | None, overrides: Mapping[str, Any]) -> C:
    """Configuration from a TOML file (or none) with command-line options on top.

    Raises ``ConfigError`` where the file cannot be read, is no TOML, or holds a bad field.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"config: cannot read {path}: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"config: {path} is not TOML: {error}") from None
    return model.from_mapping({**values, **overrides})
