"""Opening places by name."""

import subprocess
import sys

import pytest
from qiskit_ibm_runtime import fake_provider

from qbrain.backends.errors import BackendError
from qbrain.backends.registry import backend_names, list_backends, open_sampler


def test_every_snapshot_of_the_package_is_offered():
    shipped = {
        value.backend_name
        for value in vars(fake_provider).values()
        if isinstance(value, type) and getattr(value, "backend_name", None)
    }
    assert len(shipped) > 50
    assert set(backend_names()) == shipped | {"aer", "statevector"}


def test_the_list_says_what_and_how_large():
    known = {info.name: info for info in list_backends()}
    assert set(known) == set(backend_names())
    assert known["fake_fez"].qubits == 156
    assert known["fake_torino"].qubits == 133
    assert known["fake_miami"].qubits == 120
    assert known["fake_armonk"].qubits == 1
    assert known["aer"].qubits is None
    assert {info.kind for info in known.values()} == {"ideal simulator", "device snapshot"}


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("fake_fezz", "fake_fez"), ("fake_torin", "fake_torino"), ("aerr", "aer")],
)
def test_unknown_names_list_near_ones(wrong, near):
    with pytest.raises(BackendError, match=rf"\b{near}\b.*got '{wrong}'"):
        open_sampler(wrong, qubits=2)


def test_names_like_nothing_say_what_there_is():
    with pytest.raises(BackendError, match="fake_<device>"):
        open_sampler("zzzzzzzz", qubits=2)


@pytest.mark.parametrize("qubits", [0, -1, 1.5, "2", True, None])
@pytest.mark.parametrize("name", ["aer", "statevector", "fake_lima"])
def test_bad_numbers_of_qubits_are_refused(name, qubits):
    with pytest.raises(BackendError, match="qubits: wanted"):
        open_sampler(name, qubits=qubits)


def test_more_qubits_than_the_device_has():
    with pytest.raises(BackendError, match="wanted at most 5 on fake_lima, got 6"):
        open_sampler("fake_lima", qubits=6)


def test_fractional_gates_are_for_snapshots():
    with pytest.raises(BackendError, match="fractional"):
        open_sampler("aer", qubits=2, fractional=True)


@pytest.mark.parametrize("name", ["aer", "statevector"])
def test_ideal_simulators_have_one_place(name):
    assert open_sampler(name, qubits=2, placements=1).placements == 1
    with pytest.raises(BackendError, match=f"placements: wanted 1 on {name}, got 2"):
        open_sampler(name, qubits=2, placements=2)


@pytest.mark.parametrize("placements", [0, -1, 1.5, "2", True])
def test_bad_numbers_of_placements_are_refused(placements):
    with pytest.raises(BackendError, match="placements: wanted an integer >= 1"):
        open_sampler("fake_lima", qubits=2, placements=placements)


def test_more_placements_than_the_device_has():
    with pytest.raises(BackendError, match=r"placements: wanted 3 lines of 3 .* got 1"):
        open_sampler("fake_lima", qubits=3, placements=3)
    with pytest.raises(BackendError, match="qubits: wanted a line of 5 on fake_lima, got none"):
        open_sampler("fake_lima", qubits=5, placements=2)
    with pytest.raises(BackendError, match="qubits: wanted an integer"):
        open_sampler("fake_lima", qubits=0, placements=2)


def test_importing_is_cheap():
    code = (
        "import sys; import qbrain.backends.registry as r; r.backend_names();"
        "heavy = [m for m in ('qiskit_aer', 'qiskit_ibm_runtime') if m in sys.modules];"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
