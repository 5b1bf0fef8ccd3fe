"""Any value of any option: a configuration that is valid, or one line that says what is not."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import warnings
from collections import Counter

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qbrain.experiments.engine.config import load_config
from qbrain.experiments.errors import ConfigError
from qbrain.experiments.systems import SYSTEMS

# the spike generator's configuration imports JAX
NAMES = sorted(set(SYSTEMS) - {"spiqgan"})
HUGE = [10**k for k in (3, 6, 9, 12, 20, 400)] + [2**31, 2**32, 2**63 - 1, 2**63, 2**64, 10**5000]
TINY = [1e-320, 1e-300, 1e-15, 1e-9, 1e-3]
LARGE = [1e3, 1e6, 1e15, 1e300, 1.7e308, float("inf"), float("nan")]
TEXTS = [
    "",
    " ",
    "x",
    "é∞漢",
    "\u202e",
    "\x00",
    "\n",
    "1e400",
    "nan",
    "-inf",
    "0x10",
    "1_000",
    "true",
]
TEXTS += [
    "a" * 5000,
    "9" * 5000,
    "1,2,3",
    "1:2",
    "0:inf:1e308",
    "1,1e-320",
    "parity+readout",
    "../x",
]
ODD = st.one_of(
    st.sampled_from([*HUGE, *(-x for x in HUGE), 0, -1, 1, 2, 7]),
    st.sampled_from([*TINY, *LARGE, *(-x for x in TINY + LARGE), 0.0, -0.0, 0.5, 1.5]),
    st.sampled_from(TEXTS),
    st.sampled_from([True, False, None, [], [1], [[1]], {}, {"a": 1}, b"x", 1j, (1, 2)]),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
)


@st.composite
def choices(draw, names=NAMES):
    """A system, and odd values of one to three of its fields."""
    name = draw(st.sampled_from(names))
    fields = sorted(SYSTEMS[name].config.model_fields)
    chosen = draw(st.lists(st.sampled_from(fields), min_size=1, max_size=3, unique=True))
    values = {field: draw(ODD) for field in chosen}
    if "backend" not in values and draw(st.booleans()):
        values["backend"] = draw(st.sampled_from(["exact", "statevector", "fake_fez", "ibm_fez"]))
    return name, values


@contextlib.contextmanager
def one_line_at_most():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except ConfigError as error:
            text = str(error)
            assert 0 < len(text) < 1000
            assert "\n" not in text
            assert ":" in text


@given(choice=choices())
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_any_value_of_any_field_is_valid_or_refused_in_one_line(choice):
    name, values = choice
    with one_line_at_most():
        SYSTEMS[name].config(**values)


def _toml(values):
    with contextlib.suppress(TypeError, ValueError, AttributeError):
        return tomli_w.dumps(values)
    return None


@given(choice=choices())
@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_any_toml_is_valid_or_refused_in_one_line(choice, tmp_path):
    name, values = choice
    text = _toml(values)
    if text is None:
        return
    file = tmp_path / "settings.toml"
    file.write_text(text, encoding="utf-8", errors="replace")
    with one_line_at_most():
        load_config(SYSTEMS[name].config, file, {})


@pytest.mark.parametrize(
    "text",
    [
        "neurons = " + "9" * 5000,
        "a = " + "[" * 3000 + "]" * 3000,
        "neurons = ",
        "neurons = 2020-01-01",
        "[neurons]\na = 1",
        "\x00",
    ],
)
def test_a_file_that_is_no_settings_is_refused_in_one_line(text, tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(SYSTEMS["lmg"].config, file, {})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("system", "values", "words"),
    [
        ("lmg", {"neurons": True}, "neurons: wanted a number, got True"),
        ("lmg", {"time": 1e-320}, "time: wanted at least 1e-6 in size, got 1e-320"),
        ("lmg", {"tau_r": 1e-320}, "tau_r: wanted 0 or at least 1e-12 in size, got 1e-320"),
        ("lmg", {"shots": 10**8}, "got 100000000; no device takes more in a job"),
        ("open-system", {"steps": 2**32}, "steps: .*; a run keeps what it finds at each of its"),
        ("hodgkin-huxley", {"copies": 10**20}, "copies: .*; each copy is a qubit"),
        ("qlif", {"tick": 1e-320, "backend": "exact"}, "tick: wanted at least 1e-12"),
        ("qlif", {"tick": 5000.0}, "tick: wanted at most 100 tau"),
        ("open-system", {"pulses": "0:inf:1e308"}, "pulses: wanted pulses of at most 1000"),
        ("open-system", {"pulses": ",".join(["0:1:0.1"] * 1001)}, "pulses: wanted at most 1000 p"),
        ("qlif", {"noise_scales": ",".join(str(1 + k / 9) for k in range(40))}, "noise_scales"),
    ],
)
def test_a_bound_says_what_it_is_and_why(system, values, words):
    with pytest.raises(ConfigError, match=words):
        SYSTEMS[system].config(**values)


# ------------------------------------------------------------------------------ whole commands

_RUN = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
from qbrain.__main__ import main
main()
"""
# seconds until a run is told to stop, and until it has then ended
_LIMIT, _STOP = 60, 10
_TRIES = int(os.environ.get("QBRAIN_FUZZ_TRIES", "60"))


def _word(value):
    """A value as a command line has it, which holds no zero byte."""
    with contextlib.suppress(ValueError):
        return str(value).replace("\x00", "").encode("utf-8", "replace").decode()
    return "9" * 5000


def _run(name, values, toml, folder):
    """How the command ended with these values, all promises of a command held."""
    arguments = ["run", name, "--out", str(folder / "run"), "--json"]
    text = _toml(values) if toml else None
    if text is not None:
        (folder / "settings.toml").write_text(text, encoding="utf-8", errors="replace")
        arguments += ["--config", str(folder / "settings.toml")]
    else:
        arguments += [
            f"--{k.replace('_', '-')}={_word(v)}" for k, v in values.items() if v is not None
        ]
    started = subprocess.Popen(
        [sys.executable, "-c", _RUN, *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, err = started.communicate(timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        started.send_signal(signal.SIGTERM)
        try:
            out, err = started.communicate(timeout=_STOP)
        finally:
            started.kill()
        # a valid run may last longer: it has said so, stops when told to and can be resumed
        assert started.returncode == 128 + signal.SIGTERM, (values, err[-2000:])
        assert len(err.strip().splitlines()) > 1, (values, err)
        assert "qbrain resume" in err, (values, err)
        return "stopped"
    assert started.returncode in (0, 2, 3, 4), (values, err[-2000:])
    assert "Traceback" not in err
    if started.returncode:
        assert err.strip().count("\n") == 0, err
    else:
        assert json.loads(out)["system"] == name
        assert (folder / "run" / "report.html").stat().st_size < 3e6
    return f"exit {started.returncode}"


@pytest.mark.slow
def test_any_command_ends_in_time_in_little_memory_and_in_one_line(tmp_path_factory, capsys):
    tried = {name: Counter() for name in sorted(SYSTEMS)}

    @given(choice=choices(sorted(SYSTEMS)), toml=st.booleans())
    @settings(deadline=None, max_examples=_TRIES, suppress_health_check=[HealthCheck.too_slow])
    def every(choice, toml):
        name, values = choice
        values = {"backend": "exact"} | values
        if str(values["backend"]).startswith("ibm_"):
            values["backend"] = "aer"
        tried[name][_run(name, values, toml, tmp_path_factory.mktemp("fuzz"))] += 1

    every()
    with capsys.disabled():
        print()
        for name, codes in tried.items():
            found = ", ".join(f"{end}: {count}" for end, count in sorted(codes.items()))
            print(f"{name:16s} {codes.total():4d} tried  {found}")
