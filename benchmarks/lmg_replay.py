"""What the loop costs beside its simulations: replay of 50 steps, everything over sampling alone.

    python benchmarks/lmg_replay.py

Everything: building and binding circuits, the validation gate, estimates, feedback. The goal is a
ratio of at most 3 in one run.
"""

from __future__ import annotations

import time
from typing import Any

from qbrain.experiments.lmg.config import LMGConfig
from qbrain.experiments.lmg.protocol import Experiment

CASES = (
    {"neurons": 6, "backend": "aer"},
    {"neurons": 10, "backend": "aer"},
    {"neurons": 6, "backend": "fake_fez", "steps": 10},
    {"neurons": 6, "backend": "fake_fez", "encoding": "dicke"},
)


def measure(settings: dict[str, Any]) -> tuple[float, float]:
    """Seconds of the whole loop, and of the sampler's runs within it."""
    experiment = Experiment(
        LMGConfig.from_mapping({"gamma": 0.8, "steps": 50, "seed": 1, **settings})
    )
    run, sampling = experiment.sampler.run, 0.0

    def timed(*arguments: Any, **options: Any) -> Any:
        nonlocal sampling
        started = time.perf_counter()
        job = run(*arguments, **options)
        job.result()
        sampling += time.perf_counter() - started
        return job

    experiment.sampler.run = timed
    started = time.perf_counter()
    for _ in experiment.measure([]):
        pass
    return time.perf_counter() - started, sampling


def main() -> None:
    for settings in CASES:
        total, sampling = measure(settings)
        print(
            f"{settings}: {total:.2f} s, simulations {sampling:.2f} s, ratio {total / sampling:.2f}"
        )


if __name__ == "__main__":
    main()
