"""Quantum neurons under classical feedback: exact, on simulators, on device noise, on devices.

Five published systems, one way to run each:

    import qbrain

    run = qbrain.run("lmg", neurons=6, gamma=0.8, tau_r=1, time=12, steps=16,
                     backend="fake_fez", shots=4000, seed=7)
    run.data       # xarray.Dataset: measured with bands, exact beside it, raw counts
    run.fit        # RMSE, largest error, what shots alone give, coverage of the bands
    run.plot()     # the picture; run.report("page.html") writes the page

Runs
    run, resume     start a run, go on with one after a kill
    estimate        what a run would cost, before it
    compare         finished runs beside each other and the exact result
    sweep           a run at every combination of some settings
    figures         every figure of a paper, with its claims measured
    systems         what can be run

By hand, with jobs of your own
    build           circuits of a job, compiled and checked
    execute         run them on the backend they were built for
    combine         counts in, next job or finished run out

Exact answers for the LMG brain
    LMG, Synapse, simulate

To add a system
    System, PointRecord, BaseConfig, model_field, circuit_field, device_field, analysis_field,
    Experiment, Bench, Task, Job, Protocol, Role, Reading, PureState, MixedState, Histories,
    Observable, Outcome, Fit, Verdict, follow_verdict, calibration_tasks, measured_readout

Errors
    ConfigError, NotApplicable, RunDirectoryError, DeviceError, DispatchRefused

Nothing of this has been run on a device; numbers under device noise are simulations with snapshots.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbrain.backends.check.pure import DispatchRefused
    from qbrain.classical_feedback.synapse import Synapse
    from qbrain.experiments.engine.by_hand import Pending, combine, execute
    from qbrain.experiments.engine.calibration import calibration_tasks, measured_readout
    from qbrain.experiments.engine.config import (
        BaseConfig,
        analysis_field,
        circuit_field,
        device_field,
        model_field,
    )
    from qbrain.experiments.engine.experiment import (
        Bench,
        Experiment,
        Fit,
        Histories,
        Job,
        MixedState,
        Observable,
        Outcome,
        Protocol,
        PureState,
        Reading,
        Role,
        Task,
        Verdict,
    )
    from qbrain.experiments.engine.finished import Run
    from qbrain.experiments.engine.system import PointRecord, System
    from qbrain.experiments.errors import (
        ConfigError,
        DeviceError,
        NotApplicable,
        RunDirectoryError,
    )
    from qbrain.experiments.face import (
        build,
        compare,
        estimate,
        figures,
        resume,
        run,
        sweep,
        systems,
    )
    from qbrain.experiments.report.verdict import follow_verdict
    from qbrain.reference.lmg import LMG, simulate

_ENGINE = "qbrain.experiments.engine."
_WHERE = {
    "qbrain.experiments.face": (
        "build", "compare", "estimate", "figures", "resume", "run", "sweep", "systems",
    ),
    _ENGINE + "by_hand": ("Pending", "combine", "execute"),
    _ENGINE + "calibration": ("calibration_tasks", "measured_readout"),
    _ENGINE + "config": (
        "BaseConfig", "analysis_field", "circuit_field", "device_field", "model_field",
    ),
    _ENGINE + "experiment": (
        "Bench", "Experiment", "Fit", "Histories", "Job", "MixedState", "Observable", "Outcome",
        "Protocol", "PureState", "Reading", "Role", "Task", "Verdict",
    ),
    _ENGINE + "finished": ("Run",),
    _ENGINE + "system": ("PointRecord", "System"),
    "qbrain.experiments.errors": (
        "ConfigError", "DeviceError", "NotApplicable", "RunDirectoryError",
    ),
    "qbrain.experiments.report.verdict": ("follow_verdict",),
    "qbrain.backends.check.pure": ("DispatchRefused",),
    "qbrain.classical_feedback.synapse": ("Synapse",),
    "qbrain.reference.lmg": ("LMG", "simulate"),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [
    "LMG",
    "BaseConfig",
    "Bench",
    "ConfigError",
    "DeviceError",
    "DispatchRefused",
    "Experiment",
    "Fit",
    "Histories",
    "Job",
    "MixedState",
    "NotApplicable",
    "Observable",
    "Outcome",
    "Pending",
    "PointRecord",
    "Protocol",
    "PureState",
    "Reading",
    "Role",
    "Run",
    "RunDirectoryError",
    "Synapse",
    "System",
    "Task",
    "Verdict",
    "__version__",
    "analysis_field",
    "build",
    "calibration_tasks",
    "circuit_field",
    "combine",
    "compare",
    "device_field",
    "estimate",
    "execute",
    "figures",
    "follow_verdict",
    "measured_readout",
    "model_field",
    "resume",
    "run",
    "simulate",
    "sweep",
    "systems",
]

try:
    __version__ = version("qbrain")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:
    """Import a name of the face when it is first used: Qiskit takes a second."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'qbrain' has no attribute {name!r}")
    found = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
