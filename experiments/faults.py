"""Which exit code an error of another room means; None for a defect of our own."""

from __future__ import annotations

from qbrain.backends.check.pure import DispatchRefused
from qbrain.backends.errors import BackendError, DeviceFault
from qbrain.circuits.arguments import CircuitError
from qbrain.classical_feedback.estimator import EstimateError
from qbrain.classical_feedback.synapse import FeedbackError
from qbrain.reference.hodgkin_huxley import NeuronError
from qbrain.reference.hodgkin_huxley.channel_drives import DriveError
from qbrain.reference.hodgkin_huxley.quantized_channel import ChannelError
from qbrain.reference.lmg import IntegrationError, ModelError
from qbrain.reference.open_system import OpenSystemError
from qbrain.reference.open_system.bath_stimuli import BathError
from qbrain.reference.qlif import QlifError
from qbrain.reference.qlif.bell import BellError
from qbrain.reference.spiqgan.spike_statistics import SpikeError

from .errors import EXIT_BAD_INPUT, EXIT_DEVICE, EXIT_REFUSED

__all__ = ["exit_code"]


_BAD_INPUT = (
    BathError,
    BackendError,
    BellError,
    ChannelError,
    CircuitError,
    DriveError,
    FeedbackError,
    IntegrationError,
    ModelError,
    NeuronError,
    OpenSystemError,
    QlifError,
    SpikeError,
)


def exit_code(error: Exception) -> int | None:
    """2 for bad input, 3 for a refused dispatch, 4 for a device that gave nothing usable."""
    if isinstance(error, DispatchRefused):
        return EXIT_REFUSED
    if isinstance(error, _BAD_INPUT):
        return EXIT_BAD_INPUT
    if isinstance(error, EstimateError | DeviceFault):
        return EXIT_DEVICE
    return None
