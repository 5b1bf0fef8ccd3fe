"""What a run of entangled neurons takes: its rasters, the figures read off them, its circuits."""

from __future__ import annotations

from qbrain.reference.qlif import KINDS

from ..engine.needs import Need, circuit_needs
from .config import QlifConfig

__all__ = ["qlif_needs"]

# spikes of all kinds and sessions, outcomes and settings, each neuron and tick a bit
_BIT_RASTERS = 14
# one block of a raster while it is simulated or measured
_BLOCK_BYTES = 200e6
# a tick of a pair simulated, and measured; a tick whatever it holds; a pair's trains compared
_SIMULATED, _MEASURED, _TICK, _PAIR = 1.2e-8, 4e-8, 1.5e-5, 4e-4


def qlif_needs(config: QlifConfig) -> list[Need]:
    """Simulated kinds and sessions; live circuits or recorded shots."""
    n = config.group
    size = float(config.pairs) * config.ticks * n
    sessions = 3 if config.drive_step and not config.live else 1
    simulated = len(KINDS) + 2 * (sessions - 1)
    couples = n * (n - 1) / 2
    memory = _BIT_RASTERS * size / 8 + min(20 * size, _BLOCK_BYTES) + 64.0 * config.ticks
    memory += 200.0 * config.pairs * couples
    if config.settings == "linear":
        memory += 8 * size  # angles are numbers, of the first session
    if n > 2:
        simulated *= 8
    seconds = simulated * (_TICK * config.ticks + _SIMULATED * size) + len(KINDS) * couples * (
        _MEASURED * size / n * 2 + _PAIR * config.pairs
    )
    found = [Need("ticks" if config.ticks > config.pairs else "pairs", memory, seconds)]
    if not config.runs_circuits:
        return found
    if config.live:
        circuits = float(config.pairs) * config.ticks
        live = Need("ticks", 3e3 * circuits, 2e-3 * circuits, "circuits = table" if n == 2 else "")
        return [*found, live, *circuit_needs(config, n, circuits)]
    shots = sessions * size / n * config.margin
    each = config.placements * len(config.scales)
    circuits = shots / config.shots + 4**n
    found.append(
        Need(
            "shots" if config.shots * 4 > shots else "ticks",
            each * (max(shots, config.shots) * (2 * n + 8) + 20e3 * circuits),
            each * (2e-3 * circuits + 1e-7 * shots),
        )
    )
    return [*found, *circuit_needs(config, n, circuits * each, field="shots")]
