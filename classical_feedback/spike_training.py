"""Training of a spike generator against its critic: the loop, its checkpoints, when it stops.

The generator is handed in as a function that draws differentiable spikes, so a quantum circuit
and a classical network are trained alike. A step is a few of the critic's steps and one of the
generator's, by Adam; learning rates fall along a half cosine. What is kept is a running average
of the generator's weights, at the check where the caller's error on validation trials was least.

A checkpoint holds all of it: a training that was killed and goes on ends in the same numbers as
one that was not.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import ArrayLike, NDArray

from .spike_critic import Critic, count_loss, critic_loss, moment_loss

__all__ = ["Check", "Draws", "Trained", "TrainingError", "TrainingPlan", "array_digest", "train"]

Weights = dict[str, NDArray[np.float32]]
# of a checkpoint: 2 holds a digest of its arrays; 1, which has none, is read
FORMAT = 2


class TrainingError(ValueError):
    """A plan, or a checkpoint, that training cannot go by."""


class Draws(Protocol):
    """Draws windows: spikes, their probabilities, and those of pairs of a bin (or None)."""

    def __call__(
        self, weights: Mapping[str, Any], key: jax.Array, samples: int
    ) -> tuple[jax.Array, jax.Array, jax.Array | None]:
        """Windows (samples, bins, neurons) from weights and a key."""


@dataclass(frozen=True)
class TrainingPlan:
    """How to train.

    Attributes:
        steps: of the generator, at most.
        critic_steps: of the critic for each of the generator's.
        batch: windows a step of the critic.
        generator_batch: windows a step of the generator; even.
        penalty: λ of the gradient penalty.
        generator_rate: Adam's learning rate at the start.
        critic_rate: the same of the critic.
        final_rate: share of both rates that is left at the end.
        rate_weight: α of the moments' loss; 0 leaves rates to the critic.
        covariance_weight: β of the moments' loss; 0 leaves covariances to the critic.
        count_weight: κ of the counts' loss; 0 leaves counts to the critic. Generators whose spikes
            of a bin are not independent given their probabilities do without.
        critic_weight: of the critic in the generator's loss; 0 trains on moments alone.
        average: a of the running average of weights, w̄ ← a w̄ + (1−a) w.
        check_every: steps between checks on the validation windows; each writes a checkpoint.
        patience: checks without a lesser error after which to stop; 0 never stops early.
        channels: of the critic's convolutions.
        seed: of the critic's weights and all draws.
    """

    steps: int = 4000
    critic_steps: int = 5
    batch: int = 64
    generator_batch: int = 256
    penalty: float = 10.0
    generator_rate: float = 1e-2
    critic_rate: float = 1e-3
    final_rate: float = 0.01
    rate_weight: float = 300.0
    covariance_weight: float = 300.0
    count_weight: float = 30.0
    critic_weight: float = 1.0
    average: float = 0.999
    check_every: int = 500
    patience: int = 0
    channels: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises ``TrainingError`` for numbers that make no plan."""
        for name in ("steps", "batch", "generator_batch", "check_every", "channels"):
            if getattr(self, name) < 1:
                raise TrainingError(
                    f"{name}: wanted a whole number >= 1, got {getattr(self, name)}"
                )
        for name in ("critic_steps", "patience"):
            if getattr(self, name) < 0:
                raise TrainingError(
                    f"{name}: wanted a whole number >= 0, got {getattr(self, name)}"
                )
        if self.generator_batch % 2 or self.generator_batch < 4:
            raise TrainingError(
                f"generator_batch: wanted an even number >= 4, got {self.generator_batch}"
            )
        for name in ("generator_rate", "critic_rate", "penalty"):
            if not getattr(self, name) > 0:
                raise TrainingError(f"{name}: wanted a number > 0, got {getattr(self, name)}")
        weights = ("rate_weight", "covariance_weight", "count_weight", "critic_weight")
        for name in (*weights, "final_rate"):
            if not getattr(self, name) >= 0:
                raise TrainingError(f"{name}: wanted a number >= 0, got {getattr(self, name)}")
        if not 0 <= self.average < 1:
            raise TrainingError(f"average: wanted a number in [0, 1), got {self.average}")


@dataclass(frozen=True)
class Check:
    """What a check on the validation windows found.

    Attributes:
        step: after how many of the generator's steps.
        seconds: of training until then.
        distance: the critic's estimate of Wasserstein's distance, mean since the last check;
            None before the first step.
        score: the caller's error, the least of which is kept.
        errors: the caller's figures behind it.
    """

    step: int
    seconds: float
    distance: float | None
    score: float
    errors: dict[str, float]


@dataclass(frozen=True)
class Trained:
    """The weights kept, and how training went.

    Attributes:
        weights: of the check with the least error.
        step: that check's.
        history: all checks.
        seconds: of training, without what was before a kill and never saved.
        stopped_early: whether patience ended it.
    """

    weights: Weights
    step: int
    history: list[Check]
    seconds: float
    stopped_early: bool


@dataclass
class _State:
    weights: Any
    critic: Any
    generator_memory: Any
    critic_memory: Any
    averaged: Any
    best: Any
    origin: str  # hash of what training began with
    step: int = 0
    seconds: float = 0.0
    history: list[Check] = field(default_factory=list)

    def trees(self) -> tuple[Any, ...]:
        return (
            self.weights, self.critic, self.generator_memory, self.critic_memory,
            self.averaged, self.best,
        )  # fmt: skip


def train(
    draw: Draws,
    weights: Mapping[str, ArrayLike],
    windows: NDArray[np.uint8],
    plan: TrainingPlan,
    check: Callable[[Weights, int], tuple[float, dict[str, float]]],
    *,
    checkpoint: Path | None = None,
    constrain: Callable[[Mapping[str, Any]], Any] | None = None,
    report: Callable[[int, Check | None], None] | None = None,
) -> Trained:
    """Train a generator on recorded windows.

    Args:
        draw: the generator.
        weights: where it starts.
        windows: (windows, bins, neurons), 0 or 1, of the training trials.
        plan: how.
        check: from averaged weights and a step to an error (less is better) and the figures
            behind it, found on windows that training never saw.
        checkpoint: file to write at every check, and to go on from if it is there.
        constrain: puts weights back where they have a meaning, after every step.
        report: told the step and, where there was one, the check.

    Raises:
        TrainingError: a plan that does not fit, a checkpoint of another training, or weights that
            stop being finite.
    """
    recorded = jnp.asarray(windows, jnp.uint8)
    if recorded.ndim != 3 or len(recorded) < plan.batch:
        raise TrainingError(
            f"windows: wanted {plan.batch} or more, (bins, neurons) each, got shape "
            f"{recorded.shape}"
        )
    update, state = _prepare(draw, weights, recorded, plan, constrain)
    if checkpoint is not None and checkpoint.exists():
        _load(checkpoint, state, plan)
    else:
        _check(state, plan, check, None)
    began, before = time.perf_counter(), state.seconds
    distances: list[float] = []
    while state.step < plan.steps and not _stale(state, plan):
        steps = min(_chunk(plan), plan.steps - state.step)
        carried = (
            state.weights, state.critic, state.generator_memory, state.critic_memory,
            state.averaged,
        )  # fmt: skip
        numbers = jnp.arange(state.step, state.step + steps)
        carried, distance = update(carried, numbers)
        (
            state.weights, state.critic, state.generator_memory, state.critic_memory,
            state.averaged,
        ) = carried  # fmt: skip
        distances.append(float(distance.mean()))
        state.step += steps
        state.seconds = before + time.perf_counter() - began
        found = None
        if state.step % plan.check_every == 0 or state.step == plan.steps:
            found = _check(state, plan, check, float(np.mean(distances)))
            distances.clear()
            state.seconds = before + time.perf_counter() - began
            if checkpoint is not None:
                _save(checkpoint, state, plan)
        if report is not None:
            report(state.step, found)
    best = min(state.history, key=lambda found: found.score)
    return Trained(
        {name: np.asarray(value) for name, value in state.best.items()},
        best.step,
        state.history,
        state.seconds,
        state.step < plan.steps,
    )


def _prepare(
    draw: Draws,
    weights: Mapping[str, ArrayLike],
    recorded: jax.Array,
    plan: TrainingPlan,
    constrain: Callable[[Mapping[str, Any]], Any] | None,
) -> tuple[Any, _State]:
    """The compiled steps and where they start."""
    _, bins, neurons = recorded.shape
    # this kind compiles in a fraction of the default one's time
    root = jax.random.key(plan.seed, impl="rbg")
    first = Critic(bins, neurons, jax.random.fold_in(root, 0), channels=plan.channels)
    critic, form = eqx.partition(first, eqx.is_array)
    flat = np.asarray(recorded, np.float32).reshape(len(recorded), -1)
    means, spread = flat.mean(axis=0), np.cov(flat.T, bias=True)
    spread = np.atleast_2d(spread).astype(np.float32)
    whole = np.asarray(recorded, np.int64)
    in_bin = np.bincount(whole.sum(axis=2).ravel(), minlength=neurons + 1)
    in_window = np.bincount(whole.sum(axis=(1, 2)), minlength=bins * neurons + 1)
    of_bin, of_window = in_bin / in_bin.sum(), in_window / in_window.sum()

    def falling(rate: float, steps: int) -> Any:
        return optax.cosine_decay_schedule(rate, steps, plan.final_rate)

    of_generator = optax.adam(falling(plan.generator_rate, plan.steps), b1=0.0, b2=0.9)
    critic_total = plan.steps * plan.critic_steps
    of_critic = optax.adam(falling(plan.critic_rate, max(1, critic_total)), b1=0.0, b2=0.9)

    def generator_loss(weights: Any, critic: Any, key: jax.Array) -> jax.Array:
        spikes, probabilities, pairs = draw(weights, key, plan.generator_batch)
        moments = moment_loss(
            probabilities, pairs, means, spread, plan.rate_weight, plan.covariance_weight
        )
        whole = eqx.combine(critic, form)
        if plan.count_weight and pairs is None:
            moments = moments + count_loss(probabilities, of_bin, of_window, plan.count_weight)
        return moments - plan.critic_weight * jnp.mean(whole(spikes))

    def critic_step(weights: Any, held: Any, key: jax.Array) -> tuple[Any, jax.Array]:
        critic, memory = held
        of_data, of_spikes, of_mix = jax.random.split(key, 3)
        real = recorded[jax.random.randint(of_data, (plan.batch,), 0, len(recorded))]
        fake = jax.lax.stop_gradient(draw(weights, of_spikes, plan.batch)[0])

        def loss(critic: Any) -> tuple[jax.Array, jax.Array]:
            whole = eqx.combine(critic, form)
            return critic_loss(whole, real.astype(fake.dtype), fake, of_mix, plan.penalty)

        slope, distance = jax.grad(loss, has_aux=True)(critic)
        change, memory = of_critic.update(slope, memory)
        return (optax.apply_updates(critic, change), memory), distance

    def step(carried: Any, number: jax.Array) -> tuple[Any, jax.Array]:
        weights, critic, generator_memory, critic_memory, averaged = carried
        keys = jax.random.split(jax.random.fold_in(root, number + 1), plan.critic_steps + 1)
        (critic, critic_memory), distances = jax.lax.scan(
            partial(critic_step, weights), (critic, critic_memory), keys[1:]
        )
        slope = jax.grad(generator_loss)(weights, critic, keys[0])
        change, generator_memory = of_generator.update(slope, generator_memory)
        weights = optax.apply_updates(weights, change)
        if constrain is not None:
            weights = constrain(weights)
        # of the latest steps at first, so that the start is soon forgotten
        kept = jnp.minimum(plan.average, number / (number + 10.0))
        averaged = jax.tree.map(lambda a, w: kept * a + (1 - kept) * w, averaged, weights)
        last = distances[-1] if plan.critic_steps else jnp.float32(0)
        return (weights, critic, generator_memory, critic_memory, averaged), last

    start = {name: jnp.asarray(value, jnp.float32) for name, value in weights.items()}
    origin = sha256(np.asarray(recorded).tobytes())
    for name in sorted(start):
        origin.update(name.encode() + np.asarray(start[name]).tobytes())
    state = _State(
        start, critic, of_generator.init(start), of_critic.init(critic), start, start,
        origin.hexdigest(),
    )  # fmt: skip
    return jax.jit(lambda carried, numbers: jax.lax.scan(step, carried, numbers)), state


def _chunk(plan: TrainingPlan) -> int:
    """Steps between reports: a divisor of `check_every`, so that two lengths are compiled."""
    return next(n for n in range(min(100, plan.check_every), 0, -1) if plan.check_every % n == 0)


def _check(
    state: _State,
    plan: TrainingPlan,
    check: Callable[[Weights, int], tuple[float, dict[str, float]]],
    distance: float | None,
) -> Check:
    weights = {name: np.asarray(value) for name, value in state.averaged.items()}
    for name, value in weights.items():
        if not np.isfinite(value).all():
            raise TrainingError(
                f"weights[{name!r}]: wanted finite numbers, got others after step {state.step}; "
                "smaller learning rates may help"
            )
    score, errors = check(weights, state.step)
    if np.isnan(score):
        raise TrainingError(f"check: wanted an error, got {score} after step {state.step}")
    least = min((found.score for found in state.history), default=float("inf"))
    if score < least:
        state.best = state.averaged
    found = Check(state.step, state.seconds, distance, score, errors)
    state.history.append(found)
    return found


def _stale(state: _State, plan: TrainingPlan) -> bool:
    if not plan.patience or len(state.history) <= plan.patience:
        return False
    scores = [found.score for found in state.history]
    return int(np.argmin(scores)) < len(scores) - plan.patience


def _save(file: Path, state: _State, plan: TrainingPlan) -> None:
    arrays: dict[str, Any] = {
        f"leaf_{i:03d}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(state.trees()))
    }
    record = {
        "format": FORMAT,
        "plan": asdict(plan),
        "origin": state.origin,
        "step": state.step,
        "seconds": state.seconds,
        "history": [asdict(found) for found in state.history],
        "arrays": array_digest(arrays),
    }
    part = file.with_name(f".{file.name}.part")
    # what a kill has left, or a link to somewhere else: removed, not followed
    part.unlink(missing_ok=True)
    with part.open("wb") as handle:
        np.savez(handle, record=np.array(json.dumps(record)), **arrays)
        handle.flush()
        os.fsync(handle.fileno())
    part.replace(file)


def array_digest(arrays: Mapping[str, Any]) -> str:
    """SHA-256 of arrays: names, kinds, shapes and every bit."""
    found = sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        found.update(f"{name} {array.dtype.str} {array.shape} ".encode() + array.tobytes())
    return found.hexdigest()


def _load(file: Path, state: _State, plan: TrainingPlan) -> None:
    ours = jax.tree.leaves(state.trees())
    try:
        if not file.is_file():  # a pipe of that name would keep us waiting
            raise ValueError("it is no file")
        with file.open("rb") as handle, np.load(handle, allow_pickle=False) as held:
            record = dict(json.loads(str(held["record"])))
            leaves = [held[name] for name in sorted(held.files) if name != "record"]
        wanted = {"origin": state.origin, "plan": asdict(plan)}
        ourselves = (
            record["format"] in (1, FORMAT)
            and len(leaves) == len(ours)
            and all(a.shape == b.shape for a, b in zip(leaves, ours, strict=True))
            and all(record.get(name) == value for name, value in wanted.items())
        )
        if ourselves and record["format"] == FORMAT:
            arrays = {f"leaf_{i:03d}": leaf for i, leaf in enumerate(leaves)}
            if record["arrays"] != array_digest(arrays):
                raise ValueError("the digest of its arrays does not fit")
        history = [Check(**found) for found in record["history"]] if ourselves else []
        step, seconds = int(record.get("step", 0)), float(record.get("seconds", 0))
    except Exception as error:  # a damaged file makes the readers fail in any way
        reason = " ".join(str(error).split()) or type(error).__name__
        raise TrainingError(f"{file}: not an intact checkpoint ({reason})") from None
    if not ourselves:
        raise TrainingError(f"{file}: wanted a checkpoint of this training, got one of another")
    form = jax.tree.structure(state.trees())
    trees = jax.tree.unflatten(form, [jnp.asarray(leaf) for leaf in leaves])
    (
        state.weights, state.critic, state.generator_memory, state.critic_memory,
        state.averaged, state.best,
    ) = trees  # fmt: skip
    state.step, state.seconds, state.history = step, seconds, history
