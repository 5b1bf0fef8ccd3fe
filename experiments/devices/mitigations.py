"""What mitigations of counts do on a device, beside what they do on its snapshot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qbrain.backends.readout import estimate_readout

from .counts import CircuitClass, parities
from .distances import bootstrap, interval, total_variation, without_readout

__all__ = ["MITIGATIONS", "Gain", "baseline_readout", "gain_of", "mitigated"]

Array = NDArray[np.float64]
MITIGATIONS = ("parity", "readout", "readout+parity")
# two gains that differ by less are told to be the same
SAME = 0.05


@dataclass(frozen=True)
class Gain:
    """By how much a mitigation lowers the mean total variation distance to the ideal distribution.

    Attributes:
        name: parity: shots of the other parity are left out; readout: the readout errors of the
            file's baselines are inverted; readout+parity: one after the other.
        classes: how many it was tried on.
        raw, real: mean distance of the real counts without and with it.
        gain: 1 − real/raw, with the 95 % interval of drawing repetitions anew.
        snapshot, model: the same ratio where the snapshot (gates alone) and the fitted model take
            the device's place.
    """

    name: str
    classes: int
    raw: float
    real: float
    gain: float
    gain_interval: tuple[float, float]
    snapshot: float
    model: float

    @property
    def verdict(self) -> str:
        """Whether the device's gain is the snapshot's."""
        low, high = self.gain_interval
        if self.gain < 0:
            return "makes real counts worse"
        if low - SAME <= self.snapshot <= high + SAME:
            return "as on the snapshot"
        return "less than on the snapshot" if self.gain < self.snapshot else "more than on it"


def baseline_readout(classes: Sequence[CircuitClass]) -> dict[int, Array]:
    """(n, 2) readout errors from the baselines of each number of qubits that has both states."""
    found = {}
    for qubits in sorted({one.qubits for one in classes}):
        own = [one for one in classes if one.baseline and one.qubits == qubits]
        states = [int(one.initial[::-1], 2) for one in own]
        both = np.bitwise_or.reduce(states or [0]) == 2**qubits - 1
        if both and np.bitwise_and.reduce(states) == 0:
            counts = [
                {index: int(n) for index, n in enumerate(one.counts.sum(axis=0)) if n}
                for one in own
            ]
            found[qubits] = estimate_readout(counts, states, qubits).readout
    return found


def mitigated(name: str, p: Array, parity: int | None, readout: Array | None) -> Array | None:
    """The distribution after a mitigation; None where it does not apply."""
    if "readout" in name:
        if readout is None:
            return None
        p = without_readout(p, readout)
    if "parity" in name:
        if parity is None:
            return None
        p = np.where(parities(len(p).bit_length() - 1) == parity, p, 0.0)
        p = p / p.sum()
    return p


def gain_of(
    name: str,
    classes: Sequence[CircuitClass],
    readout: Mapping[int, Array],
    snapshot: Callable[[CircuitClass], tuple[Array, Array]],
    model: Callable[[CircuitClass], tuple[Array, Array]],
    *,
    draws: int,
    seed: int,
) -> Gain | None:
    """What a mitigation gains on the classes that it applies to; None if there are none.

    ``snapshot`` and ``model`` give what they predict for a class and the readout errors in it.
    """
    own = [
        one
        for one in classes
        if mitigated(name, one.distribution, one.parity, readout.get(one.qubits)) is not None
    ]
    if not own:
        return None

    def after(one: CircuitClass, p: Array, errors: Array | None) -> float:
        found = mitigated(name, p, one.parity, errors)
        assert found is not None
        return total_variation(found, one.ideal)

    def gain(found: Callable[[CircuitClass], tuple[Array, Array]]) -> float:
        raw = [total_variation(found(one)[0], one.ideal) for one in own]
        return 1 - float(np.sum([after(one, *found(one)) for one in own]) / np.sum(raw))

    raw = [total_variation(one.distribution, one.ideal) for one in own]
    real = [after(one, one.distribution, readout.get(one.qubits)) for one in own]
    generator = np.random.default_rng(seed)
    drawn = np.zeros((2, draws))
    for one in own:
        state = generator.integers(2**63)
        for row, measure in enumerate((
            lambda p, one=one: total_variation(p, one.ideal),
            lambda p, one=one: after(one, p, readout.get(one.qubits)),
        )):  # fmt: skip
            # the same draws for both, so that their ratio is of one sample
            drawn[row] += bootstrap(one.counts, measure, draws, np.random.default_rng(state))
    return Gain(
        name,
        len(own),
        float(np.mean(raw)),
        float(np.mean(real)),
        1 - float(np.sum(real) / np.sum(raw)),
        interval(1 - drawn[1] / drawn[0]),
        gain(snapshot),
        gain(model),
    )
