"""The entangled neurons of a run beside kinds without entanglement; tests of no-signalling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbrain.reference.qlif.bell_counts import ChshEstimate, RateTest
from qbrain.reference.qlif.spike_synchrony import Measure

from ..engine.measures import finite_or_none
from ..engine.progress import say
from .groups import Rasters
from .measures import (
    MEASURES,
    bell_counts,
    chsh_of,
    classical_operations,
    drive_test,
    measure_spikes,
    signalling_of,
)
from .model import KINDS, QlifModel

__all__ = ["Kind", "kinds_of", "signalling_tests"]

SHARING = ("entangled", "private bit", "shared bit")


@dataclass(frozen=True)
class Kind:
    """A kind of neurons in the run's first session: rasters and what is read off them."""

    name: str
    rasters: Rasters
    metrics: dict[str, Measure]
    counts: NDArray[np.int64] | None
    chsh: ChshEstimate | None
    operations: int

    def row(self) -> dict[str, Any]:
        """As a row of a table."""
        found: dict[str, Any] = {"kind": self.name}
        for name in MEASURES:
            found[name] = finite_or_none(self.metrics[name].value)
            found[f"{name}_stderr"] = finite_or_none(self.metrics[name].stderr)
        found["chsh"] = self.chsh.value if self.chsh else None
        found["chsh_stderr"] = self.chsh.stderr if self.chsh else None
        found["operations_per_tick"] = self.operations
        return found


def kinds_of(
    model: QlifModel, entangled: Rasters, table: NDArray[np.float64] | None, *, drawn: bool
) -> list[Kind]:
    """The entangled neurons and their controls, under the noise of the first session.

    Args:
        model: of the run.
        entangled: rasters of its first session.
        table: P of the bits that controls get in place of the state's, so that they differ from
            what came off a device in what is shared alone; None: the state's.
        drawn: whether the entangled neurons' bits were drawn here rather than measured.
    """
    config, found = model.config, []
    for name in KINDS:
        say(f"simulating and measuring {name} neurons")
        own = entangled
        if name != "entangled":
            own = model.simulate(name, model.sessions[0], table if name in SHARING else None)
        counts = bell_counts(own, config)
        operations = classical_operations(name, config, tabulated=name != "entangled" or drawn)
        metrics = measure_spikes(own.spikes, config)
        found.append(Kind(name, own, metrics, counts, chsh_of(counts), operations))
    return found


def signalling_tests(
    model: QlifModel, sessions: Sequence[Rasters], kinds: Sequence[Kind]
) -> dict[str, Any]:
    """Tests of no-signalling: bits against the other's setting, rates against the other's drive."""
    config = model.config
    whole = signalling_of(sessions[0], config)
    # each direction in a session of its own, where there is one
    one = signalling_of(sessions[1], config) if len(sessions) > 1 else whole
    two = signalling_of(sessions[2], config) if len(sessions) > 2 else whole
    found: dict[str, Any] = {
        "no_signalling_p": finite_or_none(whole.p_value) if whole else None,
        "no_signalling_first_p": finite_or_none(one.p_first) if one else None,
        "no_signalling_second_p": finite_or_none(two.p_second) if two else None,
    }
    coupled = next(kind for kind in kinds if kind.name == "coupled").rasters
    for k, (name, neuron) in enumerate((("first", 0), ("second", 1)), start=1):
        own: RateTest | None = None
        wired: RateTest | None = None
        if len(sessions) > k:
            own = drive_test(sessions[0], sessions[k], neuron=neuron)
            raised = model.simulate("coupled", model.sessions[k])
            wired = drive_test(coupled, raised, neuron=neuron)
        found |= _rates(f"drive_{name}", own, config.tick)
        found |= _rates(f"coupled_drive_{name}", wired, config.tick)
    drives = [found[f"drive_{name}_p"] for name in ("first", "second")]
    drives = [p for p in drives if p is not None]
    if whole is None and drives:
        # no choice of settings: the drives, by Bonferroni
        found["no_signalling_p"] = min(1.0, len(drives) * min(drives))
    return found


def _rates(name: str, test: RateTest | None, tick: float) -> dict[str, float | None]:
    """Change of a rate in Hz, its standard error and p; ``tick`` in ms."""
    hertz = 1000 / tick
    return {
        f"{name}_hz": finite_or_none(-hertz * test.difference) if test else None,
        f"{name}_hz_stderr": finite_or_none(hertz * test.stderr) if test else None,
        f"{name}_p": finite_or_none(test.p_value) if test else None,
    }
