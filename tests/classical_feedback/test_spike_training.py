"""Training: rates learnt, checkpoints that change nothing, what is kept and what is refused."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="the spike generator needs qbrain[spiqgan]")
for needed in ("equinox", "optax"):
    pytest.importorskip(needed, reason="the spike generator needs qbrain[spiqgan]")

import jax.numpy as jnp

from qbrain.classical_feedback.spike_training import TrainingError, TrainingPlan, train

BINS, NEURONS = 2, 3
RATES = np.array([[0.1, 0.5, 0.8], [0.3, 0.2, 0.6]])
PLAN = TrainingPlan(
    steps=12,
    critic_steps=1,
    batch=8,
    generator_batch=4,
    check_every=4,
    channels=2,
    seed=5,
    count_weight=0,
)


def draw(weights, key, samples):
    """Independent spikes: one logit a bin and neuron."""
    means = jnp.broadcast_to(jax.nn.sigmoid(weights["logits"]), (samples, BINS, NEURONS))
    hard = (jax.random.uniform(key, means.shape) < means).astype(means.dtype)
    return means + jax.lax.stop_gradient(hard - means), means, None


def windows(count=400, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.random((count, BINS, NEURONS)) < RATES).astype(np.uint8)


def start(value=0.0):
    return {"logits": np.full((BINS, NEURONS), value, np.float32)}


def rate_error(weights, step):
    means = 1 / (1 + np.exp(-weights["logits"]))
    error = float(np.abs(means - RATES).mean())
    return error, {"worst": float(np.abs(means - RATES).max())}


def run(plan=PLAN, check=rate_error, **options):
    return train(draw, start(), windows(), plan, check, **options)


def same(one, other):
    """Bit for bit, but for the clock."""
    assert one.weights.keys() == other.weights.keys()
    for name in one.weights:
        assert one.weights[name].tobytes() == other.weights[name].tobytes()
    assert [replace(c, seconds=0) for c in one.history] == [
        replace(c, seconds=0) for c in other.history
    ]
    assert (one.step, one.stopped_early) == (other.step, other.stopped_early)


class Stopped(Exception):
    pass


def stop_at(wanted):
    def report(step, found):
        if step == wanted:
            raise Stopped

    return report


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training that nothing disturbed, its checkpoint and what it reported."""
    file = tmp_path_factory.mktemp("whole") / "checkpoint.npz"
    reports = []
    trained = run(checkpoint=file, report=lambda step, found: reports.append((step, found)))
    return trained, file, reports


# ------------------------------------------------------------------------------ learning


@pytest.mark.parametrize("by", [pytest.param("moments", marks=pytest.mark.slow), "critic"])
def test_known_rates_are_learnt(by):
    share = {"moments": (300.0, 300.0, 30.0, 0.0), "critic": (0.0, 0.0, 0.0, 1.0)}[by]
    plan = TrainingPlan(
        steps=300, batch=64, generator_batch=64, check_every=300, channels=4,
        critic_steps=5 if by == "critic" else 0, critic_rate=5e-3,
        generator_rate=0.05, average=0.95,
        rate_weight=share[0], covariance_weight=share[1], count_weight=share[2],
        critic_weight=share[3],
    )  # fmt: skip
    data = windows(4000)
    trained = train(draw, start(), data, plan, rate_error)
    first, last = trained.history
    assert (first.step, last.step, trained.step) == (0, 300, 300)
    found = 1 / (1 + np.exp(-trained.weights["logits"]))
    # moments have the data's rates as their least, whatever is drawn; the critic sees samples
    within = 0.005 if by == "moments" else 0.08
    np.testing.assert_allclose(found, data.mean(axis=0), rtol=0, atol=within)
    assert last.score < first.score / 4


def test_constraint_and_average_are_applied_after_every_step():
    seen = []

    def constrain(weights):
        # the count has no slope, so that Adam leaves it as it is
        return {"logits": jnp.minimum(weights["logits"], -1), "count": weights["count"] + 1}

    def check(weights, step):
        seen.append({name: value.copy() for name, value in weights.items()})
        return float(-step), {}

    plan = replace(PLAN, steps=12, check_every=1, average=0.4, critic_steps=0)
    first = start() | {"count": np.zeros(1, np.float32)}
    trained = train(draw, first, windows(), plan, check, constrain=constrain)
    average = 0.0
    for step in range(12):
        kept = min(0.4, step / (step + 10))
        average = kept * average + (1 - kept) * (step + 1)
        assert seen[step + 1]["count"] == pytest.approx(average, rel=1e-5)
    assert (seen[0]["logits"] == 0).all()
    assert (seen[1]["logits"] <= -1).all()
    np.testing.assert_array_equal(trained.weights["count"], seen[12]["count"])
    assert trained.step == 12


# --------------------------------------------------------------------------- checkpoints


def test_checks_and_reports_come_when_they_should(whole):
    trained, _, reports = whole
    assert [found.step for found in trained.history] == [0, 4, 8, 12]
    assert [step for step, _ in reports] == [4, 8, 12]
    assert [found for _, found in reports] == trained.history[1:]
    assert trained.history[0].distance is None
    assert all(math.isfinite(found.distance) for found in trained.history[1:])
    assert trained.seconds >= trained.history[-1].seconds > 0
    assert not trained.stopped_early
    for found in trained.history:
        assert found.errors["worst"] >= found.score


@pytest.mark.slow
def test_a_training_stopped_at_checks_ends_in_the_same_numbers(whole, tmp_path):
    file = tmp_path / "checkpoint.npz"
    for step in (4, 12):  # at the second a child is killed below
        with pytest.raises(Stopped):
            run(checkpoint=file, report=stop_at(step))
    seen = []
    resumed = run(checkpoint=file, report=lambda step, found: seen.append(step))
    same(resumed, whole[0])
    assert not seen  # all of it had been done
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]


@pytest.mark.slow
def test_a_training_that_was_killed_ends_in_the_same_numbers(whole, tmp_path):
    file = tmp_path / "checkpoint.npz"
    child = subprocess.Popen([sys.executable, __file__, str(file)], stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"8\n"
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait(10) == -signal.SIGKILL
    finally:
        child.kill()
        child.stdout.close()
        child.wait()
    steps = []
    same(run(checkpoint=file, report=lambda step, found: steps.append(step)), whole[0])
    assert steps == [12]


def refused(file, match, plan=PLAN, data=None, first=None):
    with pytest.raises(TrainingError, match=match) as caught:
        train(
            draw, first or start(), windows() if data is None else data, plan,
            rate_error, checkpoint=file,
        )  # fmt: skip
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_checkpoints_of_other_trainings_are_refused(whole):
    file, other = whole[1], "wanted a checkpoint of this training, got one of another"
    before = file.read_bytes()
    refused(file, other, plan=replace(PLAN, seed=6))
    refused(file, other, plan=replace(PLAN, steps=16))
    refused(file, other, plan=replace(PLAN, channels=3))
    refused(file, other, data=windows(seed=1))
    refused(file, other, first=start(0.1))
    assert file.read_bytes() == before


def test_damaged_checkpoints_are_refused(whole, tmp_path):
    intact = whole[1].read_bytes()
    file = tmp_path / "checkpoint.npz"
    middle = len(intact) // 2
    flipped = bytearray(intact)
    flipped[intact.index('"plan"'.encode("utf-32-le"))] ^= 1
    for damaged in (b"", b"nothing", intact[:100], intact[:middle], intact[:-1], bytes(flipped)):
        file.write_bytes(damaged)
        refused(file, "not an intact checkpoint")
        assert file.read_bytes() == damaged
    np.savez(file, weights=np.zeros(3))
    refused(file, "not an intact checkpoint")
    np.savez(file, record=np.array("{"))
    refused(file, "not an intact checkpoint")
    np.savez(file, record=np.array(json.dumps({"format": 1})))
    refused(file, "wanted a checkpoint of this training")


# ---------------------------------------------------------------------- what is kept, when it ends


def scripted(scores, seen):
    def check(weights, step):
        seen[step] = {name: value.copy() for name, value in weights.items()}
        return scores[step], {}

    return check


def test_the_weights_of_the_least_error_are_kept(tmp_path):
    plan = replace(PLAN, critic_steps=0, steps=14)  # the last steps are fewer
    seen = {}
    check = scripted({0: 5.0, 4: 3.0, 8: 1.0, 12: 4.0, 14: 1.0}, seen)
    trained = run(plan, check)
    assert trained.step == 8
    np.testing.assert_array_equal(trained.weights["logits"], seen[8]["logits"])
    assert (seen[8]["logits"] != seen[14]["logits"]).any()


def test_patience_ends_a_training_that_gets_no_better(tmp_path):
    plan = replace(PLAN, critic_steps=0, steps=40, patience=2)
    file, seen = tmp_path / "checkpoint.npz", {}
    check = scripted({0: 5.0, 4: 6.0, 8: 4.0, 12: 4.0, 16: 7.0, 20: 0.0}, seen)
    trained = run(plan, check, checkpoint=file)
    assert trained.stopped_early
    assert [found.step for found in trained.history] == [0, 4, 8, 12, 16]
    assert trained.step == 8
    np.testing.assert_array_equal(trained.weights["logits"], seen[8]["logits"])
    same(run(plan, check, checkpoint=file), trained)  # going on is over at once
    assert 20 not in seen


def test_weights_that_are_no_numbers_end_a_training(tmp_path):
    file = tmp_path / "checkpoint.npz"
    wanted = r"weights\['logits'\]: wanted finite numbers, got others after step "
    with pytest.raises(TrainingError, match=wanted + "0"):
        train(draw, start(math.nan), windows(), PLAN, rate_error, checkpoint=file)
    with pytest.raises(TrainingError, match=wanted + "4"):
        run(
            replace(PLAN, critic_steps=0), checkpoint=file,
            constrain=lambda weights: {"logits": weights["logits"] * jnp.nan},
        )  # fmt: skip
    assert not file.exists()


def test_an_error_that_is_no_number_ends_a_training():
    with pytest.raises(TrainingError, match="check: wanted an error, got nan after step 0"):
        run(check=lambda weights, step: (math.nan, {}))


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("steps", 0, "a whole number >= 1"),
        ("batch", 0, "a whole number >= 1"),
        ("check_every", -1, "a whole number >= 1"),
        ("channels", 0, "a whole number >= 1"),
        ("critic_steps", -1, "a whole number >= 0"),
        ("patience", -1, "a whole number >= 0"),
        ("generator_batch", 7, "an even number >= 4"),
        ("generator_batch", 2, "an even number >= 4"),
        ("generator_rate", 0.0, "a number > 0"),
        ("critic_rate", math.nan, "a number > 0"),
        ("penalty", -1.0, "a number > 0"),
        ("rate_weight", -1.0, "a number >= 0"),
        ("covariance_weight", math.nan, "a number >= 0"),
        ("critic_weight", -0.1, "a number >= 0"),
        ("count_weight", -1.0, "a number >= 0"),
        ("final_rate", -0.1, "a number >= 0"),
        ("average", 1.0, r"a number in \[0, 1\)"),
        ("average", -0.1, r"a number in \[0, 1\)"),
    ],
)
def test_bad_plans_are_refused(name, value, wanted):
    with pytest.raises(TrainingError, match=f"^{name}: wanted {wanted}, got {value}$"):
        TrainingPlan(**{name: value})


@pytest.mark.parametrize("data", [windows(7), windows()[0]], ids=["few", "flat"])
def test_windows_must_fill_a_batch(data):
    with pytest.raises(TrainingError, match=r"windows: wanted 8 or more, \(bins, neurons\) each"):
        train(draw, start(), data, PLAN, rate_error)


if __name__ == "__main__":  # the training that is killed, at its second check

    def wait(step, found):
        if step == 8:
            print(step, flush=True)
            time.sleep(600)

    run(checkpoint=Path(sys.argv[1]), report=wait)
