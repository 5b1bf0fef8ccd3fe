"""NWB: where units and trials may stand, when a unit was observed, what one odd trial costs."""

import datetime

import numpy as np
import pytest

from qbrain.experiments.errors import ConfigError
from qbrain.experiments.spikes.data import load_spikes
from qbrain.experiments.spikes.neo import neo_spikes

neo = pytest.importorskip("neo")
pynwb = pytest.importorskip("pynwb")
from pynwb.epoch import TimeIntervals
from pynwb.misc import Units

TRIALS, BINS, NEURONS, BIN = 12, 25, 3, 0.02
LENGTH = BINS * BIN
RASTER = (np.random.default_rng(0).random((TRIALS, BINS, NEURONS)) < [0.2, 0.4, 0.3]).astype("u1")
WHOLE = [(k * LENGTH, (k + 1) * LENGTH) for k in range(TRIALS)]


def times(cell):
    return np.flatnonzero(RASTER[:, :, cell].ravel()) * BIN + 0.3 * BIN


def new():
    return pynwb.NWBFile("spikes", "a", datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))


def saved(file, path):
    with pynwb.NWBHDF5IO(str(path), "w") as held:
        held.write(file)
    return path


def with_units(file, factor=1.0, observed=None):
    for k in range(NEURONS):
        more = {} if observed is None else {"obs_intervals": np.array(observed[k], float)}
        file.add_unit(spike_times=times(k) * factor, id=k, **more)
    return file


def with_trials(file, bounds=WHOLE):
    for start, stop in bounds:
        file.add_trial(start_time=start, stop_time=stop)
    return file


def with_table(file, name, bounds=WHOLE):
    table = TimeIntervals(name=name, description="made up")
    for start, stop in bounds:
        table.add_interval(start_time=start, stop_time=stop)
    file.add_time_intervals(table)
    return file


def aborted(at, stop):
    return [(a, stop if k == at else b) for k, (a, b) in enumerate(WHOLE)]


@pytest.mark.parametrize(
    "stop", [7 * LENGTH + 0.3, 7 * LENGTH + 0.1, np.nan, 7 * LENGTH, 7 * LENGTH - 1.0]
)
def test_one_aborted_trial_is_left_out_and_told_of(tmp_path, stop):
    path = saved(with_trials(with_units(new()), aborted(7, stop)), tmp_path / "a.nwb")
    for options in ({}, {"trials": TRIALS}):
        data = load_spikes(path, bin_s=BIN, **options)
        np.testing.assert_array_equal(data.raster, np.delete(RASTER, 7, axis=0))
        record = data.recording
        assert (record.trials, record.trials_left_out) == (TRIALS - 1, 1)
        assert len(record.cuts) == 1
        assert record.cuts[0].startswith("1 of 12 trials ")
        assert record.kept_time_share == pytest.approx(1 - 1 / TRIALS, abs=0.01)


def test_trials_of_many_lengths_are_cut_to_the_shortest_and_told_of(tmp_path):
    bounds = [(a, b - 0.1 * (k % 3)) for k, (a, b) in enumerate(WHOLE)]
    data = load_spikes(saved(with_trials(with_units(new()), bounds), tmp_path / "a.nwb"), bin_s=BIN)
    np.testing.assert_array_equal(data.raster, RASTER[:, :15])
    assert data.recording.trials_left_out == 0
    assert "trials of 0.3 to 0.5 s were cut to the shortest's whole bins" in data.recording.cuts[0]


@pytest.mark.parametrize("name", ["gratings_presentations", "epochs", "repeats"])
def test_the_only_table_of_intervals_has_the_trials(tmp_path, name):
    file = with_units(new())
    if name == "epochs":
        for start, stop in WHOLE:
            file.add_epoch(start_time=start, stop_time=stop, tags=["a"])
    else:
        with_table(file, name)
    path = saved(file, tmp_path / "a.nwb")
    for options in ({}, {"intervals": name}, {"trials": TRIALS}):
        data = load_spikes(path, bin_s=BIN, **options)
        np.testing.assert_array_equal(data.raster, RASTER)
        assert data.recording.trials_from == f"the table of intervals {name}"
    one = load_spikes(path, bin_s=BIN, intervals="none", span=(0.0, TRIALS * LENGTH), trials=4)
    np.testing.assert_array_equal(one.raster, RASTER.reshape(4, 75, NEURONS))


def test_of_several_tables_one_is_named(tmp_path):
    file = with_table(with_table(with_units(new()), "flashes", WHOLE[:6]), "movies", WHOLE[6:])
    path = saved(file, tmp_path / "a.nwb")
    for name, wanted in (("flashes", RASTER[:6]), ("movies", RASTER[6:])):
        found = load_spikes(path, bin_s=BIN, intervals=name)
        np.testing.assert_array_equal(found.raster, wanted)
    whole = with_table(with_table(with_units(new()), "flashes"), "movies", [(0.0, 3.0)])
    counted = load_spikes(saved(whole, tmp_path / "c.nwb"), bin_s=BIN, trials=TRIALS)
    np.testing.assert_array_equal(counted.raster, RASTER)
    told = load_spikes(path, bin_s=BIN).recording
    assert told.trials == 1
    assert told.suspicions[0].startswith("intervals: none of the tables ")
    with pytest.raises(ConfigError, match=r"intervals: wanted .*flashes.* or none, .*got 'x'"):
        load_spikes(path, bin_s=BIN, intervals="x")
    # trials come first, the others are named
    path = saved(with_trials(with_table(with_units(new()), "flashes")), tmp_path / "b.nwb")
    record = load_spikes(path, bin_s=BIN).recording
    assert record.trials_from == "the table of intervals trials"
    assert "other tables of intervals: flashes (--intervals)" in record.notes


def test_trials_that_touch_invalid_times_are_left_out(tmp_path):
    file = with_trials(with_units(new()))
    file.add_invalid_time_interval(start_time=2.1 * LENGTH, stop_time=3.2 * LENGTH)
    data = load_spikes(saved(file, tmp_path / "a.nwb"), bin_s=BIN)
    np.testing.assert_array_equal(data.raster, np.delete(RASTER, [2, 3], axis=0))
    assert data.recording.cuts == ("2 of 12 trials that touch invalid_times were left out",)


EVER = [[0.0, TRIALS * LENGTH]]


def test_trials_in_which_a_unit_was_not_observed_are_left_out(tmp_path):
    gap = [[0.0, 4.5 * LENGTH], [5.2 * LENGTH, 8 * LENGTH], [8 * LENGTH, 12 * LENGTH]]
    file = with_trials(with_units(new(), observed=[EVER, gap, EVER]))
    path = saved(file, tmp_path / "a.nwb")
    data = load_spikes(path, bin_s=BIN)
    np.testing.assert_array_equal(data.raster, np.delete(RASTER, [4, 5], axis=0))
    assert data.recording.trials_left_out == 2
    assert "(obs_intervals) were left out" in data.recording.cuts[0]
    # named cells alone count
    both = load_spikes(path, bin_s=BIN, cells=[2, 0])
    np.testing.assert_array_equal(both.raster, RASTER[:, :, [2, 0]])
    assert not both.recording.cuts


def test_a_unit_observed_in_few_trials_costs_itself_not_them(tmp_path):
    file = with_trials(with_units(new(), observed=[EVER, EVER, [[0.0, 2 * LENGTH]]]))
    path = saved(file, tmp_path / "a.nwb")
    data = load_spikes(path, bin_s=BIN)
    np.testing.assert_array_equal(data.raster, RASTER[:, :, :2])
    assert data.recording.cuts == (
        "1 of 3 units observed in less than half of the trials were left out (2)",
    )
    rare = load_spikes(path, bin_s=BIN, cells=[2])
    np.testing.assert_array_equal(rare.raster, RASTER[:2, :, 2:])


def test_without_trials_the_recording_lasts_while_all_were_observed(tmp_path):
    observed = [[[0.0, 4.0]], [[1.0, 5.0]], [[0.0, 2.0], [3.0, 6.0]]]
    path = saved(with_units(new(), observed=observed), tmp_path / "a.nwb")
    data = load_spikes(path, bin_s=BIN)
    np.testing.assert_array_equal(data.raster, RASTER.reshape(1, -1, NEURONS)[:, 50:200])
    assert data.recording.suspicions[0].startswith("obs_intervals: there are gaps")
    apart = [[[0.0, 1.0]], [[1.0, 5.0]], [[2.0, 6.0]]]
    path = saved(with_units(new(), observed=apart), tmp_path / "b.nwb")
    with pytest.raises(ConfigError, match="wanted units observed at the same time"):
        load_spikes(path, bin_s=BIN)


def module(file, name, first=0):
    units = Units(name=name, description="sorted")
    for k in range(first, NEURONS):
        units.add_unit(spike_times=times(k), id=k)
    if "ecephys" not in file.processing:
        file.create_processing_module("ecephys", "sorted")
    file.processing["ecephys"].add(units)
    return file


def test_units_in_a_processing_module_are_read_or_named(tmp_path):
    path = saved(module(with_trials(new()), "units"), tmp_path / "a.nwb")
    data = load_spikes(path, bin_s=BIN)
    np.testing.assert_array_equal(data.raster, RASTER)
    assert "units of processing/ecephys/units" in data.recording.notes
    file = module(module(with_trials(new()), "one"), "two", 1)
    path = saved(file, tmp_path / "b.nwb")
    names = "processing/ecephys/one, processing/ecephys/two"
    with pytest.raises(ConfigError, match=f"variable: wanted one of {names}, .*got none"):
        load_spikes(path, bin_s=BIN)
    two = load_spikes(path, bin_s=BIN, variable="processing/ecephys/two")
    np.testing.assert_array_equal(two.raster, RASTER[:, :, 1:])
    path = saved(module(with_units(with_trials(new())), "more", 1), tmp_path / "c.nwb")
    data = load_spikes(path, bin_s=BIN)
    np.testing.assert_array_equal(data.raster, RASTER)
    assert data.recording.suspicions == (
        "variable: units stand in processing/ecephys/more too; those of units are read",
    )


@pytest.mark.parametrize(("unit", "factor"), [("ms", 1e3), ("samples", 30_000.0)])
def test_units_in_another_unit_than_the_trials(tmp_path, unit, factor):
    path = saved(with_trials(with_units(new(), factor)), tmp_path / "a.nwb")
    with pytest.raises(ConfigError, match="time_unit: wanted spike times in seconds"):
        load_spikes(path, bin_s=BIN)
    more = {"sampling_rate": factor} if unit == "samples" else {}
    data = load_spikes(path, bin_s=BIN, time_unit=unit, **more)
    np.testing.assert_array_equal(data.raster, RASTER)


def test_trials_in_the_wrong_unit_of_the_units(tmp_path):
    bounds = [(1e3 * start, 1e3 * stop) for start, stop in WHOLE]
    path = saved(with_trials(with_units(new(), 1e3), bounds), tmp_path / "a.nwb")
    with pytest.raises(ConfigError, match="time_unit: wanted spike times in seconds"):
        load_spikes(path, bin_s=BIN)
    data = load_spikes(path, bin_s=BIN, time_unit="ms")
    np.testing.assert_array_equal(data.raster, RASTER)
    assert data.recording.notes == ("the times of trials were taken to be in ms, too",)


def as_segment(epochs=()):
    segment = neo.Segment()
    for k in range(NEURONS):
        segment.spiketrains.append(neo.SpikeTrain(times(k), units="s", t_stop=TRIALS * LENGTH))
    for name, starts, lengths in epochs:
        labels = np.array(["x"] * len(starts))
        segment.epochs.append(
            neo.Epoch(times=starts, durations=lengths, units="s", labels=labels, name=name)
        )
    return segment


def test_epochs_of_neo_are_trials_if_they_are_named():
    starts = np.array([a for a, _ in WHOLE])
    segment = as_segment([("shown", starts, np.full(TRIALS, LENGTH)), ("lever", [0.1], [0.2])])
    data = neo_spikes(segment, bin_s=BIN, intervals="shown")
    np.testing.assert_array_equal(data.raster, RASTER)
    whole = neo_spikes(segment, bin_s=BIN)
    assert whole.raster.shape == (1, TRIALS * BINS, NEURONS)
    assert whole.recording.notes == ("epochs lever, shown were not used (--intervals names some)",)
    with pytest.raises(ConfigError, match="intervals: wanted lever or shown or none in Neo"):
        neo_spikes(segment, bin_s=BIN, intervals="x")
    with pytest.raises(ConfigError, match="intervals: wanted none for segments in Neo"):
        neo_spikes([segment, segment], bin_s=BIN, intervals="shown")


def test_an_aborted_segment_is_left_out():
    segments = []
    for s in range(4):
        segment = neo.Segment()
        stop = 0.1 if s == 2 else LENGTH
        for k in range(NEURONS):
            found = (np.flatnonzero(RASTER[s, :, k]) + 0.3) * BIN
            segment.spiketrains.append(neo.SpikeTrain(found[found < stop], units="s", t_stop=stop))
        segments.append(segment)
    data = neo_spikes(segments, bin_s=BIN)
    np.testing.assert_array_equal(data.raster, RASTER[[0, 1, 3]])
    assert data.recording.trials_left_out == 1
