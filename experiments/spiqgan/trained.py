"""What a spike generator's run makes without a circuit: recording, trainings, controls."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qbrain.circuits.spiqgan import parameter_count
from qbrain.classical_feedback.spike_training import Check, Trained, TrainingError
from qbrain.reference.spiqgan.generator import DrawsWindows, sample
from qbrain.reference.spiqgan.spike_controls import fit_independent, fit_space_time
from qbrain.reference.spiqgan.spike_networks import SpikeGAN, dense_network

from ..engine.durable import faults_in_a_sentence
from ..engine.progress import progress
from ..errors import ConfigError
from ..spikes.config import MADE_HERE
from ..spikes.data import SpikeData, Split, choose_cells, split_trials
from ..spikes.data import synthetic_spikes as synthetic
from ..spikes.example import recording_path
from ..spikes.files import read_recording
from ..spikes.fitting import ERRORS, fit_windows, load_weights
from ..spikes.from_lmg import lmg_spikes
from ..spikes.reading import RecordingWarning
from .config import SpiQGANConfig
from .dataset import GENERATOR
from .source import Source

__all__ = [
    "control_source",
    "generator_source",
    "load_data",
    "loaded_weights",
    "split_data",
    "train_generator",
]

Weights = dict[str, Any]


def load_data(config: SpiQGANConfig) -> SpikeData:
    """The recording that a configuration names, with the neurons it chooses.

    Warns (``RecordingWarning``) of what was left out of a recording and of what looks wrong in it.

    Raises ``ConfigError``.
    """
    cells, neurons = config.cell_list, config.neurons if config.cells is None else None
    if config.data in MADE_HERE:
        size: dict[str, Any] = {"neurons": max(8, config.neuron_count)}
        if config.trials is not None:
            size["trials"] = config.trials
        if config.width_s is not None:
            size["bin_s"] = config.width_s
        made = synthetic(**size) if config.data == "synthetic" else lmg_spikes(**size)
        return choose_cells(made, cells, neurons)
    data = read_recording(recording_path(config.data), config.reading)
    if data.recording is not None:
        for text in (*data.recording.cuts, *data.recording.suspicions):
            warnings.warn(f"{data.source}: {text}", RecordingWarning, stacklevel=2)
    return choose_cells(data, cells, neurons)


def split_data(config: SpiQGANConfig, data: SpikeData) -> Split:
    """The recording's windows for training, validation and test.

    Raises ``ConfigError`` also where a control or the training does not fit them.
    """
    split = split_trials(
        data, config.bins, seed=config.split_seed, validation=config.validation_fraction,
        test=config.test_fraction,
    )  # fmt: skip
    if len(split.training.spikes) < config.batch:
        raise ConfigError(
            f"batch: wanted at most {len(split.training.spikes)}, the windows of the training "
            f"trials, got {config.batch}"
        )
    if "spike-gan" in config.control_names:
        SpikeGAN(config.bins, config.neuron_count)
    return split


def loaded_weights(config: SpiQGANConfig, file: Path) -> Weights:
    """The weights in a file. Raises ``ConfigError`` unless they are of this run's generator."""
    generator, weights = load_weights(file)
    if generator != config.generator:
        raise ConfigError(f"weights: wanted those of {config.generator}, got those of {generator}")
    return weights


def train_generator(config: SpiQGANConfig, split: Split, folder: Path) -> Trained:
    """The generator trained on the training windows, from its checkpoint in ``folder`` if any."""
    return _train(GENERATOR, config.model, config, split, folder)


def generator_source(config: SpiQGANConfig, weights: Weights, trained: Trained | None) -> Source:
    """The generator's windows by exact simulation; ``trained`` is None for loaded weights."""
    count = parameter_count(config.generator)
    windows = sample(config.model, weights, config.samples, _seed(config) + 1)
    seconds = 0.0 if trained is None else trained.seconds
    return Source(
        GENERATOR, "quantum generator, exact", windows, count.total, count.quantum, trained, seconds
    )


def control_source(name: str, config: SpiQGANConfig, split: Split, folder: Path) -> Source:
    """The windows of a control, fitted or trained on the training windows.

    Raises ``ConfigError`` where a training cannot go by its checkpoint in ``folder``.
    """
    training, samples, seed = split.training.spikes, config.samples, _seed(config) + 1
    if name == "independent":
        free = fit_independent(training)
        windows = free.sample(samples, config.bins, seed)
        return Source(name, "independent neurons", windows, free.parameters)
    if name == "dichotomised-gaussian":
        gaussian = fit_space_time(training)
        windows = gaussian.sample(samples, seed)
        label = "dichotomised Gaussian in space and time"
        return Source(name, label, windows, gaussian.parameters)
    model, label, count, quantum = _trained_control(name, config)
    trained = _train(name, model, config, split, folder)
    windows = sample(model, trained.weights, samples, seed)
    return Source(name, label, windows, count, quantum, trained, trained.seconds)


def _trained_control(name: str, config: SpiQGANConfig) -> tuple[Any, str, int, int]:
    """The model, its label, and how many parameters it has, all and quantum ones."""
    count = parameter_count(config.generator)
    if name == "no-entangling":
        flat = config.model_copy(update={"entangling": False})
        return flat.model, "quantum generator without entangling gates", count.total, count.quantum
    if name == "spike-gan":
        network = SpikeGAN(config.bins, config.neuron_count)
        return network, "Spike-GAN at its own size", network.parameters, 0
    small = dense_network(config.bins, config.neuron_count, config.neuron_count, count.total)
    return small, "classical network of as many parameters", small.parameters, 0


def _train(
    name: str, model: DrawsWindows, config: SpiQGANConfig, split: Split, folder: Path
) -> Trained:
    plan = config.plan(_seed(config))
    first = model.initial(float(split.training.spikes.mean()), _seed(config))
    checkpoint = folder / f"training-{name}.npz"
    with progress(plan.steps, 0, f"training {name}") as tick:
        try:
            with faults_in_a_sentence(checkpoint, "cannot be written"):
                return fit_windows(
                    model, first, split, plan, checkpoint=checkpoint, report=_ticker(tick, name)
                )
        except TrainingError as error:
            raise ConfigError(f"{name}: {error}") from None


def _ticker(tick: Callable[..., None], name: str) -> Callable[[int, Check | None], None]:
    reached, text = 0, f"training {name}"

    def report(step: int, check: Check | None) -> None:
        nonlocal reached, text
        if check is not None:
            rate, covariance, _, window = (check.errors[key] for key in ERRORS)
            text = (
                f"{name}: rates {100 * rate:.1f} %, covariance {covariance:.4f}, "
                f"window count {window:.3f}"
            )
        tick(text, step - reached)
        reached = step

    return report


def _seed(config: SpiQGANConfig) -> int:
    return config.seed or 0
