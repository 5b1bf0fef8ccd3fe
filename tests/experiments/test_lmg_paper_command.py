"""``qbrain figures lmg`` from end to end."""

import contextlib
import io
import json
import time
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from qbrain.experiments.cli import run_command

KINDS = ("md", "nc", "png", "svg")


def qbrain(*arguments, cwd):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), redirect_stdout(out), redirect_stderr(err):
        code = run_command([str(x) for x in arguments])
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Figures 1 and 6, the cheap ones with and without checks."""
    folder = tmp_path_factory.mktemp("two")
    arguments = ("--only", 6, "--only", 1, "--out", "out", "--json")
    done = qbrain("figures", "lmg", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "out", json.loads(done.stdout)


def test_only_the_figures_asked_for_are_made(two):
    path, result = two
    assert sorted(p.name for p in path.iterdir()) == [
        f"figure{n}.{k}" for n in (1, 6) for k in KINDS
    ]
    assert [row["figure"] for row in result["figures"]] == [1, 6]
    assert {check["figure"] for check in result["checks"]} == {6}
    assert {claim["name"] for claim in result["claims"]} == {"entropy dips at the peaks of E"}
    assert all(check["agrees"] for check in result["checks"])
    assert (result["system"], result["out"]) == ("lmg", "out")
    assert result["backend"] == "exact reference, no circuit"


def test_the_page_of_a_figure_says_what_it_should(two):
    path, _ = two
    page = (path / "figure6.md").read_text(encoding="utf-8")
    for words in (
        "The paper shows", "We find", "Eq. 7", "(figure6.svg)", "| g0 | 0.05 | ours |",
        "| gamma | 1 | paper |", "close to 3.46", "3.445", "holds in part",
    ):  # fmt: skip
        assert words in page, words
    assert (path / "figure6.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (path / "figure6.svg").read_text(encoding="utf-8")
    data = xr.load_dataset(path / "figure6.nc", engine="h5netcdf")
    assert set(data.start.values) == {"saturated", "half"}
    assert float((data.diagonal_entropy - data.block_entropy).min()) > -1e-9
    assert data.block_entropy.attrs["units"] == "bit"
    assert bool(np.all(np.diff(data.time) > 0))


@pytest.mark.slow
def test_a_second_run_replaces_the_files_and_prints_tables(two):
    path, _ = two
    (path / "figure6.md").write_text("old")
    before = (path / "figure6.png").read_bytes()
    done = qbrain("figures", "lmg", "--only", 6, "--out", path, cwd=path.parent)
    assert done.returncode == 0, done.stderr
    for words in ("close to 3.46", "3.4454", "3.445", "holds in part", "entropy dips"):
        assert words in done.stdout
    assert done.stderr == ""
    assert (path / "figure6.md").read_text(encoding="utf-8").startswith("# Figure 6")
    assert (path / "figure6.png").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["brain"], "brain"),
        (["lmg", "--only", "12"], "only: wanted a figure from 1 to 9, got 12"),
        (["lmg", "--only", "0"], "only: wanted a figure from 1 to 9, got 0"),
        (["lmg", "--only", "seven"], "only: wanted a figure from 1 to 9, got seven"),
        (["lmg", "--only", "1", "--out", "/proc/nowhere"], "out: cannot write to /proc/nowhere"),
        (["lmg", "--only", "1", "--out", "a-file"], "out: cannot write to a-file"),
        (["lmg", "--colour"], "--colour"),
    ],
)
def test_bad_input_is_one_clear_line(arguments, words, tmp_path):
    (tmp_path / "a-file").write_text("")
    done = qbrain("figures", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert words in done.stderr
    assert done.stdout == ""
    assert [p.name for p in tmp_path.iterdir()] == ["a-file"]


@pytest.mark.slow
def test_all_nine_within_three_minutes(tmp_path):
    began = time.monotonic()
    done = qbrain("figures", "lmg", "--out", "all", "--json", cwd=tmp_path)
    assert time.monotonic() - began < 180
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    names = {p.name for p in (tmp_path / "all").iterdir()}
    wanted = {f"figure{n}.{k}" for n in range(1, 10) for k in KINDS}
    assert names == wanted | {"claims.md", "claims.json", "checks.md", "checks.json", "index.md"}
    # four errors under noise are larger than their references, and are said to be
    other = [c for c in result["checks"] if not c["agrees"]]
    assert [c["reference"] for c in other] == [0.012, 0.006, 0.006, 0.015]
    assert all(c["found"] > c["reference"] + 5e-4 for c in other)
    for c in result["checks"]:
        larger = c["found"] - c["reference"] if c["at_most"] else abs(c["found"] - c["reference"])
        assert c["agrees"] == (larger <= c["tolerance"])
        # what the page says of the tolerance is what decides
        assert float(c["allowed"].lstrip("atmos ±+")) == pytest.approx(c["tolerance"], rel=0.05)
    page = (tmp_path / "all/checks.md").read_text()
    assert page.count("| no |") == 4
    assert page.count("at most +0.0005") == 9
    assert len(result["checks"]) == 29 + 9
    assert {c["name"]: c["verdict"] for c in result["claims"]} == {
        "anticorrelation of r and E": "holds",
        "dwell time near N/2": "holds",
        "variance of E against N": "holds in part",
        "synaptic efficacy restores N/2": "does not hold",
        "exactly semi-activated stays put": "holds in part",
        "recurrence of fidelity": "holds",
        "fidelity from about half": "does not hold",
        "entropy dips at the peaks of E": "holds in part",
        "frequency against τ_r": "holds",
        "up/down imbalance against τ_r": "holds",
        "no slow rhythm from about half": "holds",
        "depression favours entangled states": "does not hold",
        "spectrum of S_L under depression": "holds",
        "up/down imbalance against τ_f": "holds in part",
        "size independence after rescaling g0": "holds in part",
    }
    assert json.loads((tmp_path / "all/claims.json").read_text())["claims"] == result["claims"]
    size = next(c for c in result["claims"] if c["name"].startswith("size independence"))
    # the spreads are 0.095 and 0.097: a limit a little smaller than ours and it does not hold
    by_limit = {x["spread that counts as none, below"]: x["verdict"] for x in size["limits"]}
    assert by_limit[0.1] == by_limit[0.2] == "holds in part"
    assert by_limit[0.05] == by_limit[0.096] == "does not hold"
    assert by_limit[0.5] == "holds"
    assert "0.05: does not hold" in (tmp_path / "all/claims.md").read_text()
    seven = xr.load_dataset(tmp_path / "all/figure7.nc", engine="h5netcdf")
    found = seven.measured.sel(measure="dominant frequency (bin), silent, tau_r 0.1")
    assert float(found) == pytest.approx(2.50e-4, rel=1e-9)
