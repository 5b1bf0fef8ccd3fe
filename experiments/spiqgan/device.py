"""A trained spike generator run as circuits, on simulators, noisy simulators and devices.

The noise is classical and is drawn before anything is sent: ``noise_points`` values of z for whole
windows. Each value and bin is a circuit (each value alone, of a recurrent generator), measured
``shots`` times. Windows of spikes are then drawn from what was measured at these values:

    sigmoid: ⟨Z_i⟩ of each value, bin and neuron, p = σ(a ⟨Z_i⟩ + b), spikes drawn independently;
    words: each value's distribution of words in each bin, from which a word a bin is drawn (given
        the noise, bins are independent);
    words of a recurrent generator: every shot is a window as it was measured.

Errors of reading are measured by two circuits sent along, and are taken out of ⟨Z⟩ and of the
distributions; single shots cannot be corrected. Few noise values alone make windows differ from
those of the generator; the same windows from exact probabilities at the very same values show by
how much. Shots make ⟨Z⟩ uncertain by up to 1/√shots; p then has that spread beside its own.

Simulators run a bin at a time (a few windows at a time, of a recurrent generator), each in the
journal before the next; a device gets everything in one job.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit, qpy

from qbrain.backends.check.pure import DispatchRefused
from qbrain.backends.compile import depth, expected_fidelity, two_qubit_depth, two_qubit_gates
from qbrain.backends.readout import calibration_circuits, calibration_states, estimate_readout
from qbrain.circuits.spiqgan import Weights, check_noise, check_weights
from qbrain.classical_feedback.loop import LoopStep, hybrid_loop
from qbrain.reference.spiqgan.generator import latent_noise

from ..engine.costs import qpu_seconds
from ..engine.folder import RunDirectory
from ..engine.progress import progress
from ..engine.run_sampler import open_run_sampler
from ..errors import NotApplicable, RunDirectoryError
from .circuits import Bound, Template
from .config import SpiQGANConfig
from .result import Source
from .windows import Windows, measured_windows, seeds

__all__ = ["DeviceResult", "DeviceRun", "estimate_spiqgan"]

Array = NDArray[np.float64]
Names = list[tuple[int, int]]
# windows of a recurrent generator that a simulator runs between two lines of the journal
POINTS = 8


@dataclass(frozen=True)
class DeviceResult:
    """What a backend made of a generator.

    Attributes:
        backend: its name.
        spikes: ``mitigated`` (where errors of reading were taken out), ``raw`` and ``exact``:
            windows (windows, bins, neurons), and the number of the noise value of each.
        expectations: the same keys: ⟨Z⟩ (points, bins, neurons), +1 for no spike.
        summary: figures for the run's JSON object.
        validation: method and checks of each circuit, in the order in which they ran.
    """

    backend: str
    spikes: dict[str, Windows]
    expectations: dict[str, Array]
    summary: dict[str, Any]
    validation: list[dict[str, Any]]

    @property
    def best(self) -> str:
        """Which windows stand for the backend: ``mitigated`` where there are such, else ``raw``."""
        return "mitigated" if "mitigated" in self.spikes else "raw"

    def sources(self, parameters: int, quantum_parameters: int) -> list[Source]:
        """The backend's windows, first the ones that stand for it, and the exact ones beside."""
        named = [(self.backend, self.backend, self.best)]
        if self.best == "mitigated":
            named = [(self.backend, f"{self.backend}, readout corrected", "mitigated")]
            named.append((f"{self.backend} raw", f"{self.backend}, as read", "raw"))
        points = self.summary["noise_points"]
        named.append(("same noise, exact", f"exact, at the same {points} noise values", "exact"))
        found = []
        for name, label, key in named:
            windows, groups = self.spikes[key]
            found.append(
                Source(name, label, windows, parameters, quantum_parameters, groups=groups)
            )
        return found


@dataclass(frozen=True)
class Step:
    """A finished part of the journal: counts of each circuit, and what the gate said of it."""

    counts: tuple[Mapping[int, int], ...]
    validation: list[dict[str, Any]]


class DeviceRun:
    """Opens the backend and compiles the circuit; fails before anything is written.

    Args:
        config: with a backend other than ``exact``; a seed that is not given counts as 0.
        record: what :attr:`device` said when the run began, for one that goes on.

    Raises:
        BackendError: no such backend, or too few qubits.
        DeviceFault: the service does not answer.
        NotApplicable: ``mitigation`` readout asked of a backend that reads without error, or
            ``validation`` by matrix-product states.
    """

    def __init__(self, config: SpiQGANConfig, record: Mapping[str, Any] | None = None) -> None:
        if config.validation == "matrix-product-state":
            raise NotApplicable(
                "validation: the states of a spike generator are dense vectors; wanted auto or "
                f"statevector, got {config.validation}"
            )
        self.config = config
        self.seed = config.seed or 0
        self._generator, self._model = config.generator, config.model
        qubits = self._generator.qubits
        self.sampler: Any = open_run_sampler(config, qubits, record)
        wanted = config.mitigation == "readout"
        reads_wrong = self.sampler.readout is not None
        # a record has every setting, whether it was given or not
        if wanted and not reads_wrong and record is None and config.given("mitigation"):
            raise NotApplicable(
                f"mitigation: backend {config.backend} has no noise that readout could correct; "
                "wanted none"
            )
        histories = self._model.weights_per == "recurrent" and self._model.readout == "words"
        self.mitigated = wanted and reads_wrong and not histories
        self.template = Template(self._generator, self.sampler.target)

    @property
    def device(self) -> dict[str, Any]:
        """What the run's record says of the backend."""
        details = {"backend": self.config.backend, **self.sampler.details}
        if self._model.weights_per == "recurrent" and details.get("method") == "density_matrix":
            # readings on the way leave only trajectories
            details["method"] = "statevector"
        return details

    @property
    def groups(self) -> list[Names]:
        """The circuits (point, block) of each step; a step is a job."""
        points, blocks = range(self.config.noise_points), range(self.template.blocks)
        if self.config.on_device:
            return [[(p, b) for b in blocks for p in points]]
        if len(blocks) > 1:
            return [[(p, b) for p in points] for b in blocks]
        return [[(p, 0) for p in points[k : k + POINTS]] for k in points[::POINTS]]

    @property
    def circuits(self) -> int:
        """How many circuits there are, those that measure errors of reading among them."""
        return sum(map(len, self.groups)) + (2 if self.mitigated else 0)

    @property
    def qpu_seconds(self) -> float | None:
        """Estimated time on a device of the same calibration, all circuits in one job.

        None where the calibration tells no times.
        """
        target, shots = self.sampler.target, self.config.shots
        each = qpu_seconds([self.template.isa], 0, shots, target)
        extra = calibration_circuits(self.sampler.target.num_qubits, target)
        rest = qpu_seconds(extra if self.mitigated else [], 1, shots, target)
        return None if each is None or rest is None else sum(map(len, self.groups)) * each + rest

    def guard_qpu_seconds(self, limit: float) -> None:
        """Raise ``DispatchRefused`` for a run that is estimated to take more, or cannot be."""
        seconds = self.qpu_seconds
        found = math.inf if seconds is None else seconds
        if not found <= limit:
            raise DispatchRefused("spiqgan", None, "qpu seconds", found, limit)

    def estimate(self) -> dict[str, Any]:
        """What the run would cost a device; gates, depth and fidelity are those of one circuit."""
        isa, target = self.template.isa, self.sampler.target
        return {
            "qubits": int(target.num_qubits),
            "circuits": self.circuits,
            "jobs": 1,
            "shots": self.config.shots,
            "two_qubit_gates": two_qubit_gates(isa),
            "two_qubit_depth": two_qubit_depth(isa),
            "depth": depth(isa),
            "expected_fidelity": expected_fidelity(isa, target),
            "qpu_seconds": self.qpu_seconds,
        }

    def measure(self, weights: Weights, run: RunDirectory) -> DeviceResult:
        """Run what is not in the journal yet, and make windows of all.

        Raises:
            DispatchRefused: a circuit does not pass the gate.
            DeviceFault: the device gave nothing; what was measured before is in the journal.
            EstimateError: errors of reading that cannot be inverted.
            RunDirectoryError: a journal that is not of this run.
            SpikeGeneratorError: weights that are not of this generator.
        """
        weights = check_weights(self._generator, weights)
        if self.config.on_device:
            self.sampler.begin(run.record()["run"]["id"], str(run.path.resolve()))
            self._keep_compiled(run)
        noise = self._noise(weights, run)
        bound = Bound(self.template, self._model, weights, noise, self.seed)
        groups, journal = self.groups, run.steps()
        if len(journal) > len(groups):
            raise RunDirectoryError(
                f"{run.path}: wanted at most {len(groups)} steps, got {len(journal)}"
            )
        done = [self._restore(record, groups, bound) for record in journal]
        records: list[dict[str, Any]] = []

        def build(index: int, controls: Sequence[None]) -> list[QuantumCircuit]:
            nonlocal records
            circuits, records = bound.circuits(groups[index], index)
            if index == 0 and self.mitigated:
                extra, found = self.template.calibrations(index)
                circuits, records = circuits + extra, records + found
            return circuits

        with progress(len(groups), len(done)) as tick:
            for step in hybrid_loop(
                times=[float(k) for k in range(len(groups))],
                start=None,
                build=build,
                sampler=self.sampler,
                estimate=lambda counts: None,
                # nothing is fed back
                law=lambda control, estimates, dt: None,
                shots=self.config.shots,
                done=[LoopStep(k, float(k), None, s.counts, None) for k, s in enumerate(done)],
            ):
                finished = Step(step.counts, records)
                run.append_step(self._journal(step.index, finished, bound))
                done.append(finished)
                tick(f"{self.config.backend}: part {step.index + 1}")
        return self._result(bound, done)

    def close(self) -> None:
        """End a session on a device."""
        if self.config.on_device:
            self.sampler.close()

    def _noise(self, weights: Weights, run: RunDirectory) -> Array:
        """Noise (points, bins, latents): drawn once, then that of the file."""
        file = run.path / "noise.npy"
        try:
            if file.exists():
                noise = check_noise(self._generator, np.load(file, allow_pickle=False))
                if noise.shape[:-2] != (self.config.noise_points,):
                    raise ValueError(f"wanted {self.config.noise_points} points, got {noise.shape}")
                return noise
        except (OSError, ValueError, EOFError) as error:
            raise RunDirectoryError(f"{file}: not the noise of this run: {error}") from None
        # this generator compiles in a fraction of the default one's time
        key = jax.random.key(seeds(self.seed)[0], impl="rbg")
        drawn = latent_noise(self._model, weights, key, self.config.noise_points)
        noise = np.asarray(drawn, dtype=np.float64)
        run.write("noise.npy", lambda path: np.save(path, noise))
        return noise

    def _keep_compiled(self, run: RunDirectory) -> None:
        """Go on with the circuit compiled first, for another calibration may give another one.

        Another circuit would be another job.
        """
        file = run.path / "template.qpy"
        if not file.exists():
            run.write_circuits("template.qpy", [self.template.isa])
        try:
            with file.open("rb") as handle:
                self.template.take(qpy.load(handle)[0])
        except Exception as error:
            # a damaged file makes the reader fail in any way
            raise RunDirectoryError(f"{file}: not a compiled circuit: {error}") from None

    def _journal(self, index: int, step: Step, bound: Bound) -> dict[str, Any]:
        return {
            "step": index,
            "angles": bound.digest,
            "counts": [{str(x): c for x, c in counts.items()} for counts in step.counts],
            "validation": step.validation,
        }

    def _restore(self, record: Mapping[str, Any], groups: list[Names], bound: Bound) -> Step:
        try:
            if record["angles"] != bound.digest:
                raise ValueError("wanted the angles of these weights, got others")
            counts = tuple({int(x): int(c) for x, c in each.items()} for each in record["counts"])
            index = record["step"]
            wanted = len(groups[index]) + (2 if index == 0 and self.mitigated else 0)
            if len(counts) != wanted or len(record["validation"]) != wanted:
                raise ValueError(f"wanted {wanted} circuits, got {len(counts)}")
            return Step(counts, list(record["validation"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunDirectoryError(
                f"steps.jsonl: step {record.get('step')} is not a record of this run: {error}"
            ) from None

    def _result(self, bound: Bound, done: Sequence[Step]) -> DeviceResult:
        config = self.config
        counts = {
            name: each
            for names, step in zip(self.groups, done, strict=True)
            # the first step has calibrations at its end
            for name, each in zip(names, step.counts, strict=False)
        }
        calibration, readout = None, None
        if self.mitigated:
            qubits = int(self.sampler.target.num_qubits)
            states = calibration_states(qubits)
            calibration = estimate_readout(done[0].counts[-len(states) :], states, qubits)
            # errors belong to qubits, and routing may read a neuron from another one each time
            readout = calibration.readout[self.template.order]
        spikes, found = measured_windows(bound, counts, readout, config.samples, self.seed)
        validation = [record for step in done for record in step.validation]
        best = "mitigated" if readout is not None else "raw"
        exact, estimate = found["exact"], self.estimate()
        summary: dict[str, Any] = {
            "qubits": estimate["qubits"],
            "circuits": len(validation),
            "validated": sum(1 for record in validation if record["checks"]),
            "validation": validation[0]["method"],
            "two_qubit_gates": estimate["two_qubit_gates"],
            "depth": estimate["depth"],
            "shots": config.shots,
            "noise_points": config.noise_points,
            "mitigation": "readout" if self.mitigated else "none",
            "rmse_expectation": _rms(found[best] - exact),
            "rmse_expectation_raw": _rms(found["raw"] - exact),
            "shot_error_expectation": _rms(np.sqrt(np.clip(1 - exact**2, 0, 1) / config.shots)),
        }
        details = self.device
        summary |= {k: details[k] for k in ("physical_qubits", "calibration") if k in details}
        if calibration is not None:
            summary["readout_calibration"] = [calibration.record()]
        return DeviceResult(config.backend, spikes, found, summary, validation)


def estimate_spiqgan(config: SpiQGANConfig) -> dict[str, Any]:
    """Cost of a generator's circuits; it depends on their form, not on the weights.

    Raises ``NotApplicable`` for backend exact, and the errors of :class:`DeviceRun`.
    """
    if not config.runs_circuits:
        raise NotApplicable("backend: exact runs no circuit, so there is nothing to estimate")
    return {
        "system": "spiqgan",
        "backend": config.backend,
        **DeviceRun(config).estimate(),
        "assumptions": (
            "all circuits in one job, 2 s; 250 µs between shots; circuit lengths and errors from "
            "the calibration; fidelity of one circuit, the product of gate and readout fidelities"
        ),
    }


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))
