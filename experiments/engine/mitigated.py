"""Configuration of a run whose estimates may be mitigated by a chain."""

from __future__ import annotations

from typing import ClassVar

from pydantic import field_validator

from ..errors import NotApplicable
from .chains import Chain, chain_of, label_of
from .config import BaseConfig, circuit_field
from .scales import parse_scales

__all__ = ["LINES", "MOST_PLACEMENTS", "MitigatedConfig"]

MOST_PLACEMENTS, LINES = 50, "no device has more lines of qubits apart from each other"


class MitigatedConfig(BaseConfig):
    """Fields of every system whose circuits may be sent on several placements and noise scales.

    A system names in ``known_mitigations`` what it has circuits and an estimator for, and may give
    the fields other defaults and descriptions.
    """

    known_mitigations: ClassVar[tuple[str, ...]] = ("readout", "zne")

    mitigation: str = circuit_field(
        "none",
        description="none, or names joined by +: readout, zne; raw figures are kept beside",
    )
    placements: int = circuit_field(
        1,
        ge=1,
        le=MOST_PLACEMENTS,
        why=LINES,
        description="lines of the device that every circuit runs on, to average over",
    )
    noise_scales: str = circuit_field(
        "1,1.5,2", description="mitigation zne: noise scales, made by folding two-qubit gates"
    )

    @field_validator("mitigation")
    @classmethod
    def _known_mitigation(cls, value: str) -> str:
        chain_of(value, cls.known_mitigations)
        return value

    @field_validator("noise_scales")
    @classmethod
    def _readable_scales(cls, value: str) -> str:
        parse_scales(value)
        return value

    @property
    def chain(self) -> Chain:
        """The mitigations of the run's own estimate."""
        chain = chain_of(self.mitigation, self.known_mitigations)
        return chain | {"placements"} if self.placements > 1 else chain

    @property
    def chain_label(self) -> str:
        """The chain as the result names it; ``none`` where it is empty."""
        return label_of(self.chain) if self.chain else "none"

    @property
    def scales(self) -> tuple[float, ...]:
        """Noise scales that every point is measured at, 1 first."""
        return parse_scales(self.noise_scales) if "zne" in self.chain else (1.0,)

    def refuse_ignored(self) -> None:
        """Refuse settings without effect, and a chain where circuits meet no errors."""
        if "zne" not in self.chain:
            self._refuse("mitigation has no zne", "noise_scales")
        super().refuse_ignored()
        if self.runs_circuits:
            self.refuse_noise_free()

    def refuse_noise_free(self) -> None:
        """Refuse mitigations that the backend has no noise for. Raises ``NotApplicable``."""
        if self.chain and not self.noisy:
            setting = "placements" if self.chain == {"placements"} else "mitigation"
            wanted = "1" if setting == "placements" else "none"
            raise NotApplicable(
                f"{setting}: backend {self.backend} has no noise that {label_of(self.chain)} could "
                f"correct; wanted {wanted}"
            )
