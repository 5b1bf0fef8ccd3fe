"""Counts of a device against its snapshot: reading, distances, fit, prediction, the command."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, qpy
from qiskit.quantum_info import Operator, SparsePauliOp
from scipy.linalg import expm

from qbrain.backends.device_noise import NoiseScale, scaled_readout
from qbrain.backends.registry import open_sampler
from qbrain.backends.snapshot import cut
from qbrain.circuits.xy_chain import COUPLING, xy_chain
from qbrain.experiments.cli import run_command
from qbrain.experiments.devices.counts import read_counts
from qbrain.experiments.devices.distances import (
    bootstrap,
    hellinger,
    interval,
    leakage,
    total_variation,
    with_readout,
    without_readout,
)
from qbrain.experiments.devices.mitigations import baseline_readout, mitigated
from qbrain.experiments.devices.noise_fit import fit_noise, split_groups
from qbrain.experiments.devices.predictions import AXES, Axis, Predictions, compiled, simulate
from qbrain.experiments.errors import ConfigError

REAL = Path(__file__).parents[2] / "../shared/data/kingston2026/counts.json"


def test_a_step_of_the_chain_is_its_exponential():
    """Two qubits: one pair, so that the Trotter step is two exact exponentials."""
    step = Operator(xy_chain(1, "01", 0.3)).data @ Operator(xy_chain(0, "01")).adjoint().data
    fields = SparsePauliOp(["IZ", "ZI"], [0.8, 1.2]).to_matrix()
    pair = SparsePauliOp(["XX", "YY"], [COUPLING, COUPLING]).to_matrix()
    assert np.allclose(step, expm(-0.3j * pair) @ expm(-0.3j * fields), atol=1e-12)
    assert pytest.approx(0.45 * math.exp(-0.3)) == COUPLING


@pytest.mark.parametrize(("steps", "initial"), [(1, ""), (1, "02"), (-1, "01")])
def test_a_chain_that_is_none_is_refused(steps, initial):
    with pytest.raises(ValueError, match="wanted"):
        xy_chain(steps, initial)


def entry(counts, steps=2, initial="01", repetition=0, **more):
    shots = sum(counts.values())
    return {
        "neurons": len(initial), "steps": steps, "initial": initial, "repetition": repetition,
        "shots": shots, "counts": counts, **more,
    }  # fmt: skip


def write(path, circuits, **more):
    path.write_text(json.dumps({"device": "ibm_kingston", "circuits": circuits, **more}))
    return path


def test_bits_and_repetitions_are_kept_apart(tmp_path):
    """Character q of the initial state is qubit q; bit strings have qubit 0 on the right."""
    file = write(
        tmp_path / "counts.json",
        [
            entry({"100": 90, "000": 10}, steps=0, initial="001"),
            entry({"100": 80, "101": 20}, steps=0, initial="001", repetition=1),
        ],
    )
    (one,) = read_counts(file).classes
    assert one.baseline
    assert one.counts.shape == (2, 8)
    assert one.ideal[0b100] == 1
    assert one.distribution[0b100] == pytest.approx(170 / 200)
    assert one.parity == 1
    assert leakage(one.distribution, 1) == pytest.approx(30 / 200)


def test_circuits_of_a_qpy_file(tmp_path):
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    with (tmp_path / "own.qpy").open("wb") as file:
        qpy.dump([circuit], file)
    path = write(
        tmp_path / "counts.json", [{"circuit": 0, "counts": {"00": 6, "11": 4}}], qpy="own.qpy"
    )
    (one,) = read_counts(path).classes
    assert one.ideal == pytest.approx([0.5, 0, 0, 0.5])
    assert (one.parity, one.steps, one.name) == (0, None, "circuit 0")


@pytest.mark.parametrize(
    ("circuits", "more", "words"),
    [
        ([], {}, "circuits: wanted at least one"),
        ([3], {}, "circuit 0: entry: wanted an object, got 3"),
        ([entry({"0": 1})], {}, "counts: wanted strings of 2 bits, got '0'"),
        ([entry({"0x": 1})], {}, "counts: wanted strings of 2 bits, got '0x'"),
        ([entry({"00": 1.5})], {}, "counts: wanted whole numbers"),
        ([entry({"00": -1})], {}, "counts: wanted whole numbers"),
        ([entry({})], {}, "counts: wanted an object"),
        ([entry({"00": 5}) | {"shots": 6}], {}, "shots: wanted the sum of the counts, 5, got 6"),
        ([entry({"00": 5}) | {"neurons": 3}], {}, "neurons: wanted the length of initial, 2"),
        ([entry({"00": 5}, steps=True)], {}, "steps: wanted a whole number"),
        ([entry({"0" * 30: 5}, initial="0" * 30)], {}, "at most 10 qubits"),
        ([{"circuit": 0, "counts": {"0": 1}}], {}, "circuit: wanted a number below 0"),
        ([entry({"00": 5})], {"device": 3}, "device: wanted a name"),
        ([entry({"00": 5})], {"t_step": "x"}, "t_step: wanted a number"),
        ([entry({"00": 5})], {"qpy": "none.qpy"}, "qpy: cannot read none.qpy"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(circuits, more, words, tmp_path):
    with pytest.raises(ConfigError) as caught:
        read_counts(write(tmp_path / "counts.json", circuits, **more))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "[", "[]", "{}", '{"circuits": 3}', "[" * 5000, "\x00"])
def test_what_is_no_file_of_counts(content, tmp_path, capsys):
    file = tmp_path / "x.json"
    file.write_text(content)
    assert run_command(["figures", "device-check", "--counts", str(file), "--out", "o"]) == 2
    assert capsys.readouterr().err.strip().count("\n") == 0


errors = st.lists(
    st.tuples(st.floats(0, 0.4), st.floats(0, 0.4)), min_size=1, max_size=4
).map(np.array)  # fmt: skip


@given(readout=errors, seed=st.integers(0, 2**31))
@settings(max_examples=50, deadline=None)
def test_readout_is_put_on_bit_by_bit_and_taken_off_again(readout, seed):
    qubits = len(readout)
    p = np.random.default_rng(seed).dirichlet(np.ones(2**qubits))
    matrix = np.eye(1)
    for a, b in readout:  # qubit 0 is the last factor
        matrix = np.kron([[1 - a, b], [a, 1 - b]], matrix)
    assert with_readout(p, readout) == pytest.approx(matrix @ p, abs=1e-12)
    assert without_readout(matrix @ p, readout) == pytest.approx(p, abs=1e-7)


@given(seed=st.integers(0, 2**31), size=st.integers(1, 4))
@settings(max_examples=50, deadline=None)
def test_what_is_no_distribution_becomes_the_nearest_one(seed, size):
    from scipy.optimize import minimize

    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(2**size))
    moved = p + rng.normal(0, 0.1, len(p))
    moved += (1 - moved.sum()) / len(p)
    found = without_readout(moved, np.zeros((size, 2)))
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1)
    nearest = minimize(
        lambda x: ((x - moved) ** 2).sum(), p, jac=lambda x: 2 * (x - moved),
        bounds=[(0, 1)] * len(p), constraints={"type": "eq", "fun": lambda x: x.sum() - 1},
        method="SLSQP", options={"ftol": 1e-14},
    )  # fmt: skip
    assert ((found - moved) ** 2).sum() <= nearest.fun + 1e-9


def test_distances_by_hand():
    p, q = np.array([0.5, 0.5, 0, 0]), np.array([0.25, 0.25, 0.5, 0])
    assert total_variation(p, q) == pytest.approx(0.5)
    assert hellinger(p, q) ** 2 == pytest.approx(1 - 2 * math.sqrt(0.125))
    assert leakage(q, 0) == pytest.approx(0.75)


def test_the_bootstrap_of_a_leakage_is_binomial():
    """30 repetitions of 1000 shots, 10 % of which leak: a standard error of sqrt(pq/30000)."""
    rng = np.random.default_rng(1)
    leaked = rng.binomial(1000, 0.1, size=30)
    counts = np.stack([1000 - leaked, leaked], axis=1).astype(float)
    for table in (counts, counts.sum(axis=0, keepdims=True)):
        drawn = bootstrap(table, lambda p: leakage(p, 0), 2000, np.random.default_rng(2))
        # repetitions are 30: their spread is known to 13 %
        assert drawn.std() == pytest.approx(math.sqrt(0.09 / 30_000), rel=0.3)
        low, high = interval(drawn)
        assert low < leaked.sum() / 30_000 < high


@pytest.mark.parametrize("name", AXES)
def test_interpolation_is_exact_for_polynomials(name):
    axis = AXES[name]
    rng = np.random.default_rng(0)
    coefficients = rng.normal(size=axis.points)
    for value in (*rng.uniform(axis.low, axis.high, 5), axis.low, axis.high):
        assert np.polyval(coefficients, axis.nodes) @ axis.weights(value) == pytest.approx(
            np.polyval(coefficients, value), rel=1e-9
        )


def test_depths_are_split_with_all_their_states():
    from types import SimpleNamespace

    classes = [
        SimpleNamespace(group=(n, d), qubits=n, name=f"{n} {d} {s}")
        for n, depths in ((4, (2, 4, 8, 10)), (6, (4,)))
        for d in depths
        for s in "ab"
    ]
    fitted, held = split_groups(classes, 3)
    assert {one.group for one in fitted}.isdisjoint(one.group for one in held)
    assert sum(one.qubits == 4 for one in held) == 4
    assert not [one for one in held if one.qubits == 6]
    assert [one.name for one in split_groups(classes, 3)[1]] == [one.name for one in held]
    assert len({tuple(one.name for one in split_groups(classes, s)[1]) for s in range(8)}) > 1


TRUTH = NoiseScale(gates=1.7, readout=0.004)


def made(path, depths, qubits=2, shots=40_000, repetitions=3, seed=0):
    """Counts drawn from the model itself at known numbers; baselines from the snapshot."""
    part = cut("fake_kingston", qubits)
    rng = np.random.default_rng(seed)
    circuits = []
    for steps in (0, *depths):
        for initial in ("0" * qubits, "1" * qubits, "0" * (qubits - 1) + "1"):
            circuit = xy_chain(steps, initial)

            class One:
                def __init__(self, circuit):
                    self.circuit, self.qubits = circuit, circuit.num_qubits

            one = One(circuit)
            (p,) = simulate([one], [compiled(one, part)], part, NoiseScale(gates=TRUTH.gates))
            readout = part.readout if steps == 0 else scaled_readout(part.readout, TRUTH)
            p = with_readout(p, readout)
            for repetition in range(repetitions):
                drawn = rng.multinomial(shots, p / p.sum())
                words = {f"{i:0{qubits}b}": int(n) for i, n in enumerate(drawn) if n}
                circuits.append(entry(words, steps, initial, repetition))
    return write(path, circuits)


@pytest.fixture(scope="module")
def check(tmp_path_factory):
    """A device that is the model itself: fitted at two depths, predicted at two others."""
    folder = tmp_path_factory.mktemp("check")
    first = made(folder / "first.json", (10, 40))
    other = made(folder / "other.json", (20, 60), seed=1)
    code = run_command(
        ["figures", "device-check", "--counts", str(first), "--predict", str(other),
         "--out", str(folder / "out")]
    )  # fmt: skip
    assert code == 0
    return folder, json.loads((folder / "out/device-check.json").read_text())


def test_known_numbers_are_found_again(check):
    _, record = check
    assert record["fitted"]["gates"]["value"] == pytest.approx(TRUTH.gates, rel=0.05)
    assert record["fitted"]["readout"]["value"] == pytest.approx(TRUTH.readout, rel=0.1)


def test_what_was_not_fitted_is_predicted(check):
    _, record = check
    held = [row for row in record["classes"] if row["used"] == "held out"]
    assert {row["steps"] for row in held} == {20, 60}
    for row in held:
        # 120,000 shots on four states: a distance of about sqrt(4/2π/120000)
        assert row["tvd_model"] < 0.01
        assert row["tvd_model"] < row["tvd_snapshot"]
        low, high = row["tvd_model_interval"]
        assert low <= row["tvd_model"] <= high
        assert row["leakage_real"] == pytest.approx(row["leakage_model"], abs=0.008)
        low, high = row["leakage_real_interval"]
        assert low <= row["leakage_real"] <= high


def test_every_number_of_the_record_again_from_the_files(check):
    """Leakage, distances and means, by other code, from the counts alone where they are enough."""
    folder, record = check
    content = [
        c for name in ("first", "other")
        for c in json.loads((folder / f"{name}.json").read_text())["circuits"]
    ]  # fmt: skip
    for row in record["classes"]:
        own = [
            c for c in content
            if (c["steps"], c["initial"]) == (row["steps"], row["initial"])
        ]  # fmt: skip
        if row["used"] == "baseline":
            own = own[: row["repetitions"]]
        total = sum(c["shots"] for c in own)
        assert total == row["shots"]
        odd = row["initial"].count("1") % 2
        leaked = sum(
            n for c in own for word, n in c["counts"].items() if word.count("1") % 2 != odd
        )
        assert row["leakage_real"] == pytest.approx(leaked / total, abs=1e-12)
        unitary = Operator(xy_chain(row["steps"], row["initial"])).data
        ideal = abs(unitary[:, 0]) ** 2
        seen = np.zeros(4)
        for c in own:
            for word, n in c["counts"].items():
                seen[int(word, 2)] += n / total
        assert row["tvd_ideal"] == pytest.approx(0.5 * abs(seen - ideal).sum(), abs=1e-9)
    for mean in record["prediction"]:
        values = [
            row["tvd_model"] for row in record["classes"]
            if (row["used"], row["neurons"]) == (mean["used"], mean["neurons"])
        ]  # fmt: skip
        assert mean["tvd_model_mean"] == pytest.approx(sum(values) / len(values))
        assert mean["tvd_model_max"] == max(values)
        assert mean["classes"] == len(values)


def test_baselines_do_not_show_the_error_and_the_verdict_says_so(check):
    folder, record = check
    (row,) = record["readout"]
    part = cut("fake_kingston", 2)
    assert row["baselines"] == pytest.approx(part.readout.mean(), abs=0.001)
    assert row["model"] == pytest.approx(
        part.readout.mean() + 2 * record["fitted"]["readout"]["value"]
    )
    measured = baseline_readout(read_counts(folder / "first.json").classes)[2]
    assert measured == pytest.approx(part.readout, abs=0.002)


def test_gains_again_by_hand(check):
    folder, record = check
    classes = [
        one
        for name in ("first", "other")
        for one in read_counts(folder / f"{name}.json").dynamic
    ]  # fmt: skip
    readout = baseline_readout(read_counts(folder / "first.json").classes)[2]
    assert [row["name"] for row in record["mitigations"]] == ["parity", "readout", "readout+parity"]
    for row in record["mitigations"]:
        raw = after = 0.0
        for one in classes:
            p = one.distribution
            raw += total_variation(p, one.ideal)
            if "readout" in row["name"]:
                matrix = np.eye(1)
                for a, b in readout:
                    matrix = np.kron([[1 - a, b], [a, 1 - b]], matrix)
                p = np.clip(np.linalg.solve(matrix, p), 0, None)
                p /= p.sum()
            if "parity" in row["name"]:
                keep = [bin(i).count("1") % 2 == one.parity for i in range(4)]
                p = np.where(keep, p, 0) / p[keep].sum()
            after += total_variation(p, one.ideal)
        # clipping and the nearest distribution differ by little
        assert row["gain"] == pytest.approx(1 - after / raw, abs=0.02)
        assert row["classes"] == len(classes)
        low, high = row["gain_interval"]
        assert low <= row["gain"] <= high


def test_files_and_page(check):
    folder, record = check
    names = {path.name for path in (folder / "out").iterdir()}
    assert {"device-check.json", "device-check.md", "device-check.png", "device-check.svg"} <= names
    page = (folder / "out/device-check.md").read_text()
    for row in record["classes"]:
        assert row["class"] in page
    assert "counts of ibm_kingston" in record["backend"]
    assert "simulated from fake_kingston" in record["backend"]


def test_mitigations_that_do_not_apply():
    p = np.array([0.7, 0.1, 0.1, 0.1])
    assert mitigated("parity", p, None, None) is None
    assert mitigated("readout", p, 0, None) is None
    assert mitigated("parity", p, 0, None) == pytest.approx([7 / 8, 0, 0, 1 / 8])


def test_a_held_out_class_of_the_same_name_is_not_fitted(tmp_path, capsys):
    """Whatever is predicted takes no part in the fit, though both files have it."""
    file = made(tmp_path / "same.json", (4,), shots=2000, repetitions=1)
    arguments = ["figures", "device-check", "--counts", str(file), "--predict", str(file)]
    assert run_command([*arguments, "--out", str(tmp_path / "o")]) == 2
    assert "wanted circuits with gates to fit and others to predict" in capsys.readouterr().err


def test_the_model_as_a_backend_is_what_was_predicted(check):
    """Shots of the sampler with the calibrated noise against the exact prediction."""
    from qbrain.backends.device_noise import CALIBRATED

    circuit = xy_chain(20, "01")

    class One:
        circuit = xy_chain(20, "01")
        qubits = 2

    part = cut("fake_kingston", 2, False, "calibrated")
    isa = compiled(One, part)
    (p,) = simulate([One], [isa], part, NoiseScale(gates=CALIBRATED.gates))
    p = with_readout(p, part.readout)
    isa = isa.copy()
    isa.measure_all()
    shots = 200_000
    sampler = open_sampler("fake_kingston", qubits=2, seed=4, noise="calibrated")
    counts = sampler.run([isa], shots=shots).result()[0].data.meas.get_int_counts()
    seen = np.array([counts.get(i, 0) for i in range(4)]) / shots
    assert circuit.num_qubits == 2
    assert np.all(abs(seen - p) < 5 * np.sqrt(p * (1 - p) / shots) + 1e-5)


@pytest.mark.slow
@pytest.mark.skipif(not REAL.exists(), reason="the counts of ibm_kingston are not here")
@pytest.mark.parametrize("seed", [0, 1])
def test_real_counts_are_predicted(seed, tmp_path):
    """Held-out depths of ibm_kingston: within 0.06 at 4 qubits and 0.09 at 6."""
    out = str(tmp_path / "o")
    arguments = ["figures", "device-check", "--counts", os.fspath(REAL), "--seed", str(seed)]
    assert run_command([*arguments, "--out", out]) == 0
    record = json.loads((tmp_path / "o/device-check.json").read_text())
    for row in record["prediction"]:
        if row["used"] == "held out":
            assert row["tvd_model_max"] < {4: 0.06, 6: 0.09}[row["neurons"]]
            assert row["tvd_model_mean"] < row["tvd_snapshot_mean"]


def test_the_axes_hold_what_is_searched():
    assert Axis(0, 1, 3).nodes == pytest.approx([0, 0.5, 1])


def test_predictions_between_the_points_are_those_of_a_simulation(check):
    folder, _ = check
    classes = read_counts(folder / "first.json").dynamic
    table = Predictions("fake_kingston", classes)
    table.prepare(lambda *_: None)
    part = table.parts[2]
    for factor in (0.5, 1.234, 2.7):
        scale = NoiseScale(gates=factor)
        found = simulate(classes, [compiled(one, part) for one in classes], part, scale)
        for one, p in zip(classes, found, strict=True):
            assert table.at(one, scale) == pytest.approx(with_readout(p, part.readout), abs=2e-4)


def test_intervals_are_those_of_fits_to_drawn_depths(check):
    folder, _ = check
    classes = read_counts(folder / "first.json").dynamic
    table = Predictions("fake_kingston", classes)
    table.prepare(lambda *_: None)
    fit = fit_noise(table, classes, ("gates", "readout"), draws=9, seed=1)
    for name in fit.free:
        values = [getattr(one, name) for one in fit.drawn]
        low, high = fit.intervals[name]
        assert low == pytest.approx(np.quantile(values, 0.025))
        assert high == pytest.approx(np.quantile(values, 0.975))
        assert min(values) < max(values)
