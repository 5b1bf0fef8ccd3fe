"""A run's folder proves where its numbers come from, and no simulation passes for a device."""

import json
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import xarray as xr
from command_line import qbrain

from qbrain.backends.ibm_service import IBMService
from qbrain.experiments.engine.folder import RunDirectory
from qbrain.experiments.engine.sent import FolderTicket, kept_facts
from qbrain.experiments.report.page import backend_in_words

RUN = ["run", "lmg", "--backend", "ibm_fez", "--neurons", "6", "--gamma", "0.8", "--seed", "1"]
RUN += ["--encoding", "dicke", "--time", "4", "--steps", "4", "--shots", "200"]
ORBIT = [*RUN, "--evolution", "orbit"]
REPLAY = [*RUN, "--evolution", "replay"]
IBM = "https://us-east.quantum.cloud.ibm.com/api/v1"


@pytest.fixture(autouse=True)
def own_place(own_ledger, monkeypatch):
    monkeypatch.setenv("QBRAIN_IBM_PATIENCE", "6")


def result_of(*arguments):
    code, out, err = qbrain(*arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def title_of(path):
    return re.search(r"<h1>(.*?)</h1>", Path(path, "report.html").read_text()).group(1)


def test_a_folder_tells_service_instance_jobs_calibration_bill_and_versions(start_ibm):
    server = start_ibm()
    result = result_of(*REPLAY, "--out", "run")
    told = result["provenance"]
    jobs = sorted(server.jobs.values(), key=lambda job: job.created)
    url = f"http://127.0.0.1:{server.port}/experimental"
    assert told["services"] == [url]
    assert told["instances"] == [server.instance]
    assert told["device"] == "ibm_fez"
    assert told["calibration"] == result["calibration"]
    assert [(row["step"], row["job"]) for row in told["jobs"]] == [
        (step, job.id) for step, job in enumerate(jobs)
    ]
    assert [row["billed_seconds"] for row in told["jobs"]] == [j.quantum_seconds for j in jobs]
    assert told["billed_seconds"] == pytest.approx(sum(job.quantum_seconds for job in jobs))
    names = ("qbrain", "qiskit", "qiskit-ibm-runtime", "qiskit-aer")
    assert told["versions"] == {name: version(name) for name in names}

    record = tomllib.loads(Path("run/run.toml").read_text())
    assert record["device"]["service"] == url
    assert record["device"]["instance"] == server.instance
    assert record["device"]["calibration_sha256"] == told["calibration_sha256"]
    assert record["versions"]["commit"] != ""

    data = xr.load_dataset("run/result.nc", engine="h5netcdf")
    assert data.attrs["service"] == url
    assert data.attrs["service_instance"] == server.instance
    assert data.attrs["job_ids"].split() == [job.id for job in jobs]
    assert data.attrs["billed_seconds"] == told["billed_seconds"]
    assert data.attrs["calibration_sha256"] == told["calibration_sha256"]
    assert f"qiskit-ibm-runtime {version('qiskit-ibm-runtime')}" in data.attrs["versions"]

    page = Path("run/report.html").read_text()
    assert "Where the numbers come from" in page
    for text in (url, server.instance, *(job.id for job in jobs), told["calibration_sha256"]):
        assert text in page
    assert f"{told['billed_seconds']:.2f} s of quantum time" in page
    for file in (p for p in Path("run").rglob("*") if p.is_file()):
        assert server.token.encode() not in file.read_bytes(), file


def test_another_server_is_named_in_every_title(start_ibm):
    start_ibm()
    result = result_of(*ORBIT, "--out", "run")
    words = "on ibm_fez, simulated by 127.0.0.1"
    assert title_of("run").endswith(words)
    assert result["provenance"]["where"] == words
    assert xr.load_dataset("run/result.nc", engine="h5netcdf").attrs["where"] == words
    page = Path("run/report.html").read_text()
    assert "measured on" not in page
    assert "errors of the device" not in page
    assert "simulated noise, and scatter of the shots" in page
    # made again from the folder
    from qbrain import resume

    run = resume(Path("run"))
    assert run.plot()._suptitle.get_text().endswith(words)
    assert words in run._repr_html_()
    code, out, _ = qbrain("compare", "run")
    assert code == 0
    assert "simulated by 127.0.0.1" in " ".join(out.split())


def test_a_device_of_ibm_is_named_as_measured(start_ibm, monkeypatch):
    start_ibm()
    monkeypatch.setattr(IBMService, "url", property(lambda self: IBM))
    result = result_of(*ORBIT, "--out", "run")
    assert title_of("run").endswith("measured on ibm_fez")
    assert result["provenance"]["services"] == [IBM]
    assert "errors of the device, and scatter of the shots" in Path("run/report.html").read_text()


def test_a_run_that_one_job_came_to_from_elsewhere_is_a_simulation(start_ibm, monkeypatch):
    server = start_ibm()
    server.hold()
    monkeypatch.setenv("QBRAIN_IBM_MAX_WAIT", "0")
    with monkeypatch.context() as patch:
        patch.setattr(IBMService, "url", property(lambda self: IBM))
        assert qbrain(*ORBIT, "--out", "run")[0] == 4
    assert FolderTicket(RunDirectory.open(Path("run")), 0).read().service == IBM
    server.release()
    monkeypatch.delenv("QBRAIN_IBM_MAX_WAIT")
    # the one that gives the result is another than the one that took the job
    result = result_of("resume", "run")
    assert title_of("run").endswith("simulated by 127.0.0.1")
    assert len(result["provenance"]["services"]) == 2


def test_words():
    other = "http://127.0.0.1:1/experimental"
    assert backend_in_words("ibm_fez", [IBM]) == "measured on ibm_fez"
    assert backend_in_words("ibm_fez", [IBM, other]) == "on ibm_fez, simulated by 127.0.0.1"
    assert backend_in_words("ibm_fez", []) == "on ibm_fez, service not recorded"
    assert backend_in_words("aer", []) == "aer, ideal simulation"


def strip(path, *keys):
    """A folder as earlier versions wrote it: without the keys in its records of the device."""
    folder = RunDirectory.open(path)
    record = kept_facts(folder).record()
    record["details"] = {k: v for k, v in record["details"].items() if k not in keys}
    folder.write_record("device.json", record)
    for file in sorted((path / "sent").glob("*.ticket.json")):
        name = f"sent/{file.name}"
        ticket = folder.read_record(name)
        for key in ("estimated", "most", "billed", "lost", "service"):
            ticket.pop(key)
        folder.write_record(name, ticket)


NEW = ("service", "instance", "calibration_sha256", "calibration_id")
NEW += ("repetition_delay_seconds", "repetition_delay_range_seconds")


def test_a_folder_of_an_earlier_version_opens_and_claims_nothing(start_ibm, monkeypatch):
    from qbrain import resume

    server = start_ibm()
    before = result_of(*ORBIT, "--out", "done")
    strip(Path("done"), *NEW)
    run = resume(Path("done"))
    assert run.result["rmse_excitation"] == before["rmse_excitation"]
    assert run.plot()._suptitle.get_text().endswith("on ibm_fez, service not recorded")
    assert qbrain("compare", "done")[0] == 0

    server.hold()
    monkeypatch.setenv("QBRAIN_IBM_MAX_WAIT", "0")
    assert qbrain(*ORBIT, "--out", "waits")[0] == 4
    strip(Path("waits"), *NEW)
    server.release()
    monkeypatch.delenv("QBRAIN_IBM_MAX_WAIT")
    after = result_of("resume", "waits")
    assert after["rmse_excitation"] == before["rmse_excitation"]
    # who took the job was not recorded, whoever gave the result
    assert title_of("waits").endswith("service not recorded")
    assert after["provenance"]["services"] == []


def test_a_step_without_a_ticket_proves_nothing(start_ibm, monkeypatch):
    from qbrain import resume

    start_ibm()
    monkeypatch.setattr(IBMService, "url", property(lambda self: IBM))
    result_of(*REPLAY, "--out", "run")
    assert title_of("run").endswith("measured on ibm_fez")
    Path("run/sent/0002.ticket.json").unlink()
    again = resume(Path("run")).plot()._suptitle.get_text()
    assert again.endswith("on ibm_fez, service not recorded")


def test_a_run_on_no_device_has_nothing_to_prove():
    result = result_of("run", "lmg", "--steps", "2", "--time", "1", "--backend", "fake_fez",
                       "--encoding", "dicke", "--gamma", "0.8", "--out", "run")  # fmt: skip
    assert "provenance" not in result
    page = Path("run/report.html").read_text()
    assert "Where the numbers come from" not in page
    assert "errors of the device" not in page
