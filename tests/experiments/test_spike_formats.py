"""Spike times and rasters as programs write them: the same spikes from each, or one line."""

import numpy as np
import pytest
from h5py import File, Reference, special_dtype
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix, save_npz

from qbrain.experiments.errors import ConfigError
from qbrain.experiments.spikes.data import load_spikes
from qbrain.experiments.spikes.layout import AXES
from qbrain.experiments.spikes.time_units import check_seconds, named_unit

TRIALS, BINS, NEURONS, BIN = 5, 40, 3, 0.02
RASTER = (np.random.default_rng(0).random((TRIALS, BINS, NEURONS)) < [0.1, 0.4, 0.2]).astype("u1")
RASTER[-1, -1, 1] = 1
FLAT = RASTER.reshape(-1, NEURONS)
PLACE, NEURON = np.nonzero(FLAT)
# a spike at 0.3 of its bin, on one clock and in its trial
TIMES = (PLACE + 0.3) * BIN
TRIAL, INSIDE = PLACE // BINS, (PLACE % BINS + 0.3) * BIN
ROWS = list(zip(TRIAL, NEURON, INSIDE, strict=True))
RATE = 30_000.0


def lines(head, form):
    return head + "".join(form(*row) + "\n" for row in ROWS)


TABLES = {
    "semicolons": lines("trial;neuron;time\n", "{};{};{:.4f}".format),
    "decimal commas": lines(
        "trial;neuron;time\n", lambda s, i, t: f"{s};{i};{t:.4f}".replace(".", ",")
    ),
    "quoted decimal commas": lines(
        "trial,neuron,time\n", lambda s, i, t: f'{s},{i},"{t:.4f}"'.replace("0.", "0,")
    ),
    "tabs": lines("trial\tneuron\ttime\n", "{}\t{}\t{:.4f}".format),
    "blanks": lines("trial  neuron time\n", "{} {}   {:.4f}".format),
    "bars": lines("trial|neuron|time\n", "{}|{}|{:.4f}".format),
    "floats after a NaN": lines(
        ",trial,neuron,time\n0,,,\n", lambda s, i, t: f"7,{s:.1f},{i:.1f},{t:.4f}"
    ),
    "quotes": lines('"Trial","Neuron","Time"\n', '"{}","{}","{:.4f}"'.format),
    "other names": lines("Unit ID,spike_time,Repeat\n", lambda s, i, t: f"{i},{t:.4f},{s}"),
    "camel case": lines("trialIndex,unitId,spikeTime\n", "{},{},{:.4f}".format),
    "comments": lines("# made up\n\n// more\ntrial,neuron,time\n", "{},{},{:.4f}".format),
    "Excel": lines("sep=;\ntrial;neuron;time\n", "{};{};{:.4f}".format),
    "ms in brackets": lines("trial,neuron,time (ms)\n", lambda s, i, t: f"{s},{i},{1e3 * t:.1f}"),
    "ms after a line": lines("trial,neuron,time_ms\n", lambda s, i, t: f"{s},{i},{1e3 * t:.1f}"),
    "microseconds": lines("trial,neuron,Time [µs]\n", lambda s, i, t: f"{s},{i},{1e6 * t:.0f}"),
    "trials from 1": lines("trial,neuron,time\n", lambda s, i, t: f"{s + 1},{i},{t:.4f}"),
    "ends of lines": lines("trial,neuron,time\n", "{},{},{:.4f}".format).replace("\n", "\r\n"),
    "fields too many": lines("trial,neuron,time\n", "{},{},{:.4f},,".format),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_as_programs_write_them(tmp_path, name, encoding):
    (tmp_path / "a.csv").write_bytes(TABLES[name].encode(encoding))
    data = load_spikes(tmp_path / "a.csv", bin_s=BIN)
    np.testing.assert_array_equal(data.raster, RASTER)
    assert data.cells == (0, 1, 2)
    assert data.recording.spikes == data.recording.kept_spikes == RASTER.sum()
    assert not data.recording.suspicions


def test_latin_letters_and_names_of_cells(tmp_path):
    text = lines("trial,unit,t (µs)\n", lambda s, i, t: f"{s},CA{i + 1},{1e6 * t:.0f}")
    (tmp_path / "a.csv").write_bytes(b"# \xb5V\n" + text.replace("t (µs)", "t_us").encode())
    data = load_spikes(tmp_path / "a.csv", bin_s=BIN, cells=["CA3", "CA1"])
    np.testing.assert_array_equal(data.raster, RASTER[:, :, [2, 0]])
    assert data.cells == ("CA3", "CA1")
    assert data.recording.time_unit == "us"
    assert data.recording.time_unit_from == "column t_us"


def test_lines_without_a_cell_are_told_of(tmp_path):
    (tmp_path / "a.csv").write_text(TABLES["quotes"] + "1,,0.5\n2,nan,0.5\n")
    data = load_spikes(tmp_path / "a.csv", bin_s=BIN)
    np.testing.assert_array_equal(data.raster, RASTER)
    assert data.recording.cuts == ("2 lines without a neuron or trial were left out",)


def cells_of_times(order=None):
    held = np.empty((1, NEURONS), object)
    for k in range(NEURONS):
        held[0, k] = TIMES[k == NEURON][None]
    return held


def grid():
    held = np.empty((NEURONS, TRIALS), object)
    for k in range(NEURONS):
        for s in range(TRIALS):
            held[k, s] = INSIDE[(k == NEURON) & (s == TRIAL)][:, None]
    return held


def mat73(path):
    with File(path, "w") as file:
        cells = file.create_dataset("spikes", (NEURONS, 1), dtype=special_dtype(ref=Reference))
        for k in range(NEURONS):
            cells[k, 0] = file.create_dataset(f"#refs#/{k}", data=TIMES[k == NEURON][None]).ref


def structures(path):
    units = np.zeros((1, NEURONS), dtype=[("times", object), ("depth", object)])
    for k in range(NEURONS):
        units[0, k] = TIMES[k == NEURON][:, None], 10.0 * k
    savemat(path, {"units": units, "fs": RATE})


def phy(path):
    path.mkdir()
    order = np.random.default_rng(1).permutation(len(TIMES))
    np.save(path / "spike_times.npy", np.round(TIMES * RATE).astype(np.uint64)[order][:, None])
    np.save(path / "spike_clusters.npy", NEURON[order].astype(np.int32))
    mark = path / "must-not-exist"
    (path / "params.py").write_text(f"open({str(mark)!r}, 'w')\nn = 1\nsample_rate = {RATE}\n")


SAMPLES = np.round(TIMES * RATE).astype(int)
# two axes or times on one clock, to be cut into trials
CONTINUOUS = {
    "brian.npz": lambda p: np.savez(p, i=NEURON, t=TIMES),
    "nest.npz": lambda p: np.savez(p, senders=NEURON, times=1e3 * TIMES),
    "columns.npz": lambda p: np.savez(p, spike_clusters=NEURON, spike_times_ms=1e3 * TIMES),
    "trains.npz": lambda p: np.savez(p, **{f"{k}": TIMES[k == NEURON] for k in range(NEURONS)}),
    "spikeinterface.npz": lambda p: np.savez(
        p, unit_ids=np.arange(3), num_segment=[1], sampling_frequency=[RATE],
        spike_indexes_seg0=SAMPLES, spike_labels_seg0=NEURON,
    ),
    "csr.npz": lambda p: save_npz(p, csr_matrix(FLAT)),
    "csc.npz": lambda p: save_npz(p, csc_matrix(FLAT.astype(bool))),
    "coo.npz": lambda p: save_npz(p, coo_matrix(FLAT.astype(float)), compressed=False),
    "cells.mat": lambda p: savemat(p, {"spikes": cells_of_times(), "note": "made up"}),
    "column.mat": lambda p: savemat(p, {"spikes": cells_of_times().T}),
    "struct.mat": lambda p: savemat(p, {"data": {"raster": FLAT.astype(float), "dt": 0.02}}),
    "structs.mat": structures,
    "columns.mat": lambda p: savemat(p, {"unit": NEURON, "time": TIMES, "fs": RATE}),
    "new.mat": mat73,
    "wave_clus.mat": lambda p: savemat(
        p, {"cluster_class": np.stack([NEURON + 1, 1e3 * TIMES], axis=1), "par": {"sr": RATE}}
    ),
    "phy": phy,
    "nest.gdf": lambda p: p.write_text(
        "".join(f"{i + 1}\t{1e3 * t:.3f}\n" for i, t in zip(NEURON, TIMES, strict=True))
    ),
    "nest.dat": lambda p: p.write_text(
        "# NEST version: 3.4\nsender\ttime_ms\n"
        + "".join(f"{i + 1}\t{1e3 * t:.3f}\n" for i, t in zip(NEURON, TIMES, strict=True))
    ),
    "table.csv": lambda p: p.write_text(
        "neuron,time\n" + "".join(f"{i},{t:.4f}\n" for i, t in zip(NEURON, TIMES, strict=True))
    ),
    "table.txt": lambda p: p.write_text(
        "cell time\n" + "".join(f"{i} {t:.4f}\n" for i, t in zip(NEURON, TIMES, strict=True))
    ),
}  # fmt: skip
FROM_ONE = ("wave_clus.mat", "nest.gdf", "nest.dat")


@pytest.mark.parametrize("name", CONTINUOUS)
def test_what_simulators_and_sorters_save_is_cut_into_trials(tmp_path, name):
    CONTINUOUS[name](tmp_path / name)
    data = load_spikes(tmp_path / name, bin_s=BIN, trials=TRIALS)
    np.testing.assert_array_equal(data.raster, RASTER)
    wanted = {"trains.npz": ("0", "1", "2")}.get(name, (0, 1, 2))
    assert data.cells == ((1, 2, 3) if name in FROM_ONE else wanted)
    assert data.recording.trials_from == f"one recording cut into {TRIALS} equal parts"
    assert not data.recording.cuts
    assert not list(tmp_path.rglob("must-not-exist"))
    # a rest of bins is left out, and told of
    four = load_spikes(tmp_path / name, bin_s=BIN, trials=3)
    np.testing.assert_array_equal(four.raster, FLAT[:198].reshape(3, 66, NEURONS))
    assert "the last 2 of 200 bins were left out to make 3 trials equal" in four.recording.cuts


def test_cells_of_times_in_two_axes_say_which_is_which(tmp_path):
    savemat(tmp_path / "a.mat", {"spikes": grid()})
    with pytest.raises(ConfigError, match=r"axes: wanted neurons,trials or .*has 3 by 5 cells"):
        load_spikes(tmp_path / "a.mat", bin_s=BIN)
    data = load_spikes(tmp_path / "a.mat", bin_s=BIN, axes="neurons,trials")
    np.testing.assert_array_equal(data.raster, RASTER)
    other = load_spikes(tmp_path / "a.mat", bin_s=BIN, axes="trials,neurons", neurons=1)
    assert len(other.raster) == NEURONS


def test_a_silent_cell_keeps_its_place(tmp_path):
    cells = cells_of_times()
    cells[0, 0] = np.zeros((0, 0))
    savemat(tmp_path / "a.mat", {"spikes": cells})
    data = load_spikes(tmp_path / "a.mat", bin_s=BIN, neurons=2)
    assert data.cells == (1, 2)
    assert data.recording.silent_cells == 1
    assert data.recording.suspicions == ("cells: 1 of 3 have no spike (0)",)


def test_segments_of_a_sorting_are_trials_and_noise_is_left_out(tmp_path):
    parts = {"num_segment": [TRIALS], "sampling_frequency": [RATE], "unit_ids": [0, 1, 2]}
    for s in range(TRIALS):
        here = s == TRIAL
        parts[f"spike_indexes_seg{s}"] = np.round(INSIDE[here] * RATE).astype(int)
        parts[f"spike_labels_seg{s}"] = NEURON[here]
    np.savez(tmp_path / "a.npz", **parts)
    np.testing.assert_array_equal(load_spikes(tmp_path / "a.npz", bin_s=BIN).raster, RASTER)
    del parts["spike_labels_seg3"]
    np.savez(tmp_path / "b.npz", **parts)
    with pytest.raises(ConfigError, match=r"wanted spike_labels_seg3 in b\.npz, got none"):
        load_spikes(tmp_path / "b.npz", bin_s=BIN)
    phy(tmp_path / "phy")
    (tmp_path / "phy" / "cluster_group.tsv").write_text("cluster_id\tgroup\n0\tnoise\n1\tgood\n")
    data = load_spikes(tmp_path / "phy", bin_s=BIN, trials=TRIALS)
    np.testing.assert_array_equal(data.raster, RASTER[:, :, 1:])
    assert data.recording.cuts == (
        f"{(NEURON == 0).sum()} spikes of clusters labelled noise were left out",
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: (p / "params.py").unlink(), "sampling_rate: wanted samples a second"),
        (lambda p: (p / "params.py").write_text("sample_rate = rate()"), r"got rate\(\)"),
        (lambda p: (p / "params.py").write_text("sample_rate = -1"), "> 0, got -1"),
        (lambda p: (p / "params.py").write_text("sample_rate = ("), "readable params.py"),
        (lambda p: (p / "spike_clusters.npy").unlink(), "wanted spike_clusters.npy or"),
        (lambda p: np.save(p / "spike_clusters.npy", NEURON[:-1]), "as many clusters as spikes"),
        (lambda p: np.save(p / "spike_times.npy", np.zeros((4, 4))), "a list of numbers"),
    ],
)
def test_a_folder_of_phy_that_lacks_something_says_what(tmp_path, change, words):
    phy(tmp_path / "phy")
    change(tmp_path / "phy")
    with pytest.raises(ConfigError, match=words) as caught:
        load_spikes(tmp_path / "phy", bin_s=BIN)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("axes", AXES)
def test_named_axes_are_turned(tmp_path, axes):
    names = axes.split(",")
    standard = [n for n in ("trials", "time", "neurons") if n in names]
    array = RASTER if len(names) == 3 else FLAT
    np.save(tmp_path / "a.npy", array.transpose([standard.index(n) for n in names]))
    data = load_spikes(tmp_path / "a.npy", bin_s=BIN, axes=axes, trials=TRIALS)
    np.testing.assert_array_equal(data.raster, RASTER)


WIDE = (np.random.default_rng(2).random((60, 200, 8)) < np.linspace(0.3, 0.02, 8)).astype("u1")


@pytest.mark.parametrize("order", [(0, 2, 1), (2, 1, 0), (2, 0, 1), (1, 0, 2), (1, 2, 0)])
def test_turned_rasters_are_refused_or_told_of(tmp_path, order):
    np.save(tmp_path / "a.npy", WIDE.transpose(order))
    try:
        told = load_spikes(tmp_path / "a.npy", bin_s=BIN).recording.suspicions
    except ConfigError as error:
        told = [str(error)]
    if order == (1, 0, 2):  # trials and time alike in rates: nothing tells them apart
        assert WIDE.transpose(order).shape == (200, 60, 8)
        return
    assert any("looks transposed" in text and "--axes" in text for text in told)


def test_a_raster_in_order_is_not_suspected(tmp_path):
    np.save(tmp_path / "a.npy", WIDE)
    assert load_spikes(tmp_path / "a.npy", bin_s=BIN).recording.suspicions == ()
    # neurons alike and a stimulus in time
    wave = 0.1 + 0.09 * np.sin(np.arange(200) / 8)
    alike = np.random.default_rng(3).random((60, 200, 8)) < wave[None, :, None]
    np.save(tmp_path / "b.npy", alike)
    assert load_spikes(tmp_path / "b.npy", bin_s=BIN).recording.suspicions == ()


def test_counts_are_refused_with_the_way_out(tmp_path):
    np.save(tmp_path / "a.npy", RASTER * 3)
    with pytest.raises(ConfigError, match=r"got 3 at \(.*say --clip to make those above one 1"):
        load_spikes(tmp_path / "a.npy", bin_s=BIN)
    data = load_spikes(tmp_path / "a.npy", bin_s=BIN, clip=True)
    np.testing.assert_array_equal(data.raster, RASTER)
    assert data.recording.merged_spikes == 2 * RASTER.sum()
    for array, words in (
        (RASTER, "clip: would be ignored"),
        (RASTER * 0.5, r"wanted zeros and ones, got 0.5"),
        (RASTER * -1.0, r"wanted zeros and ones, got -1"),
    ):
        np.save(tmp_path / "b.npy", array)
        with pytest.raises(ConfigError, match=words):
            load_spikes(tmp_path / "b.npy", bin_s=BIN, clip=True)


def test_a_header_that_lies_about_the_unit_is_told(tmp_path):
    for head, factor in (("time (s)", 1e3), ("time (ms)", 1.0)):
        rows = [f"{s},{i},{factor * t:.4f}\n" for s, i, t in ROWS]
        (tmp_path / "a.csv").write_text(f"trial,neuron,{head}\n" + "".join(rows))
        told = load_spikes(tmp_path / "a.csv", bin_s=1e-4 * factor + 1e-4).recording.suspicions
        words = "time_unit: s, as column time (s) says, but" if factor > 1 else "spikes a second;"
        assert any(words in text for text in told)


def in_unit(path, factor, form="{:.0f}"):
    rng = np.random.default_rng(1)
    spikes = rng.random((40, 100, 4)) < [0.15, 0.12, 0.1, 0.08]
    trial, place, neuron = np.nonzero(spikes)
    rows = [
        f"{s},{i}," + form.format((b * BIN + 0.006) * factor) + "\n"
        for s, b, i in zip(trial, place, neuron, strict=True)
    ]
    path.write_text("trial,neuron,time\n" + "".join(rows))
    return spikes


@pytest.mark.parametrize(
    ("unit", "factor", "form"),
    [
        ("ms", 1e3, "{:.0f}"), ("ms", 1e3, "{:.3f}"), ("us", 1e6, "{:.0f}"), ("us", 1e6, "{:.1f}"),
        ("samples", RATE, "{:.0f}"),
    ],
)  # fmt: skip
def test_times_that_cannot_be_seconds_are_refused_and_converted_on_request(
    tmp_path, unit, factor, form
):
    spikes = in_unit(tmp_path / "a.csv", factor, form)
    with pytest.raises(ConfigError, match=r"^time_unit: wanted spike times in seconds, got .*say"):
        load_spikes(tmp_path / "a.csv", bin_s=BIN)
    more = {"sampling_rate": RATE} if unit == "samples" else {}
    data = load_spikes(tmp_path / "a.csv", bin_s=BIN, time_unit=unit, **more)
    np.testing.assert_array_equal(data.raster, spikes)
    assert (data.recording.time_unit, data.recording.time_unit_from) == (unit, "option time_unit")
    # who says that they are seconds is believed
    if unit == "ms":
        believed = load_spikes(tmp_path / "a.csv", bin_s=10.0, time_unit="s")
        assert believed.recording.trial_s > 1000


@given(st.floats(0.06, 300), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_what_neurons_do_is_never_refused_as_seconds(rate, seed):
    """Poisson spikes of any rate a neuron has; the same in ms are."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.exponential(1 / rate, size=200))
    nothing = np.zeros(200, np.int64)
    if 200 / times[-1] > 0.06:
        check_seconds(nothing, nothing, times, float(times[-1]), "a")
    if rate < 40:
        with pytest.raises(ConfigError, match="time_unit: wanted spike times in seconds"):
            check_seconds(nothing, nothing, times * 1e3, float(times[-1] * 1e3), "a")


@pytest.mark.parametrize(
    ("name", "base", "unit"),
    [
        ("time", "time", None), ("Time (ms)", "time", "ms"), ("time_in_ms", "time", "ms"),
        ("spike_times/s", "spike_times", "s"), ("t[µs]", "t", "us"), ("times", "times", None),
        ("Time Seconds", "time", "s"), ("time_samples", "time", "samples"), ("ms", "ms", None),
    ],
)  # fmt: skip
def test_units_in_names(name, base, unit):
    assert named_unit(name) == (base, unit)


IGNORED = {
    "raster": (
        lambda p: np.save(p, RASTER), ".npy",
        {"time_unit": "ms", "sampling_rate": 1e3, "intervals": "trials", "span": (0, 1)},
    ),
    "times": (
        lambda p: np.savez(p, i=NEURON, t=TIMES), ".npz",
        {"clip": True, "axes": "time,neurons", "intervals": "a", "sampling_rate": 1e3},
    ),
    "table": (
        lambda p: p.write_text(TABLES["tabs"]), ".csv",
        {"clip": True, "axes": "time,neurons", "intervals": "a", "span": (0, 1)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", IGNORED)
def test_options_that_would_be_ignored_are_refused(tmp_path, name):
    write, ending, options = IGNORED[name]
    write(tmp_path / f"a{ending}")
    for option, value in options.items():
        with pytest.raises(ConfigError, match=f"^{option}: would be ignored, since "):
            load_spikes(tmp_path / f"a{ending}", bin_s=BIN, **{option: value})


def test_what_contradicts_the_file_is_refused(tmp_path):
    phy(tmp_path / "phy")
    (tmp_path / "a.csv").write_text(TABLES["ms after a line"])
    np.savez(tmp_path / "a.npz", i=NEURON, t=SAMPLES)
    for name, options, words in (
        ("phy", {"time_unit": "s"}, "time_unit: wanted samples, as Phy says, got s"),
        ("phy", {"sampling_rate": 1e3}, "sampling_rate: wanted 30000, the file's own, got 1000"),
        ("phy", {"variable": "a"}, "variable: would be ignored"),
        ("phy/spike_times.npy", {}, "wanted the folder phy of Phy or Kilosort"),
        ("a.csv", {"time_unit": "s"}, "time_unit: wanted ms, as column time_ms says, got s"),
        ("a.csv", {"variable": "a"}, "variable: wanted none for .csv, got 'a'"),
        ("a.csv", {"trials": 3}, r"trials: wanted every trial's number from 0 to 2, got 3, 4"),
        ("a.npz", {"time_unit": "samples"}, "sampling_rate: wanted samples a second"),
        ("a.npz", {"time_unit": "hours"}, "time_unit: wanted s, ms, us or samples, got 'hours'"),
        ("a.npz", {"span": (3.0, 1.0)}, "span: wanted seconds from where to where"),
        ("a.npz", {"span": (3e6, 1e7), "time_unit": "s"}, "span: wanted spikes from 3e"),
    ):
        with pytest.raises(ConfigError, match=words):
            load_spikes(tmp_path / name, bin_s=BIN, **options)


def test_a_recording_of_known_length_is_cut_from_where_it_begins(tmp_path):
    np.savez(tmp_path / "a.npz", i=NEURON, t=TIMES + 3.0)
    data = load_spikes(tmp_path / "a.npz", bin_s=BIN, trials=TRIALS, span=(3.0, 7.0))
    np.testing.assert_array_equal(data.raster, RASTER)
    assert not data.recording.cuts
    part = load_spikes(tmp_path / "a.npz", bin_s=BIN, span=(3.8, 5.4), neurons=2)
    assert part.recording.cells == NEURONS
    np.testing.assert_array_equal(
        part.raster, RASTER[1:3].reshape(1, 80, NEURONS)[:, :, list(part.cells)]
    )
    late = load_spikes(tmp_path / "a.npz", bin_s=BIN)
    assert any("the first spike is at 3" in text for text in late.recording.suspicions)


def test_what_looks_wrong_is_told(tmp_path):
    rng = np.random.default_rng(4)
    one = np.sort(rng.random(400) * 60)
    # a cell with spikes twice, one with bursts that no neuron has, one with nearly all spikes
    many = np.sort(rng.random(20_000) * 60)
    double = np.sort(np.concatenate([one, one + 2e-4]))
    trains = {0: np.concatenate([one, one[:100]]), 1: double, 2: many, 3: one[::40]}
    cells = np.repeat(list(trains), [len(t) for t in trains.values()])
    np.savez(tmp_path / "a.npz", i=cells, t=np.concatenate(list(trains.values())))
    told = "; ".join(load_spikes(tmp_path / "a.npz", bin_s=BIN).recording.suspicions)
    for words in (
        "times: 100 spikes stand in the file more than once",
        "of the intervals of cells 1, 2 are below 1 ms",
        "cells: 2 has 93.",
        "share a bin with another of their cell",
    ):
        assert words in told
    np.save(tmp_path / "b.npy", np.concatenate([RASTER, RASTER[:, :, :1]], axis=2))
    told = load_spikes(tmp_path / "b.npy", bin_s=BIN).recording.suspicions
    assert told == ("cells: 3 has the same bins as 0 throughout",)


def test_several_arrays_are_named(tmp_path):
    held = {"a": {"times": cells_of_times()}, "b": {"times": cells_of_times()}}
    savemat(tmp_path / "a.mat", held)
    with pytest.raises(ConfigError, match=r"variable: wanted one of a.times, b.times, got none"):
        load_spikes(tmp_path / "a.mat", bin_s=BIN)
    data = load_spikes(tmp_path / "a.mat", bin_s=BIN, variable="b.times", trials=TRIALS)
    np.testing.assert_array_equal(data.raster, RASTER)
