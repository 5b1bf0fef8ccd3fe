"""Pairs of leaky integrate-and-fire neurons that share a qubit pair a tick, and their controls.

Membranes of time constant τ with private noise, solved exactly over a tick of length δ:

    V → V∞ + (V − V∞) e^{−δ/τ} + σ√(1 − e^{−2δ/τ}) N(0, 1),    V∞ = V_rest + R I,
    spike if V ≥ V_th − J·bit,  then V = V_reset for the refractory time.

No circuit is run: bits come from the exact table of P(bit A, bit B | settings)
(:mod:`~qbrain.reference.qlif.bell`), the settings from the neurons' own voltages before the tick.
What the pair shares is one of ``KINDS``:

    entangled: v|ψ⟩⟨ψ| + (1−v) 1/4, |ψ⟩ = cosφ|00⟩ + sinφ|11⟩, measured at the settings.
    shared bit: shared randomness and a deterministic answer of each neuron to its own setting: the
        local model with the entangled pair's marginals and the nearest correlators. With fixed
        settings it is the entangled pair, with settings that follow the voltages S stops at 2. If
        the settings are linear in V, the pair without its coherence, cos²φ|00⟩⟨00| +
        sin²φ|11⟩⟨11|: one shared bit, which each neuron's own qubit shows at its own setting.
    private bit: each neuron draws its own bit from the pair's marginal.
    coupled: no bits; a spike raises the partner's voltage by ``kick`` in the next tick.
    plain: no bits and no coupling.

All kinds take the same random numbers: the same noise, and one uniform number a pair and tick that
decides the bits (a private second bit takes a second one). So differences between kinds are paired,
and with fixed settings entangled pairs and shared bits give the same spikes, one by one.

Times are in ms, voltages in mV, resistances in MΩ, currents in nA, angles in radians. The model is
made here; the draft that proposes the pair gives none ("Entangled Quantum-Inspired Leaky
Integrate-and-Fire Neural Architecture for Enhanced Cross-Layer Communication", section 2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from .bell import BellError, checked_table, correlator, local_model, marginal, pair_table

__all__ = [
    "KINDS",
    "PairBlock",
    "QlifError",
    "QlifPair",
    "pair_blocks",
    "random_streams",
    "simulate_pairs",
]

FloatArray = NDArray[np.float64]
Flags = NDArray[np.bool_]
# uniform numbers (ticks, 2, P) → bits at every pair of settings, (ticks, 2, X·Y, P)
TableBits = Callable[[FloatArray], Flags]
# angles and uniform numbers of a tick, both (2, P) → its bits (2, P)
LinearBits = Callable[[FloatArray, FloatArray], Flags]

KINDS = ("entangled", "private bit", "shared bit", "coupled", "plain")
SHARING = KINDS[:3]
# random numbers are drawn for so many (tick, pair)s at once
BLOCK = 2**17


class QlifError(ValueError):
    """A pair of neurons that makes no sense; the message names the argument."""


@dataclass(frozen=True)
class QlifPair:
    """What a pair is.

    Attributes:
        phi: φ of the shared state, radians, in [0, π/2].
        visibility: v in [0, 1].
        angles: settings of each of the two neurons, radians. One each: fixed if ``slope`` is 0,
            else α = angle + slope (V − level). Two: the first below ``level``, the second from it
            on. A neuron may have one and its partner two.
        level: of the voltage, mV.
        slope: rad/mV.
        tau: τ, ms, > 0.
        rest: V_rest, mV; all voltages start there.
        reset: V after a spike, mV.
        threshold: V_th, mV. Rest and reset are below V_th − J.
        resistance: R, MΩ, > 0.
        noise: σ, mV, >= 0: standard deviation of V in the long run, if it never fires.
        refractory: ms, >= 0, rounded up to whole ticks.
        coupling: J, mV, >= 0.
        kick: mV, what a spike adds to the partner's voltage; of kind ``coupled`` only.
        tick: δ, ms, > 0.

    Raises:
        QlifError: anything not finite or outside what is said here.
    """

    phi: float = math.pi / 4
    visibility: float = 1.0
    angles: tuple[tuple[float, ...], tuple[float, ...]] = (
        (0.0, math.pi / 2),
        (math.pi / 4, -math.pi / 4),
    )
    level: float = -57.0
    slope: float = 0.0
    tau: float = 20.0
    rest: float = -65.0
    reset: float = -65.0
    threshold: float = -50.0
    resistance: float = 10.0
    noise: float = 2.5
    refractory: float = 2.0
    coupling: float = 3.0
    kick: float = 3.0
    tick: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what the model has no meaning for."""
        for name in self.__dataclass_fields__:
            if name != "angles":
                _finite(name, getattr(self, name))
        for name in ("tau", "resistance", "tick"):
            if getattr(self, name) <= 0:
                raise QlifError(f"{name}: wanted a number > 0, got {getattr(self, name):g}")
        for name in ("noise", "refractory", "coupling"):
            if getattr(self, name) < 0:
                raise QlifError(f"{name}: wanted a number >= 0, got {getattr(self, name):g}")
        if not 0 <= self.phi <= math.pi / 2:
            raise QlifError(f"phi: wanted an angle in [0, pi/2], got {self.phi:g}")
        if not 0 <= self.visibility <= 1:
            raise QlifError(f"visibility: wanted a number in [0, 1], got {self.visibility:g}")
        lowest = self.threshold - self.coupling
        for name in ("rest", "reset"):
            if getattr(self, name) >= lowest:
                raise QlifError(
                    f"{name}: wanted a voltage below threshold - coupling = {lowest:g}, "
                    f"got {getattr(self, name):g}"
                )
        if len(self.angles) != 2 or any(np.ndim(a) != 1 for a in self.angles):
            raise QlifError(f"angles: wanted settings of two neurons, got {self.angles!r}")
        most = 1 if self.slope else 2
        for side in self.angles:
            if not 1 <= len(side) <= most or not np.isfinite(side).all():
                wanted = "one finite setting" if self.slope else "one or two finite settings"
                raise QlifError(f"angles: wanted {wanted} for each neuron, got {side!r}")

    @property
    def sizes(self) -> tuple[int, int]:
        """Number of settings of each neuron."""
        return len(self.angles[0]), len(self.angles[1])

    def table(self) -> FloatArray:
        """P(bit A, bit B | settings): shape (X, Y, 2, 2).

        Raises ``QlifError`` if settings are linear in V, for then there is no end of them.
        """
        if self.slope:
            raise QlifError(f"slope: wanted 0 for a table of settings, got {self.slope:g}")
        return pair_table(self.phi, *self.angles, self.visibility)


def random_streams(seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    """The two streams of a run: noise and bits.

    Tick k takes the k-th ``standard_normal((2, pairs))`` of the first and the k-th
    ``random((2, pairs))`` of the second, so that another simulation of the same pairs can use the
    same numbers.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise QlifError(f"seed: wanted a whole number >= 0, got {seed!r}")
    noise, bits = np.random.SeedSequence(int(seed)).spawn(2)
    return np.random.default_rng(noise), np.random.default_rng(bits)


def simulate_pairs(
    ticks: int,
    pairs: int,
    kind: str,
    pair: QlifPair | None = None,
    *,
    current: ArrayLike = 1.2,
    seed: int = 0,
    table: ArrayLike | None = None,
    voltages: bool = False,
) -> xr.Dataset:
    """Simulate independent pairs, all from rest.

    Args:
        ticks: number of ticks, >= 1.
        pairs: number of pairs, >= 1.
        kind: one of ``KINDS``.
        pair: what a pair is; a ``QlifPair`` with its defaults unless given.
        current: I, nA: one number, one for each neuron, shape (2,), or of each tick, (ticks, 2).
        seed: of the random numbers.
        table: P of the bits given the settings, shape (X, Y, 2, 2), in place of the pair's own
            (one counted on a device, say). A shared bit takes no table that signals.
        voltages: whether to return V too.

    Returns:
        A dataset over `tick`, `pair` and `neuron` with `spikes`, `outcomes` (the bits) and
        `settings` (0 or 1), all uint8; if settings are linear in V, `angle` in radians (float32)
        in the place of `settings`. Kinds without bits have `spikes` only. `voltage` is V at the
        end of the tick in mV, after a reset. The coordinate `time` is the end of the tick in ms.

    Raises:
        QlifError: an argument outside what is said here.
    """
    pair = QlifPair() if pair is None else pair
    blocks = list(
        pair_blocks(
            ticks, pairs, kind, pair, current=current, seed=seed, table=table, voltages=voltages
        )
    )
    found: dict[str, NDArray[Any]] = {}
    for name in ("spikes", "outcomes", "settings", "angle", "voltage"):
        parts = [getattr(block, name) for block in blocks]
        if parts[0] is not None:
            found[name] = parts[0] if len(parts) == 1 else np.concatenate(parts)
    units = {"angle": "rad", "voltage": "mV"}
    return xr.Dataset(
        {
            name: (("tick", "pair", "neuron"), x, {"units": units.get(name, "")})
            for name, x in found.items()
        },
        coords={"time": ("tick", pair.tick * np.arange(1, ticks + 1), {"units": "ms"})},
        attrs={"kind": kind, "seed": int(seed), "tick_ms": pair.tick},
    )


@dataclass(frozen=True)
class PairBlock:
    """Some ticks of all pairs, arrays (tick, pair, neuron), as of :func:`simulate_pairs`.

    Attributes:
        start: the first tick.
    """

    start: int
    spikes: NDArray[np.uint8]
    outcomes: NDArray[np.uint8] | None = None
    settings: NDArray[np.uint8] | None = None
    angle: NDArray[np.float32] | None = None
    voltage: NDArray[np.float32] | None = None


def pair_blocks(
    ticks: int,
    pairs: int,
    kind: str,
    pair: QlifPair,
    *,
    current: ArrayLike = 1.2,
    seed: int = 0,
    table: ArrayLike | None = None,
    voltages: bool = False,
) -> Iterator[PairBlock]:
    """:func:`simulate_pairs`, some ticks at a time, whose memory does not grow with the ticks.

    Raises ``QlifError`` on the first block, as :func:`simulate_pairs` does.
    """
    ticks, pairs = _count("ticks", ticks), _count("pairs", pairs)
    if kind not in KINDS:
        raise QlifError(f"kind: wanted one of {', '.join(KINDS)}, got {kind!r}")
    drive = _currents(current, ticks)
    table_bits, linear_bits = _bits_of(kind, pair, table)
    draw = kind in SHARING
    noise, bits = random_streams(seed)

    decay = math.exp(-pair.tick / pair.tau)
    scale = pair.noise * math.sqrt(-math.expm1(-2 * pair.tick / pair.tau))
    # V → decay V + input, input = (1 − decay) V∞
    push = (pair.rest + pair.resistance * drive) * -math.expm1(-pair.tick / pair.tau)
    # longer than the run is as long as the run
    held_ticks = min(math.ceil(pair.refractory / pair.tick - 1e-9), ticks)
    v = np.full((2, pairs), pair.rest)
    reached, held = np.empty((2, pairs)), np.empty((2, pairs), dtype=np.bool_)
    # tick until which a neuron is held
    until = np.full((2, pairs), -1, dtype=np.int32)
    angles = np.array([[side[0]] for side in pair.angles])
    several = np.array([[n > 1] for n in pair.sizes])
    # where a tick's bits are in a row of candidates, setting after setting
    steps, column = np.array([[pair.sizes[1] * pairs], [pairs]]), np.arange(pairs)
    block = max(1, BLOCK // pairs)
    before = np.zeros((2, pairs), dtype=np.bool_)
    for start in range(0, ticks, block):
        stop = min(start + block, ticks)
        shape = (stop - start, 2, pairs)
        spikes = np.empty(shape, dtype=np.bool_)
        outcomes = np.empty(shape if draw else (0, 2, pairs), dtype=np.bool_)
        chosen = np.empty(
            shape if draw else (0, 2, pairs), dtype=np.float32 if pair.slope else bool
        )
        record = np.empty(shape if voltages else (0, 2, pairs), dtype=np.float32)
        normal = noise.standard_normal((stop - start, 2, pairs))
        normal *= scale
        normal += push[start:stop, :, None]
        uniform = bits.random((stop - start, 2, pairs) if draw else 0)
        rows = table_bits(uniform).reshape(stop - start, 2, -1) if table_bits else None
        if rows is not None and pair.sizes == (1, 1):
            outcomes[:], chosen[:] = rows, False
        for k in range(stop - start):
            fired = spikes[k]
            if linear_bits:
                np.subtract(v, pair.level, out=reached)
                reached *= pair.slope
                reached += angles
                chosen[k] = reached
                outcomes[k] = linear_bits(reached, uniform[k])
            elif rows is not None and pair.sizes != (1, 1):
                index = np.greater_equal(v, pair.level, out=chosen[k])
                index &= several
                place = index * steps
                place[0] += place[1]
                place[0] += column
                rows[k].take(place[0], axis=1, out=outcomes[k], mode="clip")
            v *= decay
            v += normal[k]
            if kind == "coupled" and start + k:
                v += pair.kick * (spikes[k - 1] if k else before)[::-1]
            np.greater_equal(until, start + k, out=held)
            np.copyto(v, pair.reset, where=held)
            if draw:
                np.multiply(outcomes[k], pair.coupling, out=reached)
                reached += v
                np.greater_equal(reached, pair.threshold, out=fired)
            else:
                np.greater_equal(v, pair.threshold, out=fired)
            np.copyto(v, pair.reset, where=fired)
            np.copyto(until, start + k + held_ticks, where=fired)
            if voltages:
                record[k] = v
        before = spikes[-1]
        yield PairBlock(
            start,
            _by_pair(spikes.view(np.uint8)),
            _by_pair(outcomes.view(np.uint8)) if draw else None,
            _by_pair(chosen.view(np.uint8)) if draw and not pair.slope else None,
            _by_pair(chosen) if draw and pair.slope else None,
            _by_pair(record) if voltages else None,
        )


def _by_pair(values: NDArray[Any]) -> NDArray[Any]:
    """(tick, neuron, pair) → (tick, pair, neuron)."""
    return values.transpose(0, 2, 1)


def _bits_of(
    kind: str, pair: QlifPair, table: ArrayLike | None
) -> tuple[TableBits | None, LinearBits | None]:
    """What draws the bits, one of two ways; neither for kinds that have none."""
    if kind not in SHARING or pair.slope:
        if table is not None:
            without = f"kind {kind}" if kind not in SHARING else "settings linear in the voltage"
            raise QlifError(f"table: wanted none for {without}")
        return None, _linear_bits(kind, pair) if kind in SHARING else None
    try:
        given = pair.table() if table is None else checked_table(table)
        if given.shape[:2] != pair.sizes:
            raise QlifError(
                f"table: wanted settings {pair.sizes} of the pair's angles, got {given.shape[:2]}"
            )
        if kind == "shared bit" and pair.sizes != (1, 1):
            return _local_bits(given), None
    except BellError as error:
        raise QlifError(str(error)) from None
    return _table_bits(given, private=kind == "private bit"), None


def _table_bits(table: FloatArray, private: bool) -> TableBits:
    """Bits of a table: the first is 1 below P(1), the second takes its part of what is left.

    The unit interval is cut into (1,1), (1,0), (0,1), (0,0) by P at the pair's settings. With one
    setting a side both neurons know the cuts beforehand, so this is a shared random number and
    nothing else.
    """
    flat = table.reshape(-1, 2, 2)
    first, both = flat[:, 1].sum(axis=1)[:, None], flat[:, 1, 1][:, None]
    last, second = first + flat[:, 0, 1][:, None], flat[:, :, 1].sum(axis=1)[:, None]

    def bits(uniform: FloatArray) -> Flags:
        shared = uniform[:, 0, None]
        found = np.empty((len(uniform), 2, len(flat), uniform.shape[2]), dtype=np.bool_)
        np.less(shared, first, out=found[:, 0])
        if private:
            np.less(uniform[:, 1, None], second, out=found[:, 1])
        else:
            found[:, 1] = (shared < both) | (~found[:, 0] & (shared < last))
        return found

    return bits


def _local_bits(table: FloatArray) -> TableBits:
    """A strategy from the shared number; then each neuron answers to its own setting alone."""
    model = local_model(table)
    edges = np.cumsum(model.weights)[:-1]
    x, y = model.first.shape[1], model.second.shape[1]
    # of each strategy at each pair of settings: the partner's setting changes nothing
    answers = np.stack([np.repeat(model.first, y, axis=1), np.tile(model.second, x)], axis=1)

    def bits(uniform: FloatArray) -> Flags:
        strategy = edges.searchsorted(uniform[:, 0], side="right")
        return np.ascontiguousarray(answers.astype(np.bool_)[strategy].transpose(0, 2, 3, 1))

    return bits


def _linear_bits(kind: str, pair: QlifPair) -> LinearBits:
    """Bits at settings that differ from pair to pair and tick to tick."""

    def bits(angles: FloatArray, uniform: FloatArray) -> Flags:
        means = marginal(pair.phi, angles, pair.visibility)
        ones = (1 - means) / 2
        first = uniform[0] < ones[0]
        if kind == "private bit":
            return np.stack([first, uniform[1] < ones[1]])
        if kind == "entangled":
            product = correlator(pair.phi, angles[0], angles[1], pair.visibility)
        else:
            product = pair.visibility * np.cos(angles[0]) * np.cos(angles[1])
        sign = np.where(first, -1.0, 1.0)
        # P(first bit as it came, second bit 1) lies above P(first bit 1) if the first is 0
        share = (1 + sign * means[0] - means[1] - sign * product) / 4
        return np.stack([first, uniform[0] < np.where(first, 0.0, ones[0]) + share])

    return bits


def _currents(current: ArrayLike, ticks: int) -> FloatArray:
    given = np.asarray(current, dtype=np.float64)
    if given.shape not in ((), (2,), (ticks, 2)):
        raise QlifError(
            f"current: wanted one number, shape (2,) or ({ticks}, 2), got shape {given.shape}"
        )
    if not np.isfinite(given).all():
        raise QlifError("current: wanted finite numbers, got nan or inf")
    return np.array(np.broadcast_to(given, (ticks, 2)))


def _count(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise QlifError(f"{name}: wanted a whole number >= 1, got {value!r}")
    return int(value)


def _finite(name: str, value: object) -> None:
    wrong = isinstance(value, bool) or not isinstance(value, int | float | np.number)
    if wrong or not math.isfinite(value):  # type: ignore[arg-type]
        raise QlifError(f"{name}: wanted a finite number, got {value!r}")
