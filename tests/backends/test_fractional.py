"""Fractional gates of snapshots: durations and errors, and where there are any, by their files."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import qiskit_ibm_runtime
from qiskit.circuit.library import RXGate, RZZGate

from qbrain.backends.errors import BackendError
from qbrain.backends.fractional import with_fractional
from qbrain.backends.line_costs import line_costs
from qbrain.backends.placements import cuts
from qbrain.backends.registry import open_sampler
from qbrain.backends.snapshot import costs_on, cut, load

BACKENDS = Path(qiskit_ibm_runtime.__file__).parent / "fake_provider" / "backends"
WITH_RZZ = ("fez", "kingston", "marrakesh", "aachen", "boston", "pittsburgh")
# edges (of 176) with an rzz that nobody can use, counted in the files by hand
LOST = {"fez": 49, "kingston": 11, "marrakesh": 68, "aachen": 5, "boston": 2, "pittsburgh": 9}


def in_file(device, gate):
    """Place → (duration in s, error) of a gate as the calibration file has it."""
    (file,) = (BACKENDS / device).glob("props_*.json")
    found = {}
    for each in json.loads(file.read_text(encoding="utf-8"))["gates"]:
        if each["gate"] == gate:
            values = {value["name"]: value for value in each["parameters"]}
            assert values["gate_length"]["unit"] == "ns"
            found[tuple(each["qubits"])] = (
                values["gate_length"]["value"] * 1e-9,
                values["gate_error"]["value"],
            )
    return found


def in_target(target, gate):
    return {place: (known.duration, known.error) for place, known in target[gate].items()}


def usable(table):
    return {place: pytest.approx(row, rel=1e-12) for place, row in table.items() if row[1] < 1}


@pytest.mark.parametrize("device", WITH_RZZ)
def test_gates_are_those_of_the_calibration_file(device):
    target = load(f"fake_{device}").fractional_target
    written = in_file(device, "rzz")
    assert in_target(target, "rzz") == usable(written)
    assert in_target(target, "rx") == usable(in_file(device, "rx"))
    assert (len(written) - len(target["rzz"])) / 2 == LOST[device]
    assert isinstance(target.operation_from_name("rzz"), RZZGate)
    assert isinstance(target.operation_from_name("rx"), RXGate)
    assert target.supported_angle_bound("rzz", [math.pi / 2])
    assert not target.supported_angle_bound("rzz", [-1e-9])
    # everything else stays
    plain = load(f"fake_{device}").target
    assert set(target.operation_names) - set(plain.operation_names) == {"rx", "rzz"}
    assert in_target(target, "cz") == in_target(plain, "cz")
    # it is no copy of cz
    cz = in_file(device, "cz")
    assert np.mean([written[place][1] != cz[place][1] for place in written]) > 0.9


@pytest.mark.parametrize("device", WITH_RZZ)
def test_a_line_has_a_usable_rzz_on_every_edge(device):
    written = in_file(device, "rzz")
    for qubits in (2, 6):
        part = cut(f"fake_{device}", qubits, True)
        line = part.details["physical_qubits"]
        for (a, b), (duration, error) in in_target(part.target, "rzz").items():
            assert (duration, error) == pytest.approx(written[line[a], line[b]], rel=1e-12)
            assert error < 1
        for a in range(qubits - 1):
            assert part.target.instruction_supported("rzz", (a, a + 1))
        assert not {"rx", "rzz"} & set(cut(f"fake_{device}", qubits).target.operation_names)


def test_edges_without_a_usable_rzz_cost_a_fractional_line_too_much():
    device = load("fake_fez")
    written = in_file("fez", "rzz")
    lost = {(min(place), max(place)) for place, (_, error) in written.items() if error >= 1}
    plain, fractional = costs_on(device, 6), costs_on(device, 6, fractional=True)
    assert len(lost & set(plain.edge)) == 45  # cz alone works there
    assert not lost & set(fractional.edge)
    # an edge costs what the worse of its two gates costs
    cz = in_file("fez", "cz")
    for edge, cost in fractional.edge.items():
        assert cost >= plain.edge[edge] - 1e-15
        assert (cost > plain.edge[edge]) == (written[edge][1] > cz[edge][1])
    assert fractional.node == plain.node
    assert plain == line_costs(device.target, device.readout, 6)


def test_every_placement_has_fractional_gates():
    written = in_file("fez", "rzz")
    for part in cuts("fake_fez", 4, 3, True):
        line = part.details["physical_qubits"]
        assert all(written[a, b][1] < 1 for a, b in itertools.pairwise(line))
        assert all(part.target.instruction_supported("rzz", (a, a + 1)) for a in range(3))


def test_the_noise_model_has_the_error_of_rzz():
    """What an rzz does to a state is as far from it as the calibration says."""
    part = cut("fake_fez", 2, True)
    (error,) = {known.error for known in part.target["rzz"].values()}
    assert error != part.target["cz"][0, 1].error
    noise = part.mixtures._local_quantum_errors["rzz"][0, 1]
    from qiskit.quantum_info import SuperOp, average_gate_fidelity

    assert 1 - average_gate_fidelity(SuperOp(noise)) == pytest.approx(error, rel=1e-3)


@pytest.mark.parametrize("device", ["miami", "berlin", "torino", "sherbrooke"])
def test_devices_without_a_usable_rzz_are_refused(device):
    """torino has rzz in its file, all of them with an error of 1; the others have none."""
    assert all(error >= 1 for _, error in in_file(device, "rzz").values())
    wanted = f"fractional: wanted a device with rzz, got fake_{device}, where no edge has one"
    for placements in (1, 2):
        with pytest.raises(BackendError, match=wanted):
            open_sampler(f"fake_{device}", qubits=2, fractional=True, placements=placements)


def test_gates_that_a_target_has_stay_as_they_are():
    device = load("fake_fractional")
    target = with_fractional(device.target, {"rzz": {(0, 1): None}})
    assert in_target(target, "rzz") == in_target(device.target, "rzz")
