"""Configuration of a run: a pydantic model a system, TOML on disk, one option a field.

A configuration that exists is valid: Python, TOML and the command line are refused alike, by one
sentence that names the field, what was wanted and what came.
"""

from __future__ import annotations

import re
import tomllib
import warnings
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar, get_args

from annotated_types import Gt, Le
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ..errors import ConfigError, NotApplicable

__all__ = [
    "MOST_TIMES",
    "BaseConfig",
    "analysis_field",
    "circuit_field",
    "device_field",
    "group_of",
    "load_config",
    "model_field",
    "short",
]

Group = Literal["model", "circuits", "device", "analysis"]
C = TypeVar("C", bound="BaseConfig")

# while a recorded configuration is read back, in which every field is given
_recorded: ContextVar[bool] = ContextVar("recorded", default=False)


# of a number that is no whole one, where its field says nothing else: no unit in use here needs
# more, and products of several still have a floating-point number
LARGEST, SMALLEST = 1e6, 1e-12
# the largest whole number that TOML and netCDF hold
LARGEST_SEED = 2**63 - 1
MOST_SHOTS = 10**7
MOST_TIMES = "a run keeps what it finds at each of its times"
_LONG = 80  # characters without a space that a message repeats


def _in_group(group: Group, default: Any, options: Mapping[str, Any]) -> Any:
    own = dict(options)
    extra: dict[str, Any] = {"group": group}
    extra |= {name: own.pop(name) for name in ("largest", "smallest", "why") if name in own}
    given = {"default_factory": default} if callable(default) else {"default": default}
    return Field(json_schema_extra=extra, **given, **own)


def model_field(default: Any, **options: Any) -> Any:
    """A field that changes what is simulated: two runs are of one thing where these agree.

    ``default``: a value, or a function of the fields before this one, as a mapping.
    Options of all four kinds of fields are pydantic's and: ``largest`` and ``smallest`` size of a
    float other than 0 (1e6 and 1e-12 if not given); ``why`` there is a bound, for its message.
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


def _extra(model: type[BaseConfig], name: str) -> dict[str, Any]:
    extra = model.model_fields[name].json_schema_extra
    assert isinstance(extra, dict), f"{model.__name__}.{name} has no group"
    return dict(extra)


def group_of(model: type[BaseConfig], name: str) -> Group:
    """The group of a field: ``model``, ``circuits``, ``device`` or ``analysis``."""
    group: Any = _extra(model, name)["group"]
    return group  # type: ignore[no-any-return]


def short(text: str) -> str:
    """The text on one line, with very long words cut in the middle."""
    text = re.sub(r"[\x00-\x1f\x7f]+", " ", text)
    return re.sub(rf"(\S{{{_LONG // 2}}})\S{{{_LONG},}}(\S{{8}})", r"\1…\2", text)


def _as_given(value: Any) -> str:
    """A value as a message repeats it: one line, not too long."""
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        return "a number of thousands of digits"
    return short(text if len(text) <= 2 * _LONG else f"{text[:_LONG]}…{text[-8:]}")


def _one_line(error: ValidationError, model: type[BaseConfig]) -> str:
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
            parts.append(f"{short(name)}: no such field")
            continue
        wanted = fault["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        wanted = wanted.split(", unable to parse")[0]
        if wanted.startswith(("greater", "less")):
            wanted = f"a number {wanted}"
        why = ""
        if wanted.startswith("a number less") and name in model.model_fields:
            why = _extra(model, name).get("why", "")
        got = _as_given(fault["input"])
        parts.append(f"{name}: wanted {wanted}, got {got}" + (f"; {why}" if why else ""))
    return "; ".join(parts)


def _refusal(error: ValidationError, model: type[BaseConfig]) -> ConfigError:
    faults = error.errors(include_url=False)
    cause = faults[0].get("ctx", {}).get("error") if len(faults) == 1 else None
    if isinstance(cause, ConfigError):
        # a combination that is refused keeps its own class
        return type(cause)(short(str(cause)))
    return ConfigError(_one_line(error, model))


class BaseConfig(BaseModel):
    """Fields every system has. Unknown names and settings without effect are refused.

    Raises:
        ConfigError: naming the field, what was wanted and what came.
        NotApplicable: a combination of settings that has no meaning.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    # names of fields in the version before, which are still taken, with a warning
    renamed: ClassVar[Mapping[str, str]] = {}
    # what a run did before it recorded a field
    before: ClassVar[Mapping[str, Any]] = {"noise": "gates"}
    # fields of the group ``circuits`` that backend exact knows all the same
    exact_uses: ClassVar[frozenset[str]] = frozenset()

    backend: str = circuit_field(
        "aer",
        description="exact, statevector, aer, fake_<device> (noise of a device snapshot), "
        "ibm_<device> (the device itself), or a backend of your own by its entry point or as "
        "package.module:factory",
        max_length=200,
    )
    shots: int = circuit_field(
        4000,
        ge=1,
        le=MOST_SHOTS,
        why="no device takes more in a job",
        description="measurements of each circuit",
    )
    seed: int | None = analysis_field(
        None,
        ge=0,
        le=LARGEST_SEED,
        description="seed of everything random (drawn and recorded if not given)",
    )

    validation: Literal["auto", "statevector", "matrix-product-state"] = circuit_field(
        "auto", description="how the check simulates a circuit; auto: by the number of qubits"
    )

    noise: Literal["gates", "snapshot", "calibrated"] = circuit_field(
        "snapshot",
        description="fake_<device>: errors of gates and readout alone (gates), with relaxation of "
        "waiting qubits (snapshot), or as fitted to counts of a real device (calibrated)",
    )

    execution_mode: Literal["auto", "session", "batch", "job"] = device_field(
        "auto", description="ibm_<device>: how jobs are sent; auto takes what the plan allows"
    )
    account: str | None = device_field(
        None, min_length=1, description="ibm_<device>: name of a saved account"
    )
    instance: str | None = device_field(
        None, min_length=1, description="ibm_<device>: name or CRN of an instance of the account"
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
            raise _refusal(error, type(self)) from None

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

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and info.field_name is not None:
            kinds = _kinds(cls.model_fields[info.field_name].annotation)
            if bool not in kinds and kinds & {int, float}:
                raise ValueError("a number")
        return value

    @model_validator(mode="after")
    def _valid(self) -> Self:
        if not _recorded.get():
            self._refuse_sizes()
            self.refuse_ignored()
        return self

    @property
    def on_device(self) -> bool:
        """Whether circuits go to IBM Quantum rather than to a simulator here."""
        return self.backend.startswith("ibm_")

    @property
    def twirled(self) -> bool:
        """Whether the client draws random gates around those of the circuits."""
        return self.on_device and self.twirling != "none"

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
            config = cls(**{**cls.before, **cls.current_names(dict(values))})
        except ConfigError as error:
            raise ConfigError(f"run.toml: {error}") from None
        finally:
            _recorded.reset(token)
        if given is not None:
            object.__setattr__(config, "__pydantic_fields_set__", set(given))
        return config

    def _refuse_sizes(self) -> None:
        """Refuse floats whose products would leave the range of floating-point numbers."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if not isinstance(value, float) or value == 0:
                continue
            extra = _extra(type(self), name)
            largest, smallest = extra.get("largest", LARGEST), extra.get("smallest", SMALLEST)
            why = f"; {extra['why']}" if "why" in extra else ""
            if abs(value) > largest:
                wanted = f"at most {_power(largest)} in size"
            elif abs(value) < smallest:
                bounds = type(self).model_fields[name].metadata
                if any(isinstance(m, Le) for m in bounds):
                    continue  # an angle or a fraction, which nothing is divided by
                zero = not any(isinstance(m, Gt) for m in bounds)
                wanted = f"{'0 or ' if zero else ''}at least {_power(smallest)} in size"
            else:
                continue
            raise ConfigError(f"{name}: wanted {wanted}, got {value!r}{why}")

    def refuse_ignored(self) -> None:
        """Refuse settings that were given but would have no effect."""
        if not self.on_device:
            self._refuse("no device is used", *self._of_group("device"))
        if not self.runs_circuits:
            names = (n for n in self._of_group("circuits") if n not in self.exact_uses)
            self._refuse("backend exact runs no circuit", *(n for n in names if n != "backend"))
        if not self.backend.startswith("fake_"):
            self._refuse(f"{self.backend} is no snapshot of a device", "noise")

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


def _kinds(annotation: Any) -> set[Any]:
    """The types of values that a field may have."""
    found = get_args(annotation) or (annotation,)
    return {type(x) if isinstance(x, int | str) else x for x in found} | {
        kind for x in found if get_args(x) for kind in _kinds(x)
    }


def _power(value: float) -> str:
    """1e6 rather than 1e+06."""
    return f"{value:g}".replace("e+0", "e").replace("e-0", "e-").replace("1000000", "1e6")


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
        except RecursionError:
            raise ConfigError(f"config: {path} is not TOML for us: nested too deeply") from None
        except ValueError as error:  # also whole numbers of thousands of digits
            raise ConfigError(f"config: {path} is not TOML: {short(str(error))}") from None
    return model.from_mapping({**values, **overrides})
