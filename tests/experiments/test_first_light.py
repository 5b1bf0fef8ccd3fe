"""A check of a backend: every number again by another way, and faults that it must name."""

import itertools
import json
import math

import numpy as np
import pytest
import scipy.linalg
import xarray as xr
from command_line import qbrain
from qiskit import QuantumCircuit
from scipy.stats import binom, fisher_exact

from qbrain.backends.aer import AerSampler
from qbrain.backends.compile import expected_fidelity, to_isa, two_qubit_gates
from qbrain.backends.ideal import ideal_target
from qbrain.backends.registry import open_sampler
from qbrain.backends.snapshot import cut
from qbrain.experiments.engine.run import bench_of, start
from qbrain.experiments.first_light import advice, history
from qbrain.experiments.first_light.config import CheckConfig
from qbrain.experiments.first_light.expectation import (
    Expectation,
    calibrated_cut,
    chances_of,
    expectations,
    read_through,
    scaled_cut,
)
from qbrain.experiments.first_light.judging import FALSE_ALARM, bound_of, judge, order_fault
from qbrain.experiments.first_light.numbers import DeviceNumbers
from qbrain.experiments.first_light.probes import GAMMA, ORDERS, PHASES, Probe, probes
from qbrain.experiments.first_light.system import CHECK
from qbrain.experiments.lmg.config import LMGConfig
from qbrain.experiments.lmg.trotter import residual_of
from qbrain.experiments.systems import SYSTEMS

SHOTS = 2000
PERMUTATIONS = list(itertools.permutations(range(4)))


@pytest.fixture(scope="module")
def ideal_probes():
    return probes(ideal_target(4), feed_forward=True)


@pytest.fixture(scope="module")
def boston():
    """Bench, probes, circuits in the device's gates, what is expected of them."""
    bench = bench_of(open_sampler("fake_boston", qubits=4, seed=1))
    made = probes(bench.target, bench.feed_forward)
    circuits = [one.task.isa or to_isa(one.task.circuit, bench.target) for one in made]
    part = calibrated_cut(CheckConfig(backend="fake_boston"), bench)
    return bench, made, circuits, expectations(made, circuits, part, 0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = CheckConfig(backend="fake_boston", seed=5, most_neurons=4)
    return start(CHECK, config, tmp_path_factory.mktemp("check") / "run")


def drawn(distributions, shots=SHOTS, seed=1):
    generator = np.random.default_rng(seed)
    found = []
    for chances in distributions:
        counts = generator.multinomial(shots, chances / chances.sum())
        found.append({int(x): int(n) for x, n in enumerate(counts) if n})
    return found


def verdicts(made, counts, expected):
    return {one.name: one.verdict for one in judge(made, counts, expected, [0] * len(made))}


# ---- the circuits


def dense_hamiltonian(neurons, gamma):
    """−(1/N)[(1+γ)J_x² + (1−γ)J_y²], written out on 2^N states."""
    x, y = np.array([[0, 1], [1, 0]]) / 2, np.array([[0, -1j], [1j, 0]]) / 2

    def collective(one):
        parts = [
            np.kron(np.kron(np.eye(2**j), one), np.eye(2 ** (neurons - 1 - j)))
            for j in range(neurons)
        ]
        return sum(parts)

    jx, jy = collective(x), collective(y)
    return -((1 + gamma) * jx @ jx + (1 - gamma) * jy @ jy) / neurons


def dense_energy(neurons):
    state = scipy.linalg.expm(-1j * PHASES[neurons] * dense_hamiltonian(neurons, GAMMA))[:, 0]
    chances = np.abs(state) ** 2
    return chances, float(chances @ np.bitwise_count(np.arange(2**neurons))) / neurons


def test_at_most_twelve_circuits_of_known_answer(ideal_probes):
    assert len(ideal_probes) <= 12
    assert {one.kind for one in ideal_probes} == {"readout", "order", "gates", "idle", "dynamic"}
    for one in ideal_probes:
        assert one.ideal.sum() == pytest.approx(1)
        assert all(other.sum() == pytest.approx(1) for other in one.others.values())


def test_steps_of_the_brain_against_matrices_written_out(ideal_probes):
    made = {one.name: one for one in ideal_probes}
    chances, energy = dense_energy(2)
    np.testing.assert_allclose(made["LMG, N = 2"].ideal, chances, atol=1e-12)
    chances, energy = dense_energy(4)
    sector = made["sector, N = 4"]
    assert float(sector.ideal @ sector.values) == pytest.approx(energy, abs=1e-12)
    step = made["LMG, N = 4"]
    assert float(step.ideal @ step.values) == pytest.approx(energy, abs=0.02)
    assert 0.1 < energy < 0.4


def test_parity_circuit_against_a_matrix_written_out(ideal_probes):
    (one,) = [each for each in ideal_probes if each.name == "parity"]
    hadamard = np.array([[1, 1], [1, -1]]) / math.sqrt(2)
    four = np.kron(np.kron(hadamard, hadamard), np.kron(hadamard, hadamard))
    cat = np.zeros(16)
    cat[[0, 15]] = 1 / math.sqrt(2)
    np.testing.assert_allclose(one.ideal, (four @ cat) ** 2, atol=1e-12)


def test_what_else_could_be_read_is_far_from_what_should_be(ideal_probes):
    for one in ideal_probes:
        for name, other in one.others.items():
            assert np.abs(other - one.ideal).sum() / 2 > 0.1, (one.name, name)


# ---- orders


def test_every_order_but_the_right_one_is_seen():
    right = [one.word() for one in ORDERS]
    assert order_fault(right) is None
    ambiguous = 0
    for kind, name in (("bits", "bit order"), ("qubits", "qubit order")):
        for order in PERMUTATIONS[1:]:
            fault = order_fault([one.word(**{kind: order}) for one in ORDERS])
            assert name in fault
            ambiguous += " or " in fault
    assert ambiguous == 2


def order_counts(change):
    """Counts of the order circuits, each rewritten by ``change``, on an ideal simulator."""
    made = [one for one in probes(ideal_target(4)) if one.kind == "order"]
    results = AerSampler(4, seed=1).run([change(one.task.circuit) for one in made], shots=20)
    words = []
    for pub in results.result():
        bits = pub.data["bits"].to_bool_array(order="little").astype(int)
        words.append(int(np.unique(bits @ (1 << np.arange(4))).item()))
    return words


def rewritten(order, what):
    """The circuit with the bits of its readings, or the qubits of its gates, in another order."""

    def change(circuit):
        found = QuantumCircuit(*circuit.qregs, *circuit.cregs)
        for step in circuit.data:
            if what == "qubits" and step.name != "measure":
                places = [order[circuit.find_bit(q).index] for q in step.qubits]
                found.append(step.operation, places)
            elif what == "bits" and step.name == "measure":
                bit = order[circuit.find_bit(step.clbits[0]).index]
                found.measure(circuit.find_bit(step.qubits[0]).index, bit)
            else:
                found.append(step)
        return found

    return change


@pytest.mark.parametrize(
    ("what", "order", "fault"),
    [
        ("bits", (1, 0, 2, 3), "bit order (bits 0 and 1 are exchanged)"),
        ("bits", (3, 2, 1, 0), "bit order (bits are reversed)"),
        ("qubits", (1, 0, 2, 3), "qubit order (qubits 0 and 1 are exchanged)"),
        ("qubits", (3, 2, 1, 0), "qubit order (qubits are reversed)"),
    ],
)
def test_orders_by_circuits_that_were_rewritten(what, order, fault):
    assert order_fault(order_counts(rewritten(order, what))) == fault


# ---- expectations


def test_readout_errors_against_all_flips_one_by_one():
    generator = np.random.default_rng(2)
    chances = generator.dirichlet(np.ones(8))
    readout = generator.uniform(0, 0.2, (3, 2))
    wanted = np.zeros(8)
    for true, seen in itertools.product(range(8), repeat=2):
        chance = chances[true]
        for bit in range(3):
            before, after = true >> bit & 1, seen >> bit & 1
            wrong = readout[bit, before]
            chance *= wrong if before != after else 1 - wrong
        wanted[seen] += chance
    np.testing.assert_allclose(read_through(chances, readout), wanted, atol=1e-14)


@pytest.mark.parametrize("noise", ["snapshot", "calibrated"])
def test_expected_distributions_against_shots_of_the_sampler(noise):
    sampler = open_sampler("fake_fez", qubits=4, seed=3, noise=noise)
    made = [one for one in probes(sampler.target) if one.kind in ("gates", "readout")]
    circuits = [one.task.isa or to_isa(one.task.circuit, sampler.target) for one in made]
    config = CheckConfig(backend="fake_fez", noise=noise)
    part = calibrated_cut(config, bench_of(sampler))
    shots = 40_000
    for one, wanted, pub in zip(
        made,
        expectations(made, circuits, part, 0),
        sampler.run(circuits, shots=shots).result(),
        strict=True,
    ):
        assert wanted.draws is None
        (register,) = pub.data.values()
        words = register.to_bool_array(order="little").astype(int) @ (1 << np.arange(one.bits))
        counts = np.bincount(words, minlength=2**one.bits)
        # 2 × 78 outcomes: 5 standard errors leave a false alarm to one in 10⁴
        limit = 5 * np.sqrt(wanted.chances * (1 - wanted.chances) / shots) + 5 / shots
        assert np.all(np.abs(counts / shots - wanted.chances) < limit), one.name


# ---- verdicts


def test_bound_is_the_least_that_the_level_allows():
    for expected, shots, level in ((0.02, 2000, 1e-4), (0.3, 100, 1e-3), (0.0, 50, 1e-3)):
        k = round(bound_of(expected, shots, level) * shots)
        chances = binom.pmf(np.arange(shots + 1), shots, expected)
        assert chances[k + 1 :].sum() <= level
        assert k == 0 or chances[k:].sum() > level
    # drawn expectations are less certain, and certain in the end
    exact = bound_of(0.02, 2000, 1e-4)
    assert bound_of(0.02, 2000, 1e-4, draws=2000) > bound_of(0.02, 2000, 1e-4, draws=10**6)
    assert bound_of(0.02, 2000, 1e-4, draws=10**6) == pytest.approx(exact, rel=0.1)


def test_a_device_that_is_its_calibration_is_as_expected(boston):
    """100 checks: a false alarm in one of them has a chance of at most 0.1 (here fixed seeds)."""
    _, made, _, expected = boston
    alarms = 0
    for seed in range(100):
        found = verdicts(made, drawn([e.chances for e in expected], seed=seed), expected)
        alarms += set(found.values()) != {"as expected"}
    assert alarms == 0
    assert FALSE_ALARM * 100 <= 0.1


def test_twice_the_errors_are_noisier_by_that_factor(boston):
    _, made, circuits, expected = boston
    worse = []
    for one, wanted in zip(made, expected, strict=True):
        right, error = one.right, 1 - wanted.chances[one.right].sum()
        more = wanted.chances.copy()
        # wrong outcomes thrice as often
        more[~right] *= 3
        more[right] *= (1 - 3 * error) / more[right].sum()
        worse.append(more)
    rows = judge(made, drawn(worse, 20_000), expected, [two_qubit_gates(c) for c in circuits])
    for row in rows:
        assert row.noisier, row
        spread = math.sqrt(3 / (row.expected_error * row.shots))
        assert row.factor == pytest.approx(3, abs=5 * spread)
        assert row.verdict == f"noisier (factor {row.factor:.1f})"


def test_a_shift_of_e_alone_is_noisier(boston):
    _, made, _, expected = boston
    (k,) = [k for k, one in enumerate(made) if one.name == "LMG, N = 2"]
    shifted = [e.chances.copy() for e in expected]
    shifted[k][3], shifted[k][0] = shifted[k][3] + 0.1, shifted[k][0] - 0.1
    found = judge(made, drawn(shifted), expected, [0] * len(made))
    assert [row.name for row in found if row.noisier] == ["LMG, N = 2"]
    assert found[k].error <= found[k].bound


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_faults_are_named_also_under_noise(boston, noise):
    _, made, _, expected = boston
    for k, one in enumerate(made):
        for cause, other in one.others.items():
            found = [e.chances for e in expected]
            found[k] = (1 - noise) * other + noise / other.size
            verdict = verdicts(made, drawn(found), expected)[one.name]
            # several faults may look alike in one circuit
            alike = [
                name for name, each in one.others.items() if np.abs(each - other).sum() / 2 < 0.02
            ]
            assert verdict in {f"wrong: {name}" for name in [cause, *alike]} or (
                np.array_equal(other, _reversed(one)) and "bit order" in verdict
            ), (one.name, cause, verdict)


def _reversed(one: Probe):
    words = np.arange(2**one.bits)
    moved = sum(((words >> j & 1) << (one.bits - 1 - j) for j in range(one.bits)), 0 * words)
    found = np.zeros_like(one.ideal)
    found[moved] = one.ideal
    return found


def test_noise_is_no_named_fault_and_all_of_it_leaves_no_signal(boston):
    _, made, _, expected = boston
    for part in (0.2, 0.5):
        found = [(1 - part) * one.ideal + part / one.ideal.size for one in made]
        rows = verdicts(made, drawn(found), expected)
        assert not [v for v in rows.values() if v.startswith("wrong")], rows
    rows = judge(made, drawn([np.full(e.chances.size, 1 / e.chances.size) for e in expected]),
                 expected, [0] * len(made))  # fmt: skip
    for row in rows:
        # N = 4 in the sector leaves white noise one wrong word of four
        assert row.verdict == "wrong: no signal is left", row


# ---- the run: all numbers again from its counts


def test_numbers_of_the_table_follow_from_its_counts(run, boston):
    _, made, _, expected = boston
    result = run.result
    comparisons = len(made) + sum(one.values is not None for one in made)
    for row, one, wanted in zip(result["checks"], made, expected, strict=True):
        shots = sum(row["counts"].values())
        assert shots == row["shots"] == result["shots"] == SHOTS
        wrong = sum(n for word, n in row["counts"].items() if word not in row["right"])
        assert row["error"] == pytest.approx(wrong / shots, abs=1e-12)
        if one.kind != "dynamic":
            level = FALSE_ALARM / comparisons
            k = round(row["bound"] * shots)
            assert binom.sf(k, shots, row["expected_error"]) <= level
            assert binom.sf(k - 1, shots, row["expected_error"]) > level
        assert row["expected_error"] == pytest.approx(
            1 - wanted.chances[one.right].sum(), abs=1e-9 if wanted.draws is None else 0.005
        )
        assert row["factor"] == pytest.approx(row["error"] / row["expected_error"])
        if one.values is not None:
            n = {"LMG, N = 2": 2, "LMG, N = 4": 4}.get(row["name"])
            if n:
                ones = sum(word.count("1") * c for word, c in row["counts"].items())
                assert row["excitation"] == pytest.approx(ones / shots / n)
        assert row["verdict"] == "as expected"
    assert result["verdict"]["style"] == "good"
    data = xr.load_dataset(run.folder / "result.nc", engine="h5netcdf")
    assert data.counts.sum() == SHOTS * len(made)
    assert result["validated"] == result["circuits"] == len(made)


def test_readout_errors_follow_from_two_circuits(run):
    rows = {row["name"]: row for row in run.result["checks"]}
    numbers = run.result["numbers"]
    for qubit, (false, lost) in enumerate(numbers["readout"]):
        for name, value, bit in (("all 0", false, "1"), ("all 1", lost, "0")):
            counts = rows[name]["counts"]
            seen = sum(n for word, n in counts.items() if word[::-1][qubit] == bit)
            assert value == pytest.approx(seen / SHOTS)
    assert numbers["readout_error"] == pytest.approx(np.mean(numbers["readout"]))
    wanted = cut("fake_boston", 4).readout
    np.testing.assert_allclose(numbers["readout_expected"], wanted)


def test_factor_of_gates_makes_the_model_err_as_much_as_was_seen(run, boston):
    _, made, circuits, _ = boston
    numbers = run.result["numbers"]
    seen = {row["name"]: row["error"] for row in run.result["checks"]}
    part = cut("fake_boston", 4)
    scaled = scaled_cut(part, numbers["gates_factor"])
    total = wanted = 0.0
    for one, circuit in zip(made, circuits, strict=True):
        if one.kind == "gates":
            chances = chances_of(circuit, scaled, np.array(numbers["readout"]))
            total += 1 - chances[one.right].sum()
            wanted += seen[one.name]
    # linear between factors 0, 1, 2, 4
    assert total == pytest.approx(wanted, abs=0.003)
    error = np.mean([p.error for p in part.target["cz"].values()])
    assert numbers["two_qubit_error"] == pytest.approx(error * max(1, numbers["gates_factor"]))


# ---- the recommendation

NUMBERS = DeviceNumbers(((0.01, 0.03),) * 4, None, 2.0, 0.1, 0.004)


@pytest.mark.parametrize("neurons", [2, 3, 5])
def test_readout_bias_against_all_flips(neurons):
    generator = np.random.default_rng(neurons)
    populations = generator.dirichlet(np.ones(neurons + 1))
    populations[1::2] = 0
    populations /= populations.sum()
    a, b = NUMBERS.false, NUMBERS.lost
    kept = total = exact = 0.0
    for n, chance in enumerate(populations):
        true = [1] * n + [0] * (neurons - n)
        exact += chance * n / neurons
        for flips in itertools.product((0, 1), repeat=neurons):
            weight = chance
            for bit, flip in zip(true, flips, strict=True):
                wrong = b if bit else a
                weight *= wrong if flip else 1 - wrong
            read = sum(bit ^ flip for bit, flip in zip(true, flips, strict=True))
            if read % 2 == 0:
                kept += weight
                total += weight * read / neurons
    config = LMGConfig(neurons=neurons, backend="fake_boston")
    assert advice.readout_bias(config, populations, NUMBERS) == pytest.approx(total / kept - exact)


def test_expected_rmse_again_term_by_term():
    target = cut("fake_boston", 4).target
    config = LMGConfig(
        backend="fake_boston", neurons=4, gamma=GAMMA, evolution="fast-forward", seed=0
    )
    points = advice.circuits_of(config, target, NUMBERS)
    found = advice.expected_rmse(config, points, NUMBERS)
    left = residual_of(config.chain)
    squares = []
    for k, fidelity in enumerate(points.fidelities):
        gates = left * abs(points.exact[k] - 0.5) * (1 - fidelity)
        shots = points.spread[k] / math.sqrt(config.shots) / fidelity
        bias = advice.readout_bias(config, points.populations[k], NUMBERS)
        squares.append(points.formula[k] ** 2 + gates**2 + shots**2 + bias**2)
    assert found.expected_rmse == pytest.approx(math.sqrt(np.mean(squares)))
    assert found.fidelity == min(points.fidelities)
    levels = np.arange(5) / 4
    np.testing.assert_allclose(points.exact, points.populations @ levels, atol=1e-12)


def test_the_line_has_the_errors_that_were_found():
    target = cut("fake_boston", 4).target
    line = advice.line_like(target, 6, NUMBERS)
    assert len(line.build_coupling_map().get_edges()) == 10
    circuit = QuantumCircuit(6)
    for qubit in range(5):
        circuit.cz(qubit, qubit + 1)
    assert expected_fidelity(circuit, line) == pytest.approx((1 - 0.004) ** 5)
    single = QuantumCircuit(6)
    single.sx(2)
    mean = np.mean([each.error for each in target["sx"].values()])
    assert expected_fidelity(single, line) == pytest.approx(1 - 2 * mean)


def test_better_devices_reach_further(run):
    target = cut("fake_boston", 4).target
    reach = []
    for error in (0.002, 0.05):
        numbers = DeviceNumbers(((0.01, 0.01),) * 4, None, 1.0, 0.1, error)
        rows = advice.advise("fake_boston", target, numbers, 4)
        reach.append(max((one.neurons for one in rows if one.encoding == "qubit"), default=0))
        assert all(one.expected_rmse <= advice.GOAL for one in rows)
    assert reach[0] > reach[1]
    first = run.result["recommendations"][0]
    assert str(first["neurons"]) in run.result["recommendation"]
    assert f"--neurons {first['neurons']}" in first["command"]


# neurons, options, RMSE expected and found with seed 1: what docs/check.md says
QUOTED = [
    (4, {"evolution": "fast-forward"}, 0.016, 0.014),
    (3, {"evolution": "replay"}, 0.016, 0.016),
    (15, {"encoding": "dicke", "evolution": "orbit"}, 0.013, 0.017),
]


@pytest.mark.slow
@pytest.mark.parametrize(("neurons", "options", "expected", "found"), QUOTED)
def test_expected_and_found_as_the_page_says(neurons, options, expected, found, tmp_path):
    part = cut("fake_boston", 4)
    error = float(np.mean([each.error for each in part.target["cz"].values()]))
    numbers = DeviceNumbers(tuple(map(tuple, part.readout.tolist())), None, 1.0, 0.1, error)
    config = LMGConfig(backend="fake_boston", neurons=neurons, gamma=GAMMA, seed=1, **options)
    points = advice.circuits_of(config, part.target, numbers)
    assert round(advice.expected_rmse(config, points, numbers).expected_rmse, 3) == expected
    made = start(SYSTEMS["lmg"], config, tmp_path / "run", draw=False)
    assert round(made.fit.rmse, 3) == found


@pytest.mark.slow
def test_what_is_recommended_holds(tmp_path, monkeypatch):
    """Of the best form in each encoding: the run's RMSE is within twice the goal."""
    monkeypatch.chdir(tmp_path)
    code, out, err = qbrain("check", "--backend", "fake_boston", "--seed", 2, "--json")
    assert code == 0, err
    rows = json.loads(out)["recommendations"]
    for encoding in ("dicke", "qubit"):
        row = next(row for row in rows if row["encoding"] == encoding)
        given = row["command"].split()
        code, out, err = qbrain("run", "lmg", "--backend", "fake_boston", "--seed", 3, *given,
                                "--json")  # fmt: skip
        assert code == 0, err
        assert json.loads(out)["fit"]["rmse"] < 2 * advice.GOAL


# ---- days


def test_same_error_against_fishers_test():
    for one, other in (((20, 2000), (60, 2000)), ((3, 500), (0, 2000)), ((40, 1000), (41, 1000))):
        table = [[one[0], one[1] - one[0]], [other[0], other[1] - other[0]]]
        tails = [fisher_exact(table, alternative=side)[1] for side in ("less", "greater")]
        assert history.same_error(one, other) == pytest.approx(min(1, 2 * min(tails)))


def test_checks_are_kept_for_their_owner_and_compared(tmp_path, monkeypatch, run):
    monkeypatch.setenv("QBRAIN_LEDGER", str(tmp_path / "state" / "jobs.sqlite"))
    first = {**run.result, "run": "a", "time": "2026-11-01T10:00:00+00:00"}
    later = json.loads(json.dumps({**first, "run": "b", "time": "2026-11-02T10:00:00+00:00"}))
    (row,) = [row for row in later["checks"] if row["name"] == "idle echo"]
    row["error"] *= 2.5
    for record in (first, later):
        path = history.keep(record)
        assert path == history.keep(record)
        assert path.stat().st_mode & 0o077 == 0
        assert path.parent.stat().st_mode & 0o077 == 0
    rows = history.history_rows(history.kept("fake_boston"))
    assert [len(row["changed"]) for row in rows] == [0, 1]
    assert rows[1]["changed"][0]["check"] == "idle echo"
    assert history.drift(first, first) == []
    code, out, _ = qbrain("check", "--history", "--backend", "fake_boston", "--json")
    assert code == 0
    assert json.loads(out)["checks"] == json.loads(json.dumps(rows))
    assert json.loads(qbrain("check", "--history", "--backend", "aer", "--json")[1]) == {
        "checks": []
    }
    for text in ("{", "[]", "{}", json.dumps({**first, "checks": 3}), "\udcff"):
        broken = path.parent / "fake_boston-x.json"
        broken.write_bytes(text.encode(errors="surrogateescape"))
        code, out, err = qbrain("check", "--history")
        assert (code, out.count("fake_boston")) == (0, 2)
        assert "fake_boston-x.json is left out: it is not the record of a check" in err


# ---- the command


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("QBRAIN_LEDGER", str(tmp_path / "jobs.sqlite"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_folder_and_json_of_a_check(folder):
    code, out, err = qbrain("check", "--out", "first", "--seed", 1, "--json")
    assert code == 0, err
    result = json.loads(out)
    assert result == json.loads((folder / "first/check.json").read_text())
    assert {path.name for path in (folder / "first").iterdir()} >= {"figure.png", "report.html"}
    page = (folder / "first/report.html").read_text()
    assert "aer, ideal simulation" in page
    assert result["recommendation"] == "The backend has no errors: any N that can be simulated."
    assert {row["error"] for row in result["checks"]} == {0.0}
    # a finished check is only read, and is the same one among those of other days
    assert json.loads(qbrain("check", "--out", "first", "--json")[1]) == result
    assert json.loads(qbrain("resume", "first", "--json")[1]) == result
    assert len(json.loads(qbrain("check", "--history", "--json")[1])["checks"]) == 1
    assert "All 12 circuits are as expected." in qbrain("check", "--out", "first")[1]


def test_a_device_without_reset_leaves_that_out(folder):
    code, out, err = qbrain("check", "--backend", "fake_miami", "--seed", 1, "--most-neurons", 0)
    assert code == 0, err
    assert "Left out: reset, and reading on the way: the target has no reset." in out
    assert "Left out: feed-forward: the backend cannot branch on a reading." in out
    assert "simulation with the noise of the device snapshot fake_miami" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--backend", "exact"], "backend: exact runs no circuit, so there is nothing to check"),
        (["--shots", "10"], "shots: wanted a number greater than or equal to 100, got '10'"),
        (["--history", "--shots", "500"], "shots: would be ignored, since --history runs nothing"),
        (["--history", "--out", "x"], "out: would be ignored, since --history runs nothing"),
        (["--max-qpu-seconds", "5"], "max_qpu_seconds: would be ignored"),
        (["--backend", "fake_nowhere"], "backend: wanted a known name"),
        (["--out", "first", "--backend", "fake_fez"], "backend: wanted 'aer'"),
        (["--out", "other"], "out: wanted a new folder or one of a check, got other of lmg"),
    ],
)
def test_refusals_in_a_line(folder, arguments, message):
    if "first" in arguments:
        qbrain("check", "--out", "first", "--seed", 1)
    if "other" in arguments:
        qbrain("run", "lmg", "--backend", "exact", "--out", "other", "--neurons", 2)
    code, out, err = qbrain("check", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.strip().count("\n") == 0


def test_unknown_calibration_counts_as_none():
    one = probes(ideal_target(4))[0]
    assert expectations([one], [one.task.circuit], None, 0) == [Expectation(one.ideal)]
