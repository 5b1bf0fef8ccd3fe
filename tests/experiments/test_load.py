"""What runs take of a machine: told and refused beforehand, and pages that stay small."""

import io
import math
import time

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

import qbrain.reference.qlif.bit_rasters as bit_rasters
from qbrain.backends.needs import simulator_need
from qbrain.experiments.engine import needs, progress
from qbrain.experiments.engine.needs import guard_needs, needs_of, total_needs
from qbrain.experiments.engine.run import start
from qbrain.experiments.errors import ConfigError
from qbrain.experiments.lmg.figure import trajectory_figure
from qbrain.experiments.report import thinning
from qbrain.experiments.report.figure import inline_svg, population_figure
from qbrain.experiments.report.thinning import LARGEST_SVG, thinned
from qbrain.experiments.systems import SYSTEMS

GB = 1e9


def config_of(name, **values):
    return SYSTEMS[name].config(seed=1, **values)


@pytest.fixture
def free(monkeypatch):
    """Eight gigabytes are free, wherever the tests run."""
    monkeypatch.setattr(needs, "free_memory", lambda: 8 * GB)


# ------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("system", "values", "words"),
    [
        ("lmg", {"backend": "statevector", "neurons": 30}, "neurons: wanted at most 26 on stat"),
        ("lmg", {"backend": "statevector", "neurons": 30}, "or encoding = dicke"),
        ("lmg", {"backend": "exact", "neurons": 10**4, "steps": 10**6}, "steps: wanted at most"),
        ("lmg", {"encoding": "dicke", "neurons": 2000}, "or synthesis = isometry"),
        ("lmg", {"backend": "exact", "neurons": 10**6}, "wanted at most .* a run of at most 24 h"),
        ("open-system", {"backend": "exact", "controller": "homeostasis", "steps": 10**5}, "steps"),
        ("qlif", {"circuits": "live", "pairs": 20_000}, "or circuits = table"),
    ],
)
def test_what_the_machine_cannot_hold_is_refused_with_the_nearest_that_it_can(
    free, system, values, words
):
    with pytest.raises(ConfigError, match=words) as caught:
        guard_needs(SYSTEMS[system], config_of(system, **values))
    assert "\n" not in str(caught.value)


def test_the_nearest_value_fits_and_the_next_one_does_not(free):
    system, values = SYSTEMS["lmg"], {"backend": "exact", "neurons": 10**4}
    with pytest.raises(ConfigError) as caught:
        guard_needs(system, config_of("lmg", steps=10**6, **values))
    nearest = int(str(caught.value).split("wanted at most ")[1].split()[0])
    guard_needs(system, config_of("lmg", steps=nearest, **values))
    with pytest.raises(ConfigError):
        guard_needs(system, config_of("lmg", steps=nearest + 1, **values))


@pytest.mark.parametrize("backend", ["exact", "aer", "fake_fez"])
@pytest.mark.parametrize("system", ["lmg", "qlif", "open-system", "hodgkin-huxley", "spiqgan"])
def test_the_defaults_of_every_system_fit_into_two_gigabytes_and_some_minutes(system, backend):
    memory, seconds = total_needs(needs_of(SYSTEMS[system], config_of(system, backend=backend)))
    assert 1e8 < memory < 2 * GB
    assert 1 < seconds < 300


def test_nothing_is_written_by_a_run_that_is_refused(free, tmp_path):
    config = config_of("lmg", backend="statevector", neurons=30)
    with pytest.raises(ConfigError, match="with 8 GB free, got 30"):
        start(SYSTEMS["lmg"], config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_dense_vector_doubles_with_each_qubit_and_products_do_not():
    sizes = [simulator_need("statevector", n, 1).memory_bytes for n in (20, 21, 22)]
    assert sizes[1] / sizes[0] == pytest.approx(2, rel=1e-3)
    assert sizes[0] > 16 * 2**20
    assert simulator_need("aer", 40, 1).memory_bytes < 1e8
    # a density matrix has the square of a vector's numbers
    noisy = [simulator_need("fake_fez", n, 10**6).memory_bytes for n in (10, 12)]
    assert noisy[1] - noisy[0] > 16 * (4**12 - 4**10)


def test_free_memory_is_of_this_machine_and_its_limits(monkeypatch):
    assert 1e7 < needs.free_memory() < 1e14
    monkeypatch.setattr(needs, "_of_machine", lambda: 5e9)
    monkeypatch.setattr(needs, "_of_control_group", lambda: 2e9)
    monkeypatch.setattr(needs, "_of_limits", lambda: None)
    assert needs.free_memory() == 2e9
    monkeypatch.setattr(needs, "_of_control_group", lambda: None)
    monkeypatch.setattr(needs, "_of_machine", lambda: None)
    assert needs.free_memory() == needs.ASSUMED_FREE


@pytest.mark.parametrize(
    ("value", "words"),
    [(3e8, "300 MB"), (16e9, "16 GB"), (1.5e12, "1.5 TB"), (1e30, "more than EBs")],
)
def test_memory_in_words(value, words):
    assert needs.memory_in_words(value) == words


@pytest.mark.parametrize(
    ("value", "words"), [(50, "50 s"), (150, "2.5 min"), (3600, "1 h"), (1e9, "32 years")]
)
def test_seconds_in_words(value, words):
    assert needs.seconds_in_words(value) == words


# ------------------------------------------------------------------------------ small pages


def brain_data(times, neurons):
    t = np.linspace(0, 12, times)
    random = np.random.default_rng(1)
    names = ("excitation", "excitation_stderr", "raw_excitation", "r", "r_stderr", "U", "U_stderr")
    found = {name: ("time", random.random(times)) for name in names}
    found |= {f"exact_{name}_fine": ("time_fine", random.random(800)) for name in ("r", "U")}
    found["exact_excitation_fine"] = ("time_fine", random.random(800))
    rows = random.random((times, neurons + 1))
    found |= dict.fromkeys(("populations", "exact_populations"), (("time", "excitations"), rows))
    axes = {"time": t, "time_fine": np.linspace(0, 12, 800), "excitations": np.arange(neurons + 1)}
    return xr.Dataset(found, axes, {"tau_f": 1.0})


@pytest.mark.parametrize(("times", "neurons"), [(17, 6), (8_000, 6), (17, 20_000)])
def test_a_page_s_pictures_do_not_grow_with_the_run(times, neurons):
    data = brain_data(times, neurons)
    picture = trajectory_figure(data, "title")
    for text in (inline_svg(picture), inline_svg(population_figure(data))):
        assert text.startswith("<svg")
        assert text.rstrip().endswith("</svg>")
        assert len(text) < LARGEST_SVG
    # the file's picture is drawn as before
    assert not any(line.get_rasterized() for axes in picture.axes for line in axes.lines)


def test_few_points_stay_vectors_and_many_become_pixels():
    for points, pixels in ((50, False), (30_000, True)):
        figure = Figure()
        figure.subplots().plot(np.random.default_rng(2).random(points), "o")
        assert ("<image" in inline_svg(figure)) == pixels


def test_a_picture_of_very_many_artists_becomes_one_of_pixels(monkeypatch):
    monkeypatch.setattr(thinning, "LARGEST_SVG", 20_000)
    figure = Figure()
    axes = figure.subplots()
    for k in range(60):
        axes.text(k / 60, 0.5, f"word {k}", fontsize=4)
    text = inline_svg(figure)
    assert text.count("<image") == 1
    assert "<path" not in text


@given(n=st.integers(1, 300), most=st.integers(1, 50))
@settings(deadline=None, max_examples=40)
def test_joined_cells_keep_their_sum_and_their_ends(n, most):
    random = np.random.default_rng(n)
    edges, values = np.cumsum(random.random(n + 1)), random.random((n, 3))
    joined, means = thinned(edges, values, most)
    assert len(means) == len(joined) - 1 <= max(most, 1)
    assert (joined[0], joined[-1]) == (edges[0], edges[-1])
    sizes = np.diff(np.searchsorted(edges, joined))
    np.testing.assert_allclose((means * sizes[:, None]).sum(axis=0), values.sum(axis=0))


# ------------------------------------------------------------------------------ rasters of bits


@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 11), st.integers(1, 4)),
    block=st.integers(1, 200),
)
@settings(deadline=None, max_examples=60)
def test_packed_rasters_give_back_what_was_put_in(shape, block):
    bits = np.random.default_rng(sum(shape)).integers(0, 2, shape, dtype=np.uint8)
    raster = bit_rasters.BitRaster(shape)
    for tick in range(0, shape[0], 2):
        raster.put(tick, bits[tick : tick + 2])
    np.testing.assert_array_equal(np.asarray(raster), bits)
    for first in range(shape[1]):
        np.testing.assert_array_equal(raster.groups(first, shape[1]), bits[:, first:])
    before, bit_rasters.BLOCK = bit_rasters.BLOCK, block
    try:
        blocks = list(bit_rasters.group_blocks(raster, bits))
    finally:
        bit_rasters.BLOCK = before
    for k in (0, 1):
        np.testing.assert_array_equal(np.concatenate([b[k] for b in blocks], axis=1), bits)
    np.testing.assert_array_equal(
        raster.of_neurons([shape[2] - 1]).ticks(0, 1)[..., 0], bits[:1, :, -1]
    )


@pytest.mark.parametrize(
    "values",
    [
        {"pairs": 13, "ticks": 300},
        {"pairs": 9, "ticks": 200, "settings": "linear"},
        {"pairs": 7, "ticks": 100, "group": 3},
        {"pairs": 5, "ticks": 150, "backend": "aer", "shots": 200},
    ],
)
def test_a_run_kept_as_bits_is_the_same_run(values, monkeypatch, tmp_path):
    config = config_of("qlif", **{"backend": "exact", **values})
    whole = start(SYSTEMS["qlif"], config, tmp_path / "whole", draw=False)
    monkeypatch.setattr(bit_rasters, "LARGE", 100)
    monkeypatch.setattr(bit_rasters, "BLOCK", 1000)
    parts = start(SYSTEMS["qlif"], config, tmp_path / "parts", draw=False)
    assert set(parts.parts.outcome.large) >= {"spikes", "session_spikes", "outcomes"}
    own = ("fit", "wall_seconds", "run_dir")
    assert {k: v for k, v in parts.result.items() if k not in own} == {
        k: v for k, v in whole.result.items() if k not in own
    }
    assert parts.fit.rmse == pytest.approx(whole.fit.rmse, rel=1e-9)
    xr.testing.assert_equal(parts.data, whole.data)
    xr.testing.assert_equal(parts.data.spikes[1:, 50:3:-4, 2], whole.data.spikes[1:, 50:3:-4, 2])
    xr.testing.assert_equal(parts.data.spikes[0, 9:9], whole.data.spikes[0, 9:9])
    written = [
        xr.load_dataset(run.folder / "result.nc", engine="h5netcdf") for run in (whole, parts)
    ]
    xr.testing.assert_identical(*written)


# ------------------------------------------------------------------------------ what is told


def lines_of(monkeypatch, work, *, quiet=False):
    out = io.StringIO()
    monkeypatch.setattr(progress.sys, "stderr", out)
    monkeypatch.setattr(progress, "FIRST", 0.15)
    monkeypatch.setattr(progress, "SHORTEST", 0.15)
    monkeypatch.delenv(progress.QUIET, raising=False)
    if quiet:
        monkeypatch.setenv(progress.QUIET, "1")
    with progress.telling():
        work()
    return out.getvalue().splitlines()


def slowly():
    progress.say("building")
    time.sleep(0.5)
    with progress.progress(3, what="measuring") as tick:
        tick("E = 0.5")
        time.sleep(0.6)


def test_a_command_that_lasts_says_what_it_does(monkeypatch):
    told = lines_of(monkeypatch, slowly)
    assert told[0].startswith("qbrain: building (")
    assert any(line.startswith("qbrain: measuring, 1 of 3: E = 0.5 (") for line in told)
    assert len(told) <= 3


def test_nothing_is_told_of_a_short_command_or_where_none_wants_it(monkeypatch):
    assert lines_of(monkeypatch, lambda: progress.say("building")) == []
    assert lines_of(monkeypatch, slowly, quiet=True) == []


def test_estimates_say_what_this_machine_takes():
    from qbrain.experiments.engine.run import estimate

    found = estimate(SYSTEMS["lmg"], config_of("lmg", steps=2))
    assert found["memory_bytes"] > 1e8
    assert math.isfinite(found["seconds"])
