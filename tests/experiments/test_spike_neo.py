"""Spike times from NWB files and from Neo: the same raster as from a table; mistakes named."""

import datetime
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qbrain.experiments.errors import ConfigError
from qbrain.experiments.spikes.data import load_spikes, split_trials
from qbrain.experiments.spikes.neo import neo_spikes

neo = pytest.importorskip("neo")
pynwb = pytest.importorskip("pynwb")

BIN = 0.02
RASTER = (np.random.default_rng(0).random((4, 30, 3)) < [0.1, 0.4, 0.2]).astype(np.uint8)


def times_of(raster, shift=0.5):
    """Seconds of the spikes of each neuron in each trial, so far into their bins."""
    return [
        [(np.flatnonzero(trial[:, i]) + shift) * BIN for i in range(raster.shape[2])]
        for trial in raster
    ]


def save_nwb(path, times, trials=(), **more):
    file = pynwb.NWBFile("spikes", "a", datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
    for number, found in enumerate(times):
        file.add_unit(spike_times=found, id=10 * number + more.get("first", 7))
    for start, stop in trials:
        file.add_trial(start_time=start, stop_time=stop)
    with pynwb.NWBHDF5IO(str(path), "w") as held:
        held.write(file)
    return path


def as_block(times, length, names=None, unit="s"):
    block = neo.Block()
    for row in times:
        segment = neo.Segment()
        block.segments.append(segment)
        for i, found in enumerate(row):
            train = neo.SpikeTrain(
                np.asarray(found), units="s", t_stop=length, name=names[i] if names else None
            )
            segment.spiketrains.append(train.rescale(unit))
    return block


@given(st.integers(1, 5), st.integers(1, 12), st.integers(1, 4), st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_a_raster_written_as_spike_times_comes_back(trials, bins, neurons, seed):
    raster = (np.random.default_rng(seed).random((trials, bins, neurons)) < 0.4).astype(np.uint8)
    raster[0, 0] = 1
    # on the edges of bins, in milliseconds
    block = as_block(times_of(raster, 0.0), bins * BIN, unit="ms")
    data = neo_spikes(block, bin_s=BIN, source="test")
    np.testing.assert_array_equal(data.raster, raster)
    assert data.raster.dtype == np.uint8
    assert (data.bin_s, data.cells, data.source) == (BIN, tuple(range(neurons)), "test")


@pytest.mark.parametrize("shift", [0.0, 0.5, 0.99])
def test_units_of_an_nwb_file_are_sorted_into_its_trials(tmp_path, shift):
    # out of order, with gaps between them, far from the clock's zero, of unequal length
    starts = np.array([903.7, 100.1, 501.3, 300.9])
    stops = starts + 30 * BIN + [0.0, 3.0, 0.013, 1.0]
    times = times_of(RASTER, shift)
    units = [
        np.concatenate(
            [
                [-5.0, 99.0, 100.1 + 30 * BIN + 1.0, 2000.0],
                *[starts[k] + times[k][i] for k in range(4)],
            ]
        )
        for i in range(3)
    ]
    path = save_nwb(tmp_path / "a.nwb", units, zip(starts, stops, strict=True))
    data = load_spikes(path, bin_s=BIN)
    np.testing.assert_array_equal(data.raster, RASTER)
    assert (data.bin_s, data.cells, data.source) == (BIN, (7, 17, 27), "a.nwb")
    chosen = load_spikes(path, bin_s=BIN, cells=[27, 7], trials=4)
    np.testing.assert_array_equal(chosen.raster, RASTER[:, :, [2, 0]])
    wide = load_spikes(path, bin_s=3 * BIN).raster
    np.testing.assert_array_equal(wide, RASTER.reshape(4, 10, 3, 3).max(axis=2))


def test_a_recording_without_trials_is_cut_into_equal_parts(tmp_path):
    # from the first spike to the last, 5.4 bins: a rest of a bin is dropped, then a rest of bins
    path = save_nwb(tmp_path / "a.nwb", [[3.0, 3.5, 8.4], [4.0, 7.99]])
    whole = [[1, 0], [0, 1], [0, 0], [0, 0], [0, 1]]
    np.testing.assert_array_equal(load_spikes(path, bin_s=1.0).raster, [whole])
    parts = load_spikes(path, bin_s=1.0, trials=2)
    np.testing.assert_array_equal(parts.raster, [whole[:2], whole[2:4]])


def test_a_spike_on_the_edge_of_a_trial_is_in_the_one_that_begins(tmp_path):
    # the second begins 6e-17 s after the spike
    trials = [(0.0, 0.3), (0.1 + 0.2, 0.6)]
    path = save_nwb(tmp_path / "a.nwb", [[0.3]], trials)
    found = load_spikes(path, bin_s=0.1).raster[:, :, 0]
    np.testing.assert_array_equal(found, [[0, 0, 0], [1, 0, 0]])


def test_a_unit_that_never_spikes_is_named_and_may_be_left_out(tmp_path):
    path = save_nwb(tmp_path / "a.nwb", [[0.1, 0.7], [], [5.0]], [(0.0, 0.5), (0.5, 1.0)])
    for options in ({}, {"cells": [7, 27]}):
        with pytest.raises(ConfigError, match=r"cells: wanted cells that spike, got [12]7, silent"):
            load_spikes(path, bin_s=0.1, **options)
    assert load_spikes(path, bin_s=0.1, neurons=1).cells == (7,)


def test_what_neo_wrote_is_read_back_the_same(tmp_path):
    times = times_of(RASTER)
    block = as_block(times, 30 * BIN, ["a", "b", "c"])
    neo.io.NeoMatlabIO(str(tmp_path / "a.mat")).write_block(block)
    block.annotate(session_start_time=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
    with pytest.warns(FutureWarning, match="positional"):
        neo.io.NWBIO(str(tmp_path / "a.nwb"), mode="w").write_block(block)
    for name in ("a.mat", "a.nwb"):
        data = load_spikes(tmp_path / name, bin_s=BIN, trials=4)
        np.testing.assert_array_equal(data.raster, RASTER)
        assert data.cells == (0, 1, 2)
    # a line a train; the recording ends with its last spike
    lines = ["\t".join(f"{t:.4f}" for t in times[0][i]) + "\n" for i in range(3)]
    (tmp_path / "a.txt").write_text("".join(lines))
    data = load_spikes(tmp_path / "a.txt", bin_s=BIN)
    last = int(np.flatnonzero(RASTER[0].any(axis=1)).max())
    np.testing.assert_array_equal(data.raster, RASTER[:1, :last])


def test_readers_that_load_late_are_made_to_load(tmp_path):
    # Neo's own made-up format, read lazily: a spike every 50 ms for a second, of ten; again at 15 s
    (tmp_path / "a.fake").write_bytes(b"")
    data = load_spikes(tmp_path / "a.fake", bin_s=0.05)
    wanted = np.zeros((2, 200, 3), dtype=np.uint8)
    wanted[:, :20] = 1
    np.testing.assert_array_equal(data.raster, wanted)


def test_neurons_keep_together_by_name_or_by_place():
    times = times_of(RASTER[:2])
    block = as_block(times, 30 * BIN, ["a", "b", "c"])
    block.segments[1].spiketrains[:] = [block.segments[1].spiketrains[i] for i in (2, 0, 1)]
    np.testing.assert_array_equal(neo_spikes(block, bin_s=BIN).raster, RASTER[:2])
    for row, name in zip(block.segments[1].spiketrains, ("x", "y", "z"), strict=True):
        row.name = name
    by_place = neo_spikes(block, bin_s=BIN).raster
    np.testing.assert_array_equal(by_place[1], RASTER[1][:, [2, 0, 1]])


def test_blocks_segments_and_lists_of_them_are_taken():
    block = as_block(times_of(RASTER), 30 * BIN)
    whole = neo_spikes(block, bin_s=BIN).raster
    for same in (block.segments, list(block.segments), [block]):
        np.testing.assert_array_equal(neo_spikes(same, bin_s=BIN).raster, whole)
    np.testing.assert_array_equal(neo_spikes([block, block], bin_s=BIN).raster[4:], whole)
    data = neo_spikes(block.segments[0], bin_s=BIN, trials=3, neurons=2)
    wanted = RASTER[0][:, list(data.cells)].reshape(3, 10, 2)
    np.testing.assert_array_equal(data.raster, wanted)


def test_segments_of_unequal_length_are_cut_to_the_shortest():
    times = [[[0.1, 0.9]], [[0.2, 1.6]]]
    block = as_block(times, 2.0)
    block.segments[0].spiketrains[0].t_stop = 1.0 * block.segments[0].spiketrains[0].units
    data = neo_spikes(block, bin_s=0.5)
    np.testing.assert_array_equal(data.raster[:, :, 0], [[1, 1], [1, 0]])


TRIALS = [(0.0, 1.0), (1.0, 2.0)]
NWB = {
    "nan": (([[0.1, np.nan]], TRIALS), {}, "finite spike times in a.nwb, got nan of neuron 7"),
    "inf": (([[0.1], [np.inf]], TRIALS), {}, "finite spike times .*got inf of neuron 17"),
    "silent": (([[], []], TRIALS), {}, "wanted spikes in a.nwb, got none"),
    "no units": (([], TRIALS), {}, "wanted a table of units with spike_times in a.nwb, got none"),
    "trial nan": (
        ([[0.1]], [(0.0, np.nan)]),
        {},
        "trials that start before they stop, got 0 to nan s",
    ),
    "turned": (([[0.1]], [(2.0, 1.0)]), {}, "trials that start before .*got 2 to 1 s"),
    "overlap": (
        ([[0.1]], [(1.0, 2.0), (0.0, 1.5)]),
        {},
        "trials that do not overlap, got 0 to 1.5 s and 1 to 2 s",
    ),
    "trials": (([[0.1]], TRIALS), {"trials": 3}, "trials: wanted 2, the file's own, got 3"),
    "width": (([[0.1]], TRIALS), {"bin_s": 1.5}, "bin_s: wanted at most 1 s, .*got 1.5"),
    "narrow": (([[0.1]], TRIALS), {"bin_s": 1e-10}, r"bin_s: .*at most 2\^31 bins, got 1e-10"),
    "parts": (
        ([[0.0, 1.0]], []),
        {"trials": 20},
        "trials: wanted at most 10, a bin each, got 20",
    ),
    "one spike": (([[0.5]], []), {}, "bin_s: wanted at most 0 s"),
    "no width": (([[0.1]], TRIALS), {"bin_s": None}, "bin_s: wanted a width in seconds to sort"),
    "variable": (([[0.1]], TRIALS), {"variable": "x"}, "variable: wanted none for .nwb, got 'x'"),
    "cells": (([[0.1]], TRIALS), {"cells": [0]}, "cells: wanted cells of a.nwb, got 0"),
}


@pytest.mark.parametrize("name", NWB)
def test_what_an_nwb_file_cannot_give_is_said_in_a_line(tmp_path, name):
    content, options, words = NWB[name]
    path = save_nwb(tmp_path / "a.nwb", *content)
    with pytest.raises(ConfigError, match=words) as caught:
        load_spikes(path, **{"bin_s": 0.1, **options})
    assert "\n" not in str(caught.value)


def test_units_of_one_id_are_refused(tmp_path):
    file = pynwb.NWBFile("spikes", "a", datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
    for _ in range(2):
        file.add_unit(spike_times=[0.1, 0.9], id=4)
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "w") as held:
        held.write(file)
    with pytest.raises(ConfigError, match=r"units of different ids in a.nwb, got \[4, 4\]"):
        load_spikes(tmp_path / "a.nwb", bin_s=0.1)


FILES = {
    "a.nwb": (b"nothing", "wanted a readable .nwb, got a.nwb"),
    "a.txt": (b"no numbers\nat all\n", "wanted spike trains in a.txt, got "),
    "a.nix": (b"nothing", "wanted spike trains in a.nix, got NixIO"),
    "a.pkl": (b"nothing", "reads without unpickling, got a.pkl"),
    "a.docx": (b"nothing", "wanted a file named .npy, .npz, .mat, .csv, .nwb or .*got a.docx"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_without_spikes_is_refused_in_a_line(tmp_path, name):
    content, words = FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=f"^data: .*{words}") as caught:
        load_spikes(tmp_path / name, bin_s=0.1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "package"), [("a.nwb", "pynwb"), ("a.nex", "neo"), ("a.docx", "neo")]
)
def test_without_its_package_a_kind_of_file_names_the_extra(tmp_path, monkeypatch, name, package):
    (tmp_path / name).write_bytes(b"nothing")
    for module in ("neo.io", "neo", "pynwb"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=rf"{package} installed .*qbrain\[neo\].*got {name}"):
        load_spikes(tmp_path / name, bin_s=0.1)


SPIKES = times_of(RASTER)


def with_nan():
    block = as_block(SPIKES, 30 * BIN)
    block.segments[2].spiketrains[1][0] = np.nan * block.segments[2].spiketrains[1].units
    return block


@pytest.mark.parametrize(
    ("make", "options", "words"),
    [
        (with_nan, {}, "data: wanted finite spike times in Neo, got nan of neuron 1"),
        (lambda: 3, {}, "blocks: wanted Neo's blocks or segments, got int"),
        (lambda: ["a"], {}, "blocks: wanted Neo's blocks or segments, got str"),
        (neo.Block, {}, "data: wanted spike trains in Neo, got none"),
        (lambda: as_block([[[]]], 1.0), {}, "data: wanted spikes in Neo, got none"),
        (
            lambda: as_block([SPIKES[0], SPIKES[1][:2]], 30 * BIN),
            {},
            "data: wanted as many spike trains in every segment of Neo, got 3 and 2",
        ),
        (
            lambda: as_block([[[0.5]]], np.inf),
            {},
            "bin_s: wanted at most inf s, a trial's, got 0.02",
        ),
        (lambda: as_block(SPIKES, 30 * BIN), {"trials": 2}, "trials: wanted 4, .*got 2"),
        (lambda: as_block(SPIKES, 30 * BIN), {"bin_s": np.nan}, "bin_s: .* > 0, got nan"),
        (lambda: as_block(SPIKES, 30 * BIN), {"bin_s": 1.0}, "bin_s: wanted at most 0.6 s"),
        (lambda: as_block(SPIKES, 30 * BIN), {"cells": [3]}, "cells: wanted cells of Neo, got 3"),
    ],
)
def test_objects_that_are_no_recording_are_refused_in_a_line(make, options, words):
    with pytest.raises(ConfigError, match=words) as caught:
        neo_spikes(make(), **{"bin_s": BIN, **options})
    assert "\n" not in str(caught.value)


def test_too_few_trials_or_too_short_ones_are_named_as_for_any_file(tmp_path):
    path = save_nwb(tmp_path / "a.nwb", [[0.1, 1.1]], TRIALS)
    data = load_spikes(path, bin_s=0.1)
    with pytest.raises(ConfigError, match=r"trials: wanted 3 or more, .*got 2"):
        split_trials(data, 5, seed=0)
    with pytest.raises(ConfigError, match=r"window: wanted 1 to 30 bins, a trial's, got 31"):
        split_trials(neo_spikes(as_block(SPIKES, 30 * BIN), bin_s=BIN), 31, seed=0)
