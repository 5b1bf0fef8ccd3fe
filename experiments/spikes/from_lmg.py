"""Spikes of the LMG quantum brain: every bin of every trial a measurement of all its neurons.

The state at time t is a superposition of the Dicke states |k⟩, k active neurons of N, so that a
measurement in the computational basis finds k of them active with P_k(t) = |⟨k|ψ(t)⟩|², and any k
of the N alike (Born's rule; Torres and Romera, arXiv:2602.16003, Eqs. 2 to 6, for ψ(t)). Then

    p(t) = ½ + ⟨J_z⟩/N = E(t),
    Cov[x_i, x_j](t) = (⟨J_z²⟩ − N/4) / (N(N−1)) − ⟨J_z⟩²/N²      for all i ≠ j

A bin is a step of the trajectory, and each is a fresh preparation of the state that belongs to its
time, as the hybrid loop measures it. No trial has a memory of its own: what bins have in common
beyond chance comes from E(t), which is the same in all trials.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from qbrain.circuits.dicke_encoding import decode
from qbrain.classical_feedback.synapse import FeedbackError, Synapse
from qbrain.reference.lmg import LMG, ModelError, initial_excitations, simulate

from ..engine.folder import RunDirectory
from ..errors import ConfigError, RunDirectoryError
from ..lmg.config import LMGConfig
from .raster import Raster, SpikeData
from .summary import made_here

__all__ = ["draw_words", "lmg_spikes", "run_spikes"]

IntArray = NDArray[np.int64]


def lmg_spikes(
    *,
    neurons: int = 8,
    trials: int = 120,
    bins: int = 200,
    step: float = 0.5,
    gamma: float = 0.8,
    g0: float = 1.0,
    field: float = 0.0,
    tau_r: float = 1.0,
    tau_f: float = 0.0,
    release: float = 0.5,
    initial: str | int = "silent",
    bin_s: float | None = None,
    seed: int = 0,
) -> SpikeData:
    """Spikes drawn from the exact trajectory, without a circuit.

    Args:
        neurons: N, all-to-all coupled.
        trials: number of trials, independent of each other.
        bins: bins a trial; bin b is measured at time b·`step`.
        step: time from one bin to the next, in inverse couplings.
        gamma: anisotropy γ of the coupling.
        g0: maximum coupling.
        field: external field h along J_z.
        tau_r: recovery time τ_r of depression, in inverse couplings (0: r ≡ 1).
        tau_f: facilitation time τ_f, in inverse couplings (0: U ≡ `release`).
        release: release probability 𝒰 at rest.
        initial: silent, half, saturated, or a number of active neurons.
        bin_s: seconds that a bin stands for; `step` itself unless given.
        seed: of the measurements.

    Raises:
        ConfigError: numbers that make no sense; one line.
    """
    for name, value in (("trials", trials), ("bins", bins)):
        if value < 1:
            raise ConfigError(f"{name}: wanted a whole number >= 1, got {value}")
    for name, width in (("step", step), ("bin_s", bin_s)):
        if width is not None and not 0 < width < np.inf:
            raise ConfigError(f"{name}: wanted a number > 0, got {width}")
    try:
        exact = simulate(
            LMG(neurons, gamma, g0, field),
            Synapse(tau_r, tau_f, release),
            initial,
            step * np.arange(bins),
            populations=True,
        )
    except (ModelError, FeedbackError) as error:
        raise ConfigError(str(error)) from None
    raster = draw_words(exact.populations.values, trials, np.random.default_rng(seed))
    source = f"LMG quantum brain, N = {neurons}, γ = {gamma:g}, seed {seed}"
    made = SpikeData(raster, bin_s or step, tuple(range(neurons)), source)
    return made_here(made, "words of an LMG brain, drawn from its exact state")


def run_spikes(folder: str | Path, *, bin_s: float | None = None) -> SpikeData:
    """The shots of a finished `qbrain run lmg` as trials, its steps as bins.

    Taken are the counts of each step's own circuit as they came, before any mitigation; of several
    places of a device the first, of several rounds the last. Counts do not say which shot came
    first, and the shots of one step have nothing to do with those of the next, so each step's are
    dealt to the trials at random, by the run's seed. Where the record holds less than words, they
    are drawn with that seed:

    - encoding dicke: the number k of active neurons is measured, which k of the N is drawn, all
      alike. Shots that fell outside the encoding are left out, and every step is cut to as many
      as the one with fewest.
    - evolution orbit: measured at phases instead of times, so k is drawn from the raw populations
      that the run has interpolated at its times.
    - backend exact: k is drawn from the exact populations, as often as the run's `shots` says.

    Args:
        folder: the run's.
        bin_s: seconds that a step stands for; its length in inverse couplings unless given.

    Raises:
        ConfigError: a width that is none.
        RunDirectoryError: no finished LMG run there, or its record is damaged.
    """
    path = Path(folder)
    if bin_s is not None and not 0 < bin_s < np.inf:
        raise ConfigError(f"bin_s: wanted a number > 0, got {bin_s}")
    run = RunDirectory.open(path)
    record = run.record()
    if record["run"]["system"] != "lmg":
        raise RunDirectoryError(f"{path}: wanted a run of lmg, got {record['run']['system']}")
    if run.result() is None:
        raise RunDirectoryError(
            f"{path}: the run is not finished; go on with: qbrain resume {path}"
        )
    config = LMGConfig.from_record(record["config"])
    rng = np.random.default_rng(config.seed)
    if config.backend == "exact" or config.evolution == "orbit":
        name = "exact_populations" if config.backend == "exact" else "raw_populations"
        raster = draw_words(_populations(run.finished_file("result.nc"), name), config.shots, rng)
    else:
        raster = _measured_words(run, config, rng)
    width = config.time / config.steps if bin_s is None else bin_s
    made = SpikeData(raster, width, tuple(range(config.neurons)), f"LMG run {path.name}")
    return made_here(made, "words of an LMG run")


def draw_words(populations: ArrayLike, trials: int, rng: np.random.Generator) -> Raster:
    """Words by Born's rule from the populations of Dicke states: k of them active, any k alike.

    Args:
        populations: P_k of each bin, (bins, N+1); what is negative counts as none, and each row
            is scaled to sum to 1.
        trials: number of words a bin.
        rng: what they are drawn with.

    Returns:
        Shape (trials, bins, N).
    """
    p = np.clip(np.asarray(populations, np.float64), 0, None)
    below = np.cumsum(p, axis=1)
    chance = rng.random((trials, len(p)))
    active = np.empty((trials, len(p)), dtype=np.int64)
    for b, row in enumerate(below):
        # the first k with P_0 + … + P_k above the number: never one of probability 0
        active[:, b] = np.searchsorted(row, chance[:, b] * row[-1], side="right")
    return _any_alike(active, p.shape[1] - 1, rng)


def _any_alike(active: IntArray, neurons: int, rng: np.random.Generator) -> Raster:
    """Of all `neurons`, so many active as said, each choice of them as likely as any other."""
    first = (np.arange(neurons) < active[..., None]).astype(np.uint8)
    return np.asarray(rng.permuted(first, axis=-1))


def _populations(file: Path, name: str) -> NDArray[np.float64]:
    try:
        with xr.open_dataset(file, engine="h5netcdf") as data:
            return np.asarray(data[name].values, np.float64)
    except Exception as error:  # whatever the reader stumbles over, the file is not ours
        raise RunDirectoryError(f"{file}: not an intact result: {error}") from None


def _measured_words(run: RunDirectory, config: LMGConfig, rng: np.random.Generator) -> Raster:
    points = [counts for step in run.steps() for counts in _point_counts(step)]
    times = config.steps + 1
    if len(points) < times:
        raise RunDirectoryError(
            f"{run.path}: wanted {times} steps in steps.jsonl, got {len(points)}"
        )
    levels = None
    if config.encoding == "dicke":
        levels = decode(config.neurons, initial_excitations(config.neurons, config.initial))
    found = []
    for number, counts in enumerate(points[-times:]):
        try:
            if levels is None:
                words = _words(counts, config.neurons)
            else:
                words = _encoded_words(counts, levels, config.neurons, rng)
        except (IndexError, ValueError) as error:
            raise RunDirectoryError(
                f"steps.jsonl: time {number} is not a record of this run: {error}"
            ) from None
        found.append(rng.permutation(words))
    fewest = min(map(len, found))
    if not fewest:
        raise RunDirectoryError(f"{run.path}: wanted shots inside the encoding, got a step of none")
    return np.stack([words[:fewest] for words in found], axis=1)


def _point_counts(step: Mapping[str, Any]) -> list[dict[int, int]]:
    """Counts of the points' own circuits in a line of the journal, which holds one or all times.

    Only what journals of every version have is looked at.
    """
    try:
        return [
            {int(x): int(c) for x, c in reading["counts"].items()}
            for reading in step["readings"]
            if reading["role"][:3] == ["point", 0, 1.0]
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunDirectoryError(
            f"steps.jsonl: step {step['step']} is not a record of this run: {error}"
        ) from None


def _words(counts: Mapping[int, int], neurons: int) -> Raster:
    """(shots, neurons): bit i of an outcome is neuron i."""
    bits = [[x >> i & 1 for i in range(neurons)] for x in counts]
    return np.repeat(np.array(bits, dtype=np.uint8), list(counts.values()), axis=0)


def _encoded_words(
    counts: Mapping[int, int], levels: IntArray, neurons: int, rng: np.random.Generator
) -> Raster:
    active = np.repeat(levels[list(counts)], list(counts.values()))
    return _any_alike(active[active >= 0], neurons, rng)
