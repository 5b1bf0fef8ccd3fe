"""What a run of the brain takes: its exact trajectory, and its circuits."""

from __future__ import annotations

from qbrain.reference.lmg import initial_excitations

from ..engine.needs import Need, circuit_needs
from .circuits import qubits_needed
from .config import LMGConfig

__all__ = ["lmg_needs"]

# populations at all times: exact, measured, raw, and what writing and drawing copies of them
_COPIES = 6
# of a diagonalised chain a unit of phase, of a larger one an amplitude and neuron (E of an orbit)
_PHASE_SECONDS, _ORBIT_SECONDS, _FIELD_SECONDS = 1e-4, 2e-8, 1e-6
_DIAGONAL = 1500
# building, checking and keeping a circuit, and a gate of it
_CIRCUIT_SECONDS, _CIRCUIT_BYTES, _GATE_SECONDS, _GATE_BYTES = 0.04, 60e3, 1e-4, 600.0
# a unitary on q qubits, synthesised: seconds and bytes a 4^q
_UNITARY_SECONDS, _UNITARY_BYTES = 8e-4, 2e3
# Trotter steps of an interval and of a circuit of its own, where they are not given
_INTERVAL, _CIRCUIT = 2, 8


def lmg_needs(config: LMGConfig) -> list[Need]:
    """The exact trajectory with its populations, and what circuits take beside."""
    return [_exact(config), *(_circuits(config) if config.runs_circuits else ())]


def _exact(config: LMGConfig) -> Need:
    n, times = config.neurons, config.steps + 1
    size = 8.0 * _COPIES * times * (n + 1) + 400.0 * times
    phase = abs(config.g0) * config.time
    if config.field:
        # the state itself is integrated and kept
        phase += abs(config.field) * config.time
        seconds = _FIELD_SECONDS * phase * max(1.0, abs(config.gamma)) * n**2
        size += 16.0 * times * (n + 1)
    else:
        phase *= max(1.0, abs(config.gamma))
        if n <= _DIAGONAL:
            seconds = 2 * _PHASE_SECONDS * phase * (1 + n / 300) + 1e-9 * n**3
        else:
            seconds = 2 * _ORBIT_SECONDS * phase * n**2
    field = "steps" if times > n else "neurons"
    if seconds > 3600 and phase > 1e4:
        field = "g0" if abs(config.g0) > config.time else "time"
    return Need(field, size, seconds + 1e-4 * times)


def _circuits(config: LMGConfig) -> list[Need]:
    n = config.neurons
    points = config.steps + 1
    each = config.placements * len(config.scales)
    qubits = qubits_needed(config, initial_excitations(n, config.initial))
    if config.encoding == "dicke" and config.synthesis != "trotter":
        power = 4.0 if config.synthesis == "unitary" else 2.0
        gates = power**qubits
        keeping = Need(
            "neurons",
            _UNITARY_BYTES * gates * points + 30.0 * dicke_encoding_size(n),
            points * (_CIRCUIT_SECONDS + _UNITARY_SECONDS * gates) * each,
            "synthesis = isometry" if config.synthesis == "unitary" else "",
        )
        return [keeping, *circuit_needs(config, qubits, 3 * gates * points * each, field="neurons")]
    layer = n * (n - 1) / 2 * (1 if config.single_layer else 2)
    if config.encoding == "dicke":
        layer = 20.0 * 2**qubits
    layers = _layers(config, points)
    gates = layers * layer * each
    longest = layers if config.evolution != "replay" else 2 * layers / points
    kept = min(points, 2) if config.evolution in ("replay", "relax") else points
    steps = Need(
        "steps" if points > n else "neurons",
        _CIRCUIT_BYTES * points * each + _GATE_BYTES * (gates + kept * longest * layer),
        points * each * _CIRCUIT_SECONDS + _GATE_SECONDS * gates,
    )
    hint = "encoding = dicke" if config.encoding == "qubit" else ""
    return [steps, *circuit_needs(config, qubits, gates, field="neurons", hint=hint)]


def _layers(config: LMGConfig, points: int) -> float:
    """Layers of gates of all circuits of one placement and noise scale together."""
    if config.single_layer and config.encoding == "qubit":
        return points
    if config.fixed_depth:
        return points * (config.trotter_steps or _CIRCUIT)
    steps = config.trotter_steps or _INTERVAL
    return steps * (points if config.evolution == "incremental" else points**2 / 2)


def dicke_encoding_size(neurons: int) -> float:
    """Numbers of the evolution operator in a parity sector."""
    return float((neurons // 2 + 1) ** 2)
