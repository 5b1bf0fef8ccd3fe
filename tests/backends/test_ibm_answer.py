"""A result is held against what was sent: number, order, registers, widths, shots, labels."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ibm_loopback.server import LoopbackIBM
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister

from qbrain.backends.errors import DeviceFault
from qbrain.backends.ibm import open_ibm_sampler
from qbrain.backends.ibm_answer import BadAnswer, read_answer, wanted_of
from qbrain.backends.ibm_service import IBMService
from qbrain.backends.ledger import Ledger

SHOTS = 50


def prepared(value, bits=3, step=0):
    """A circuit that reads ``value``."""
    circuit = QuantumCircuit(QuantumRegister(bits), ClassicalRegister(bits, "meas"))
    for bit in range(bits):
        if value >> bit & 1:
            circuit.x(bit)
    circuit.measure(range(bits), range(bits))
    circuit.metadata = {"step": step}
    return circuit


@pytest.fixture(scope="module")
def answer(tmp_path_factory):
    """A true result of three circuits as text, with what it has to look like."""
    circuits = [prepared(1), prepared(6), prepared(2, bits=2)]
    with pytest.MonkeyPatch.context() as patch, LoopbackIBM() as server:
        for name, value in server.environment().items():
            patch.setenv(name, value)
        patch.setenv("USAGE_DATA_OPT_OUT", "True")
        ledger = Ledger(tmp_path_factory.mktemp("ledger") / "l.sqlite")
        sampler = open_ibm_sampler("ibm_fez", qubits=3, mode="job", ledger=ledger)
        sampler.begin("run", "folder")
        job = sampler.run(circuits, shots=SHOTS)
        job.result()
        text = IBMService().answer_of(job.job_id())
        (row,) = ledger.jobs()
    return text, wanted_of(circuits, row.tag)


def read(text, wanted, shots=SHOTS):
    return read_answer(text, wanted, shots, twirled=False)


def most_frequent(pub):
    (register,) = pub.data.values()
    values = register.to_bool_array(order="little") @ (1 << np.arange(register.num_bits))
    return int(np.bincount(values).argmax())


def test_a_true_answer_comes_back_under_the_circuits_own_names(answer):
    result = read(*answer)
    assert [most_frequent(pub) for pub in result] == [1, 6, 2]
    assert [list(pub.data) for pub in result] == [["meas"]] * 3
    assert [pub.metadata["circuit_metadata"] for pub in result] == [{"step": 0}] * 3


def changed(text, change):
    body = json.loads(text)
    change(body)
    return json.dumps(body)


def rows(body):
    """The results of the circuits in an answer, wherever the schema puts them."""
    return body["data"]


def test_another_order_is_put_right(answer):
    text, wanted = answer
    turned = changed(text, lambda body: rows(body).reverse())
    assert [most_frequent(pub) for pub in read(turned, wanted)] == [1, 6, 2]


def labels(body):
    return body["passthrough_data"]["post_processor"]["circuits_metadata"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda b: rows(b).pop(), "not a result|wanted results of 3 circuits, got 2"),
        (lambda b: rows(b).append(rows(b)[0]), "not a result|got 4"),
        (lambda b: rows(b).__setitem__(1, rows(b)[0]), "wanted the registers of 3 circuits"),
        (lambda b: labels(b).reverse(), "wanted the metadata of"),
        (lambda b: labels(b).__setitem__(0, {}), "wanted the metadata of"),
        (lambda b: b.update(passthrough_data=None), "not a result"),
        (lambda b: b.update(schema_version="v99"), "not a result: .*v99"),
        (lambda b: b.pop("data"), "not a result"),
        (lambda b: b.update(data=None), "not a result"),
    ],
)
def test_what_does_not_fit_is_refused(answer, change, words):
    text, wanted = answer
    with pytest.raises(BadAnswer, match=words):
        read(changed(text, change), wanted)


def test_of_another_job_other_shots_or_other_widths(answer):
    text, wanted = answer
    with pytest.raises(BadAnswer, match="wanted 51 shots of each circuit, got 50"):
        read(text, wanted, SHOTS + 1)
    with pytest.raises(BadAnswer, match="wanted 25 shots of each circuit, got 50"):
        read(text, wanted, 25)
    other = wanted_of([prepared(1), prepared(6), prepared(2, bits=2)], "qbrain-other-0")
    with pytest.raises(BadAnswer, match="wanted the metadata of qbrain-other-0/0"):
        read(text, other)
    wide = wanted_of([prepared(1), prepared(6, bits=4), prepared(2, bits=2)], "tag")
    with pytest.raises(BadAnswer, match="register meas: wanted 4 bits a shot, got 3"):
        read(text, wide)


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "<html>busy</html>", "7", '"x"', "\x00"])
def test_what_is_no_result_at_all(answer, text):
    with pytest.raises(BadAnswer, match="not a result"):
        read(text, answer[1])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_damage_gives_other_counts_or_another_error(answer, data):
    """Cut anywhere, or with a character changed: refused, or still of the right form."""
    text, wanted = answer
    place = data.draw(st.integers(0, len(text) - 1))
    if data.draw(st.booleans()):
        damaged = text[:place]
    else:
        damaged = text[:place] + data.draw(st.sampled_from('0aZ{}[]",:')) + text[place + 1 :]
    try:
        result = read(damaged, wanted)
    except DeviceFault:
        return
    assert [pub.data.meas.num_shots for pub in result] == [SHOTS] * 3
    assert [pub.data.meas.num_bits for pub in result] == [3, 3, 2]
