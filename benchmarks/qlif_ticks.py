"""Entangled pairs by the tick: the tabulated form against a plain Python loop over neurons.

    python benchmarks/qlif_ticks.py

The tabulated form simulates 100 pairs for 10⁵ ticks: 2·10⁷ steps of a neuron, a bit for each. The
loop does the same arithmetic neuron by neuron, for fewer ticks, and is held against it per step.
The goal is 10 s for the whole. Runs alternate and the least of each counts.
"""

from __future__ import annotations

import math
import random
import sys
import time

from qbrain.reference.qlif import KINDS, QlifPair, simulate_pairs

PAIRS, TICKS, LOOP_TICKS = 100, 100_000, 300
WANTED = 10.0


def plain_loop(pair: QlifPair, pairs: int, ticks: int, current: float) -> int:
    """Spikes of entangled pairs, simulated one neuron after the other."""
    table = pair.table().tolist()
    decay = math.exp(-pair.tick / pair.tau)
    push = (pair.rest + pair.resistance * current) * (1 - decay)
    scale = pair.noise * math.sqrt(1 - decay**2)
    held = [[0, 0] for _ in range(pairs)]
    voltage = [[pair.rest, pair.rest] for _ in range(pairs)]
    spikes = 0
    for _ in range(ticks):
        for v, wait in zip(voltage, held, strict=True):
            own = table[v[0] >= pair.level][v[1] >= pair.level]
            point, bits = random.random(), (1, 1)
            for word in ((0, 0), (0, 1), (1, 0)):
                if point < own[word[0]][word[1]]:
                    bits = word
                    break
                point -= own[word[0]][word[1]]
            for i in (0, 1):
                v[i] = v[i] * decay + push + scale * random.gauss(0.0, 1.0)
                if wait[i]:
                    v[i], wait[i] = pair.reset, wait[i] - 1
                elif v[i] >= pair.threshold - pair.coupling * bits[i]:
                    v[i], wait[i] = pair.reset, math.ceil(pair.refractory / pair.tick)
                    spikes += 1
    return spikes


def main() -> int:
    pair = QlifPair()
    random.seed(1)
    loop, whole = math.inf, math.inf
    rates = []
    for _ in range(2):
        started = time.perf_counter()
        found = plain_loop(pair, PAIRS, LOOP_TICKS, 1.2)
        loop = min(loop, time.perf_counter() - started)
        started = time.perf_counter()
        run = simulate_pairs(TICKS, PAIRS, "entangled", pair)
        whole = min(whole, time.perf_counter() - started)
        rates = [found / (2 * PAIRS * LOOP_TICKS), float(run.spikes.mean())]
    steps = 2 * PAIRS * TICKS
    per_loop, per_table = loop / (2 * PAIRS * LOOP_TICKS), whole / steps
    print(f"spikes a tick: loop {rates[0]:.4f}, tabulated {rates[1]:.4f}")
    print(f"a step: loop {1e9 * per_loop:.0f} ns, tabulated {1e9 * per_table:.0f} ns")
    print(f"ratio {per_loop / per_table:.1f}")
    print(f"{PAIRS} pairs, {TICKS} ticks: {whole:.1f} s, wanted {WANTED:g} at most")
    for kind in KINDS[1:]:
        started = time.perf_counter()
        simulate_pairs(TICKS // 10, PAIRS, kind, pair)
        print(f"{kind}: {10 * (time.perf_counter() - started):.1f} s, from a tenth of it")
    return 0 if whole < WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
