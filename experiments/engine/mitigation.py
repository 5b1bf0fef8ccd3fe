"""From the counts of a point's circuits to its excitation, by every mitigation they allow.

A point is measured by one circuit, or by several: at other places of the device, and with its
two-qubit gates folded. Beside the points a run may measure circuits whose answer is known: there
and back (``echo``), at phase zero (``zero``), and prepared basis states (``readout``). What is
done with them is a chain of names (:mod:`qbrain.experiments.engine.chains`), applied in this order:

    readout, parity     to the counts of each circuit
    echo or zero        E and populations of each circuit, rescaled by what is left of the signal
    zne                 those of several noise scales, extrapolated to none
    placements          those of several places, averaged

No chain is the raw estimate: the first circuit's counts as they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qbrain.backends.readout import (
    ReadoutCalibration,
    calibration_states,
    estimate_readout,
    has_mthree,
    mthree_quasi_counts,
)
from qbrain.classical_feedback.estimator import (
    Estimate,
    EstimateError,
    ExcitationEstimator,
    mixed_populations,
)
from qbrain.classical_feedback.rescaling import (
    Reference,
    Survival,
    fit_survival,
    mean_over_placements,
)
from qbrain.classical_feedback.synapse import FeedbackError

from .chains import MTHREE, NAMES, RAW, Chain, circuits_for, label_of
from .points import Numbers, limit_at_no_noise, linear_limit
from .readings import Reading

__all__ = ["Mitigator"]

Array = NDArray[np.float64]


class Mitigator:
    """Estimates of a run's points by the chain asked for, and by all others its circuits allow.

    Args:
        neurons: N.
        wanted: the chain of the run's own estimate.
        table: excitation number of each outcome (-1: no state), None to count ones.
        parity: of the run's own state; None where the encoding holds one parity only.
        published: assignment errors (qubits, 2) of each place as the backend knows them, used
            until circuits of the run have measured them.
    """

    def __init__(
        self,
        neurons: int,
        wanted: Chain,
        *,
        table: NDArray[np.int64] | None = None,
        parity: int | None = None,
        published: Sequence[Array | None] = (None,),
    ) -> None:
        self.neurons, self.wanted = neurons, wanted
        self._table, self._parity = table, parity
        self._readout: list[Array | None] = list(published)
        self.calibrations: dict[int, ReadoutCalibration] = {}
        self._references: list[Reading] = []
        self._survival: dict[tuple[Chain, int, float], Survival] = {}
        self._cached = lru_cache(maxsize=256)(self._estimator)

    def calibrate(self, readings: Iterable[Reading]) -> None:
        """Take in references and calibrations; those of the same kind before them are dropped."""
        known = [r for r in readings if r.role.kind != "point"]
        if not known:
            return
        self._references = known
        self._survival.clear()
        for placement in {r.role.placement for r in known if r.role.kind == "readout"}:
            found = [r for r in known if r.role.kind == "readout" and r.role.placement == placement]
            qubits = len(found[0].order)
            states = [calibration_states(qubits)[r.role.number] for r in found]
            calibration = estimate_readout([r.counts for r in found], states, qubits)
            self.calibrations[placement] = calibration
            self._readout[placement] = calibration.readout
        self._cached.cache_clear()

    def estimate(self, readings: Sequence[Reading]) -> Estimate:
        """The run's own estimate; raw figures are those of the first circuit.

        Raises:
            EstimateError: if the counts do not determine it.
        """
        try:
            return self.by(self.wanted, readings)
        except FeedbackError as error:
            raise EstimateError(f"mitigation {label_of(self.wanted)}: {error}") from None

    def by(self, chain: Chain, readings: Sequence[Reading]) -> Estimate:
        """The estimate of a point by a chain.

        Raises:
            EstimateError, FeedbackError: if the counts do not determine it.
        """
        points = {(r.role.placement, r.role.scale): r for r in readings if r.role.kind == "point"}
        if chain == MTHREE:
            return self._mthree(points[0, 1.0])
        places = sorted({p for p, _ in points}) if "placements" in chain else [0]
        scales = sorted({s for _, s in points}) if "zne" in chain else [1.0]
        found = [self._at_place(chain, [points[p, s] for s in scales]) for p in places]
        first = points[0, 1.0]
        raw = self._cached(0, first.order, None, False)(first.counts)
        mean = mean_over_placements([e.value for e in found], [e.stderr for e in found])
        return replace(
            raw,
            value=mean.value,
            stderr=mean.error,
            kept=float(np.mean([e.kept for e in found])) if "parity" in chain else 1.0,
            populations=np.mean([e.populations for e in found], axis=0),
        )

    def chains(self, readings: Sequence[Reading]) -> list[Chain]:
        """Raw, each mitigation by itself and after parity, and all that was asked for.

        ``readings`` of a point say what there is to work with.
        """
        singles = [frozenset({name}) for name in NAMES if name in self.wanted and name != "parity"]
        found = [RAW]
        if self._parity is not None:
            found.append(frozenset({"parity"}))
        for single in singles:
            found.append(single)
            if self._parity is not None:
                found.append(single | {"parity"})
        found.append(self.wanted)
        if "readout" in self.wanted and self._table is None and has_mthree():
            found.append(MTHREE)
        last = self.wanted or None
        return sorted(dict.fromkeys(found), key=lambda chain: (chain == last, len(chain)))

    @staticmethod
    def circuits_for(chain: Chain, readings: Iterable[Reading]) -> int:
        """How many of the circuits a chain needs."""
        return circuits_for(chain, readings)

    def _estimator(
        self, placement: int, order: tuple[int, ...], parity: int | None, readout: bool
    ) -> ExcitationEstimator:
        # readout errors belong to qubits: a swap network reads a neuron from another qubit
        # after the next step
        table = self._readout[placement] if readout else None
        return ExcitationEstimator(
            self.neurons,
            table=self._table,
            parity=parity,
            readout=None if table is None else table[list(order)],
        )

    def _counted(self, chain: Chain, reading: Reading) -> Estimate:
        """By counts alone: readout and parity."""
        parity = None
        if "parity" in chain and self._parity is not None:
            # an echo ends in |0…0⟩, whatever the parity of the run
            parity = 0 if reading.role.kind == "echo" else self._parity
        readout = "readout" in chain
        order = reading.order if readout else ()
        return self._cached(reading.role.placement, order, parity, readout)(reading.counts)

    @property
    def mixed_excitation(self) -> float:
        """E of the maximally mixed state, as the run's own estimate would have it."""
        return self._asymptote(self.wanted)

    def _asymptote(self, chain: Chain) -> float:
        return float(self._mixed(chain) @ np.arange(self.neurons + 1)) / self.neurons

    def _mixed(self, chain: Chain) -> Array:
        parity = self._parity if "parity" in chain else None
        return np.asarray(mixed_populations(self.neurons, table=self._table, parity=parity))

    def _at_scale(self, chain: Chain, reading: Reading) -> Estimate:
        found = self._counted(chain, reading)
        kind = next((name for name in ("echo", "zero") if name in chain), None)
        if kind is None:
            return found
        survival = self._survival_of(chain, kind, reading.role.placement, reading.role.scale)
        corrected = survival.correct(found.value, found.stderr, reading.gates)
        mixed = self._mixed(chain)
        populations = mixed + (found.populations - mixed) / corrected.survival
        return replace(
            found, value=corrected.value, stderr=corrected.stderr, populations=populations
        )

    def _survival_of(self, chain: Chain, kind: str, placement: int, scale: float) -> Survival:
        chain = chain & {"parity", "readout"}
        key = (chain | {kind}, placement, scale)
        if key not in self._survival:
            references = []
            for reading in self._references:
                role = reading.role
                if (role.kind, role.placement, role.scale) == (kind, placement, scale):
                    assert reading.exact is not None
                    found = self._counted(chain, reading)
                    references.append(
                        Reference(reading.gates, reading.exact, found.value, found.stderr)
                    )
            self._survival[key] = fit_survival(references, asymptote=self._asymptote(chain))
        return self._survival[key]

    def _at_place(self, chain: Chain, readings: Sequence[Reading]) -> Estimate:
        found = [self._at_scale(chain, reading) for reading in readings]
        gates = np.array([float(reading.gates) for reading in readings])
        # without two-qubit gates there is nothing to fold
        if len(found) == 1 or np.ptp(gates) == 0:
            return found[0]
        errors = np.array([e.stderr for e in found])
        limit = limit_at_no_noise(
            [
                Numbers(np.array(e.value), np.array(e.stderr), n)
                for e, n in zip(found, gates, strict=True)
            ],
            asymptote=self._asymptote(chain),
            bounds=(0.0, 1.0),
        )
        rows = np.array([e.populations for e in found])
        return replace(
            found[0],
            value=float(limit.value),
            stderr=float(limit.stderr),
            populations=linear_limit(gates / gates[0], rows, errors),
        )

    def _mthree(self, reading: Reading) -> Estimate:
        """Readout corrected by mthree; the error bar is that of the full inversion."""
        chain = frozenset({"readout"})
        full = self._counted(chain, reading)
        table = self._readout[reading.role.placement]
        assert table is not None
        quasi = mthree_quasi_counts(reading.counts, table[list(reading.order)])
        levels = np.zeros(self.neurons + 1)
        for outcome, weight in quasi.items():
            levels[outcome.bit_count()] += weight
        populations = levels / levels.sum()
        value = float(populations @ np.arange(self.neurons + 1)) / self.neurons
        return replace(full, value=value, populations=populations)
