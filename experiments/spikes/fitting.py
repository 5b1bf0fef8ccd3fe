"""Fitting a generator of spikes to recorded windows: any of them, by the same plan.

What is kept is the state with the least error on the validation trials:

    score = exp(mean over statistics k of log(e_k + f_k))

with e_k the four errors of :func:`~qbrain.reference.spiqgan.spike_statistics.compare` and f_k those
of the training windows themselves, so that nothing is gained far below what the data lets one see.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from qbrain.circuits.arguments import CircuitError
from qbrain.circuits.spiqgan import SpikeGenerator, check_weights
from qbrain.classical_feedback.spike_training import (
    Check,
    Trained,
    TrainingPlan,
    array_digest,
    train,
)
from qbrain.reference.spiqgan.generator import DrawsWindows, SpiQGAN, sample
from qbrain.reference.spiqgan.spike_statistics import Estimate, compare

from ..errors import ConfigError
from .data import Split, split_trials
from .raster import SpikeData

__all__ = ["ERRORS", "QuantumSpikeGenerator", "fit_windows", "load_weights", "save_weights"]

ERRORS = ("rate_error", "covariance_rmse", "kl_count_bin", "kl_count_window")
CHECK_SAMPLES = 20_480
Weights = dict[str, NDArray[np.float32]]


def fit_windows(
    model: DrawsWindows,
    initial: Weights,
    split: Split,
    plan: TrainingPlan,
    *,
    checkpoint: Path | None = None,
    report: Callable[[int, Check | None], None] | None = None,
) -> Trained:
    """Train a generator on the training windows, stopped by the validation windows.

    The test windows are not looked at. Raises ``TrainingError``.
    """
    held = split.validation

    def errors_of(windows: NDArray[np.uint8]) -> dict[str, float]:
        found = compare(windows, held.spikes, held.trials, draws=1)
        return {name: float(estimate.value) for name, estimate in found.items()}

    floor = errors_of(split.training.spikes)

    def check(weights: Weights, step: int) -> tuple[float, dict[str, float]]:
        errors = errors_of(sample(model, weights, CHECK_SAMPLES, plan.seed + step))
        logs = [np.log(errors[name] + floor[name] + 1e-9) for name in ERRORS]
        return float(np.exp(np.mean(logs))), errors

    return train(
        model.draw,
        initial,
        split.training.spikes,
        plan,
        check,
        checkpoint=checkpoint,
        constrain=_constrain,
        report=report,
    )


def _constrain(weights: Any) -> Any:
    if "persistence" not in weights:
        return weights
    return {**weights, "persistence": jnp.clip(weights["persistence"], 0.01, 0.99)}


class QuantumSpikeGenerator:
    """The quantum generator with its weights: fit, sample, save, load.

    Args:
        bins: of a window.
        layers: how often the noise is uploaded.
        weights_per: `bin`, `shared` or `recurrent`.
        memory: memory qubits of a recurrent generator.
        readout: `sigmoid` or `words`.
        entangling: whether layers end in a ring of CNOTs.

    Attributes:
        generator: the circuit's description, once neurons are known.
        weights: its weights, once it is fitted or loaded.
        trained: how the training went, once it is fitted.
    """

    def __init__(
        self,
        *,
        bins: int = 8,
        layers: int = 5,
        weights_per: str = "bin",
        memory: int = 0,
        readout: str = "sigmoid",
        entangling: bool = True,
    ) -> None:
        self._settings: dict[str, Any] = {
            "bins": bins,
            "layers": layers,
            "weights_per": weights_per,
            "memory": memory,
            "readout": readout,
            "entangling": entangling,
        }
        SpikeGenerator(neurons=1, **self._settings)
        self.generator: SpikeGenerator | None = None
        self.weights: Weights | None = None
        self.trained: Trained | None = None

    def fit(
        self,
        raster: NDArray[np.uint8],
        *,
        plan: TrainingPlan | None = None,
        held_back: float = 0.15,
        test: float = 0.2,
        seed: int = 0,
        checkpoint: Path | None = None,
        report: Callable[[int, Check | None], None] | None = None,
    ) -> QuantumSpikeGenerator:
        """Train on a raster (trials, time, neurons); whole trials stop the training.

        Args:
            raster: spikes, 0 or 1.
            plan: of the training; a default one if not given.
            held_back: share of the trials that stop the training.
            test: share of the trials that are not used at all, those of `split_trials` with the
                same seed.
            seed: of the dealing of trials and of the first weights.
            checkpoint: file to go on from, and to write at every check.
            report: told of every hundred steps.

        Raises:
            ConfigError: a raster that cannot be split or has a silent neuron.
        """
        data = SpikeData(raster, 1.0, tuple(range(raster.shape[-1])), "raster")
        split = split_trials(
            data, self._settings["bins"], seed=seed, validation=held_back, test=test
        )
        self.generator = SpikeGenerator(neurons=raster.shape[-1], **self._settings)
        model = SpiQGAN(neurons=raster.shape[-1], **self._settings)
        first = model.initial(float(split.training.spikes.mean()), seed)
        self.trained = fit_windows(
            model, first, split, plan or TrainingPlan(seed=seed), checkpoint=checkpoint,
            report=report,
        )  # fmt: skip
        self.weights = self.trained.weights
        return self

    def sample(self, samples: int, seed: int) -> NDArray[np.uint8]:
        """Windows (samples, bins, neurons), 0 or 1. Raises ``ConfigError`` before a fit."""
        generator, weights = self._ready()
        return sample(SpiQGAN(neurons=generator.neurons, **self._settings), weights, samples, seed)

    def errors(self, split: Split, samples: int = 50_000, seed: int = 0) -> dict[str, Estimate]:
        """How far its windows are from the test windows."""
        return compare(self.sample(samples, seed), split.test.spikes, split.test.trials)

    def save(self, path: str | Path) -> None:
        """Write the generator and its weights (.npz)."""
        save_weights(Path(path), *self._ready())

    @classmethod
    def load(cls, path: str | Path) -> QuantumSpikeGenerator:
        """What :meth:`save` wrote. Raises ``ConfigError``."""
        generator, weights = load_weights(Path(path))
        settings = {
            name: getattr(generator, name)
            for name in ("bins", "layers", "weights_per", "memory", "readout", "entangling")
        }
        found = cls(**settings)
        found.generator, found.weights = generator, weights
        return found

    def _ready(self) -> tuple[SpikeGenerator, Weights]:
        if self.generator is None or self.weights is None:
            raise ConfigError("weights: wanted a generator that was fitted or loaded, got none")
        return self.generator, self.weights


def save_weights(path: Path, generator: SpikeGenerator, weights: Weights) -> None:
    """Write a generator's description and weights as .npz, whole or not at all."""
    form = {name: getattr(generator, name) for name in _FIELDS}
    arrays: dict[str, Any] = dict(weights)
    part = path.with_name(f".{path.name}.part")
    # what a kill has left, or a link to somewhere else: removed, not followed
    part.unlink(missing_ok=True)
    described = np.array(json.dumps({**form, "arrays": array_digest(arrays)}))
    with part.open("wb") as handle:
        np.savez(handle, generator=described, **arrays)
    part.replace(path)


_FIELDS = ("neurons", "bins", "layers", "weights_per", "memory", "readout", "entangling")


def load_weights(path: Path) -> tuple[SpikeGenerator, Weights]:
    """What :func:`save_weights` wrote. Raises ``ConfigError`` for anything else."""
    try:
        if path.exists() and not path.is_file():  # a pipe of that name would keep us waiting
            raise ValueError("it is no file")
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as held:
            form = json.loads(str(held["generator"]))
            weights = {name: held[name] for name in held.files if name != "generator"}
        # weights of earlier versions have no digest
        if "arrays" in form and form.pop("arrays") != array_digest(weights):
            raise ValueError("damaged: the digest of its arrays does not fit")
        generator = SpikeGenerator(**form)
        check_weights(generator, weights)
    except Exception as error:  # a damaged file makes the readers fail in any way
        reason = " ".join(str(error).split()) or type(error).__name__
        what = reason if isinstance(error, CircuitError) else f"not weights of spiqgan ({reason})"
        raise ConfigError(f"weights: {path}: {what}") from None
    return generator, {name: np.asarray(value, np.float32) for name, value in weights.items()}
