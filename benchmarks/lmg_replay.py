"""What the loop costs beside its simulations: replay of 50 steps, everything over sampling alone.

    python benchmarks/lmg_replay.py

Everything: building and binding circuits, the check before dispatch, estimates, feedback. The goal
is a ratio of at most 3 in one run.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from qbrain.experiments.engine.dispatch import Dispatcher
from qbrain.experiments.engine.folder import RunDirectory
from qbrain.experiments.engine.run import make_experiment, record_of
from qbrain.experiments.lmg.config import LMGConfig
from qbrain.experiments.systems import SYSTEMS

CASES = (
    {"neurons": 6, "backend": "aer"},
    {"neurons": 10, "backend": "aer"},
    {"neurons": 6, "backend": "fake_fez", "steps": 10},
    {"neurons": 6, "backend": "fake_fez", "encoding": "dicke"},
)


def measure(settings: dict[str, Any]) -> tuple[float, float]:
    """Seconds of the whole loop, and of the sampler's runs within it."""
    config = LMGConfig.from_mapping({"gamma": 0.8, "steps": 50, "seed": 1, **settings})
    experiment, bench, sampler = make_experiment(SYSTEMS["lmg"], config)
    assert bench is not None
    assert sampler is not None
    run, sampling = sampler.run, 0.0

    def timed(*arguments: Any, **options: Any) -> Any:
        nonlocal sampling
        started = time.perf_counter()
        job = run(*arguments, **options)
        job.result()
        sampling += time.perf_counter() - started
        return job

    setattr(sampler, "run", timed)  # noqa: B010  (a method is not assigned to)
    with tempfile.TemporaryDirectory() as place:
        folder = RunDirectory.create(Path(place) / "run", "lmg", record_of(experiment, bench))
        started = time.perf_counter()
        Dispatcher(experiment, bench, sampler, folder).run()
        return time.perf_counter() - started, sampling


def main() -> None:
    for settings in CASES:
        total, sampling = measure(settings)
        print(
            f"{settings}: {total:.2f} s, simulations {sampling:.2f} s, ratio {total / sampling:.2f}"
        )


if __name__ == "__main__":
    main()
