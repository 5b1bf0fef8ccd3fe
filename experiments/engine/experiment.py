"""What a system hands to the engine, and what it is handed back.

A system is a configuration, a protocol and an outcome. The protocol is a generator: it yields jobs
and is sent the readings of each, in the order of its circuits. The engine builds, checks, sends and
journals. The journal holds readings only; a run that was cut off is replayed from it into a new
generator, so that nothing else has to be restored.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from qbrain.backends.ibm_origin import strangers

from .budget import Noise
from .config import BaseConfig
from .folder import RunDirectory
from .needs import Need, circuit_needs
from .pieces import Pieces
from .readings import Heading, Reading, Role, Scalar
from .sampler import RunSampler

__all__ = [
    "Bench",
    "Branches",
    "Experiment",
    "Fit",
    "Heading",
    "Histories",
    "Job",
    "MixedState",
    "Observable",
    "Outcome",
    "Protocol",
    "PureState",
    "Reading",
    "Role",
    "Task",
    "Verdict",
]

Array = NDArray[np.float64]
K = TypeVar("K", bound=BaseConfig)
M = TypeVar("M")


@dataclass(frozen=True)
class Observable:
    """A diagonal observable whose expectation is known exactly, beside the state.

    ``values``: (2^n,), or (n+1,) of one that depends on the number of ones only; ``limit``: the
    largest error of the expectation that may be dispatched; ``name``: of the check.
    """

    values: ArrayLike
    exact: float
    limit: float
    name: str = "trotter"


@dataclass(frozen=True)
class PureState:
    """The state that a circuit must prepare, in the order of the classical bits.

    ``amplitudes``: (2^n,), or (n+1,) by the number of ones of a symmetric state. ``start``: the
    state that the circuit continues from, |0…0⟩ if None.
    """

    amplitudes: ArrayLike
    observable: Observable | None = None
    start: ArrayLike | None = None

    def probabilities(self, bits: int) -> dict[int, float]:
        """Outcome → probability; of a symmetric state one outcome stands for each number."""
        weights = np.abs(np.asarray(self.amplitudes)) ** 2
        if weights.size == 2**bits:
            return {int(x): float(weights[x]) for x in np.flatnonzero(weights > 1e-12)}
        return {2**k - 1: float(p) for k, p in enumerate(weights) if p > 1e-12}


@dataclass(frozen=True)
class MixedState:
    """The density matrix of what is read, as of :func:`qbrain.backends.check.channel`."""

    matrices: Any

    def probabilities(self, bits: int) -> dict[int, float]:
        """Outcome → probability."""
        apart = self.ones(bits)
        if apart is None:
            weights = np.diag(self._found).real
        else:
            weights = np.ones(1)
            for pair in np.stack([1 - apart, apart], axis=1):
                weights = np.concatenate([weights * chance for chance in pair])
        return {int(x): float(weights[x]) for x in np.flatnonzero(weights > 1e-12)}

    def ones(self, bits: int) -> Array | None:
        """P(1) of each bit (bits,), where the state is a product of theirs; None otherwise."""
        found = self._found
        return None if found.shape == (2**bits, 2**bits) else found[:, 1, 1].real

    @cached_property
    def _found(self) -> NDArray[np.complex128]:
        return np.asarray(self.matrices() if callable(self.matrices) else self.matrices)


@dataclass(frozen=True)
class Histories:
    """States of a circuit that reads on the way, before each reading, as earlier ones leave them.

    ``readings``: the classical bits of each reading; ``states``: histories → states; ``seed``: of
    the histories that are followed.
    """

    readings: Sequence[Sequence[int]]
    states: Callable[[NDArray[np.int64]], NDArray[np.complex128]]
    seed: int

    def probabilities(self, bits: int) -> dict[int, float]:
        """No distribution over whole histories is known: that of |0…0⟩."""
        return {0: 1.0}


@dataclass(frozen=True)
class Branches:
    """Probabilities (2^bits,) of the words that a circuit reads which branches on its readings."""

    chances: ArrayLike

    def probabilities(self, bits: int) -> dict[int, float]:
        """Outcome → probability."""
        weights = np.asarray(self.chances, dtype=np.float64)
        return {int(x): float(weights[x]) for x in np.flatnonzero(weights > 1e-12)}


Expected = PureState | MixedState | Histories | Branches


@dataclass(frozen=True)
class Task:
    """A circuit, and the independent answer to it.

    Attributes:
        circuit: as it was built.
        expected: what it must make; says which check it goes through.
        role: what it is for.
        isa: its form in the target's gates, where the system has made it; the engine compiles it
            otherwise.
        name: in messages.
        step: of the run; the number of the job if None. Seeds follow it.
        exact: the exact value of what it measures, of circuits of known answer.
        tags: further facts, handed back with the counts.
        keep: ``shots`` where every shot is wanted in its order.
        key: tasks of the same key are the same circuit, compiled and checked once.
    """

    circuit: QuantumCircuit
    expected: Expected
    role: Role = field(default_factory=Role)
    isa: QuantumCircuit | None = None
    name: str | None = None
    step: int | None = None
    exact: float | None = None
    tags: Mapping[str, Scalar] = field(default_factory=dict)
    keep: Literal["counts", "shots"] = "counts"
    key: Hashable = None


@dataclass(frozen=True)
class Job:
    """What is sent together.

    ``tasks`` is called only if neither the journal nor the folder has them. ``shots``: of each
    circuit, the configuration's if None. ``note``: a few words on what came, for the progress bar.
    """

    tasks: Callable[[], Sequence[Task]]
    shots: int | None = None
    note: Callable[[Sequence[Reading]], str] = lambda readings: "measured"


Protocol = Generator[Job, Sequence[Reading], M]


@dataclass(frozen=True)
class Bench:
    """Where circuits will run: what an experiment may know of it.

    ``targets`` and ``readouts`` (assignment errors (qubits, 2), None where reading is perfect) have
    one entry a placement; ``details`` is what the run's record says; ``noisy`` whether circuits
    meet errors; ``feed_forward``: whether they may branch on a reading.
    """

    targets: tuple[Target, ...]
    readouts: tuple[Array | None, ...]
    details: Mapping[str, Any]
    noisy: bool
    feed_forward: bool = False

    @property
    def target(self) -> Target:
        """The target of the first placement."""
        return self.targets[0]

    @property
    def readout(self) -> Array | None:
        """Assignment errors of the first placement."""
        return self.readouts[0]


@dataclass(frozen=True)
class Fit:
    """How far a run is from the exact answer: the same words in every system.

    ``observable``: what the numbers are of, with its unit; ``rmse``: over all recorded times;
    ``rmse_raw``: without mitigation; ``shot_error``: RMSE that shots alone would give;
    ``coverage``: part of the points whose 95 % band holds the exact value.
    """

    observable: str
    rmse: float | None
    max_error: float | None = None
    rmse_raw: float | None = None
    shot_error: float | None = None
    coverage: float | None = None

    def record(self) -> dict[str, Any]:
        """A JSON object."""
        return dict(vars(self))


@dataclass(frozen=True)
class Verdict:
    """What a run's figures mean: ``style`` is ``good``, ``fair`` or ``poor``."""

    style: str
    sentence: str


@dataclass(frozen=True)
class Outcome:
    """What a finished run says. Nothing of it is drawn or written before it is asked for.

    Attributes:
        title: of picture and page; it names the backend.
        data: every trajectory, raw counts, the exact result beside them.
        fit: distance from the exact answer.
        result: the JSON object of the run, without what the engine adds.
        verdict: in words.
        picture: draws the picture.
        template: of the page: the base that all share, a path in ``qbrain.experiments``, or
            ``package:path`` of another package's, which may extend the base.
        values: of the template beside those of the base; called when the page is made.
        budget: rows (source of error, RMS) that together explain ``fit.rmse``, None for an error
            that the run has not; the engine adds what is left over.
        encoding: of the dataset's variables on disk.
        large: variables of the dataset that are written piece by piece.
    """

    title: str
    data: xr.Dataset
    fit: Fit
    result: Mapping[str, Any]
    verdict: Verdict
    picture: Callable[[], Figure]
    template: str = "report/base.html.jinja"
    values: Callable[[], Mapping[str, Any]] = dict
    budget: Sequence[tuple[str, float | None]] = ()
    encoding: Mapping[str, Any] = field(default_factory=dict)
    large: Mapping[str, Pieces] = field(default_factory=dict)


class Experiment(ABC, Generic[K, M]):
    """A run's model, circuits and estimators; made before anything is written.

    Args:
        config: of the run; its seed is known.
        bench: where circuits will run, None on backend ``exact``.
    """

    #: which jobs' circuits are kept in circuits.qpy: ``all``, or the ``last`` where it holds the
    #: others
    circuits_kept: Literal["all", "last"] = "all"
    #: URLs of the services that a device's numbers came from, once there are any
    services: Sequence[str] = ()

    def __init__(self, config: K, bench: Bench | None) -> None:
        self.config = config
        self.bench = bench

    @classmethod
    @abstractmethod
    def qubits_of(cls, config: K) -> int:
        """How many qubits the largest circuit has; not asked for on backend ``exact``."""

    @classmethod
    def needs(cls, config: K) -> Sequence[Need]:
        """What a run takes of this machine, by its configuration alone; rough.

        Where a system does not say: that of simulating its largest circuit.
        """
        return circuit_needs(config, cls.qubits_of(config)) if config.runs_circuits else []

    @classmethod
    def instructions(cls, config: K) -> Mapping[str, str]:
        """What circuits need of a device that cannot be made of gates, beside readings at the end.

        Names of instructions, such as ``reset``, each with the setting that does without it, or "".
        A device that lacks one is refused before anything is built.
        """
        return {}

    @classmethod
    def open_sampler(cls, config: K, qubits: int, record: Mapping[str, Any] | None) -> RunSampler:
        """Where circuits run; ``record`` is what the run's file says of the device on resume."""
        from .run_sampler import open_run_sampler

        return open_run_sampler(config, qubits, record)

    def prepare(self, folder: RunDirectory) -> None:
        """Do what comes before the first circuit, such as training; restartable."""

    def details(self) -> Mapping[str, Any]:
        """Further tables of the run's record: data, libraries."""
        return {}

    def check_record(self, record: Mapping[str, Any]) -> None:
        """Raise ``RunDirectoryError`` if a run to be resumed was begun on other data."""

    @property
    def jobs(self) -> int:
        """How many jobs the protocol yields, at most; for the progress bar."""
        return 1

    @property
    def loops_on_device(self) -> bool:
        """Whether job follows job, each made from the readings of the one before.

        A device then opens a session for the run, where the execution mode is ``auto``.
        """
        return self.jobs > 1

    @abstractmethod
    def protocol(self) -> Protocol[M]:
        """Yield jobs, take readings, return what was measured."""

    @abstractmethod
    def outcome(self, measured: M | None) -> Outcome:
        """What was measured (None: exact only) against the exact answer; no file, no drawing."""

    @property
    def where(self) -> str:
        """Where the circuits ran, in words for a title: whether a device was used, and whose."""
        from ..report.page import backend_in_words

        return backend_in_words(self.config.backend, self.services)

    @property
    def met_noise(self) -> Noise:
        """Whose errors the circuits met."""
        if self.bench is None or not self.bench.noisy:
            return "none"
        measured = self.config.on_device and self.services and not strangers(self.services)
        return "device" if measured else "simulated"

    def costs(self) -> Mapping[str, Any]:
        """What an estimate says beside circuits and times."""
        return {}
