"""Configuration: one line a fault, and nothing that would be ignored."""

from pathlib import Path

import pytest

from qbrain.experiments.engine.config import load_config
from qbrain.experiments.errors import ConfigError, NotApplicable
from qbrain.experiments.lmg.config import LMGConfig


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"neurons": "0"}, "neurons: wanted a number greater than or equal to 1, got '0'"),
        ({"neurons": "six"}, "neurons: wanted a valid integer, got 'six'"),
        ({"gamma": "nan"}, "gamma: wanted a finite number, got 'nan'"),
        ({"g0": "inf"}, "g0: wanted a finite number, got 'inf'"),
        ({"g0": 1e300}, "g0: wanted at most 1e6 in size, got 1e[+]300"),
        ({"shots": 0}, "shots: wanted a number greater than or equal to 1, got 0"),
        ({"steps": 0}, "steps: wanted a number greater than or equal to 1, got 0"),
        ({"time": 0}, "time: wanted a number greater than 0, got 0"),
        ({"tau_r": -1}, "tau_r: wanted a number greater than or equal to 0, got -1"),
        ({"release": 1.5}, "release: wanted a number less than or equal to 1, got 1.5"),
        ({"seed": -1}, "seed: wanted a number greater than or equal to 0, got -1"),
        ({"trotter_order": 3}, "trotter_order: wanted 1, 2 or 4, got 3"),
        ({"mitigation": "parity+luck"}, "mitigation: wanted 'none', or some of parity, readout"),
        ({"mitigation": "echo+zero"}, "mitigation: wanted one of echo and zero"),
        ({"placements": 0}, "placements: wanted a number greater than or equal to 1, got 0"),
        ({"noise_scales": "2,3"}, "noise_scales: wanted numbers joined by commas, 1 first"),
        ({"noise_scales": "1,x"}, "noise_scales: wanted numbers joined by commas, 1 first"),
        ({"encoding": "qutrit"}, "encoding: wanted 'qubit' or 'dicke', got 'qutrit'"),
        ({"colour": 1}, "colour: no such field"),
    ],
)
def test_each_fault_is_one_line_with_field_wanted_and_got(values, words):
    with pytest.raises(ConfigError, match=words) as caught:
        LMGConfig.from_mapping(values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"evolution": "orbit", "field": 0.1}, "evolution: orbit needs field = 0"),
        ({"evolution": "fast-forward", "field": 0.1}, "evolution: fast-forward needs field = 0"),
        ({"evolution": "incremental", "backend": "fake_fez"}, "which only aer and statevector"),
        ({"evolution": "incremental", "encoding": "dicke"}, "incremental is for encoding qubit"),
        ({"mitigation": "parity", "encoding": "dicke"}, "holds one parity only"),
        ({"mitigation": "readout"}, "backend aer has no noise that readout could correct"),
        ({"placements": 2}, "backend aer has no noise that placements could correct"),
        ({"mitigation": "zero", "encoding": "dicke", "backend": "fake_fez"}, "zero has no circuit"),
        ({"fractional_gates": True}, "backend aer has gates at any angle"),
    ],
)
def test_what_does_not_apply_is_refused_with_the_reason(values, words):
    with pytest.raises(NotApplicable, match=words):
        LMGConfig.from_mapping(values)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"synthesis": "isometry"}, "synthesis"),
        ({"trotter_order": 4}, "trotter_order"),
        ({"trotter_steps": 4}, "trotter_steps"),
        ({"trotter_steps": 4, "gamma": 0.8, "encoding": "dicke"}, "trotter_steps"),
        ({"feedback_order": 1, "evolution": "orbit"}, "feedback_order"),
        ({"dispatch": "live"}, "dispatch"),
        ({"noise_scales": "1,3"}, "noise_scales"),
        ({"readout_calibration": "published"}, "readout_calibration"),
        ({"fractional_gates": True, "gamma": 0.8, "backend": "fake_fez"}, "fractional_gates"),
        ({"backend": "exact", "evolution": "orbit"}, "evolution"),
        ({"backend": "exact", "mitigation": "none"}, "mitigation"),
    ],
)
def test_settings_that_would_be_ignored_are_refused_by_name(values, field):
    with pytest.raises(ConfigError, match=f"{field}: would be ignored"):
        LMGConfig.from_mapping(values)


def test_options_win_over_the_file(tmp_path: Path):
    file = tmp_path / "run.toml"
    file.write_text("neurons = 8\ngamma = 0.5\ninitial = 3\n")
    config = load_config(LMGConfig, file, {"neurons": "4"})
    assert (config.neurons, config.gamma, config.initial) == (4, 0.5, "3")


def test_bad_files_are_named(tmp_path: Path):
    with pytest.raises(ConfigError, match="config: cannot read"):
        load_config(LMGConfig, tmp_path / "none.toml", {})
    file = tmp_path / "bad.toml"
    file.write_text("neurons = = 3")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_config(LMGConfig, file, {})


def test_a_recorded_configuration_reads_back_as_itself():
    config = LMGConfig.from_mapping({"neurons": 4, "gamma": 0.8, "encoding": "dicke", "seed": 1})
    assert LMGConfig.from_record(config.model_dump(exclude_none=True)) == config
