"""Backends by name that other people publish, or have in a module: found, loaded, refused."""

import subprocess
import sys
import textwrap

import pytest
from qiskit import QuantumCircuit
from qiskit.primitives import BackendSamplerV2, StatevectorSampler
from qiskit.providers.basic_provider import BasicSimulator
from qiskit_aer import AerSimulator

from qbrain.backends.errors import BackendError
from qbrain.backends.plugs import GROUP, is_place, load_plug, published
from qbrain.backends.registry import backend_names, list_backends, open_place, open_sampler

FACTORIES = """
from qiskit.primitives import BackendSamplerV2
from qiskit_aer import AerSimulator

def ideal():
    return AerSimulator()

class Shelf:
    ideal = staticmethod(ideal)

ready = AerSimulator()
number = 3

def sampler_without_target():
    return BackendSamplerV2(backend=AerSimulator())

def nothing():
    return None

def demanding(token, *, region):
    return AerSimulator()

def failing():
    raise RuntimeError("no key\\nfor the cloud")
"""


@pytest.fixture
def factories(tmp_path, monkeypatch):
    """A module of factories on the module path; its name differs from test to test."""
    name = f"strangers_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(FACTORIES)
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


def publish(folder, monkeypatch, distribution, **points):
    """Install the metadata of a distribution with entry points."""
    info = folder / f"{distribution.replace('-', '_')}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
    lines = "\n".join(f"{name} = {value}" for name, value in points.items())
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{lines}\n")
    monkeypatch.syspath_prepend(folder)


def one(text):
    """Every refusal is one line."""
    assert "\n" not in text
    return text


def refusal(name, **options):
    with pytest.raises(BackendError) as caught:
        open_sampler(name, **{"qubits": 2, **options})
    return one(str(caught.value))


def flipped(sampler):
    circuit = QuantumCircuit(2, 2)
    circuit.x(1)
    circuit.measure([0, 1], [0, 1])
    return sampler.run([circuit], shots=10).result()[0].data.c.get_counts()


def test_what_is_a_place():
    assert is_place(AerSimulator())
    assert is_place(BasicSimulator())
    assert is_place(open_sampler("aer", qubits=2))
    assert not is_place(StatevectorSampler())
    assert not is_place(BackendSamplerV2(backend=AerSimulator()))
    assert not is_place(AerSimulator)
    assert not is_place("aer")


class TestPaths:
    @pytest.mark.parametrize("what", ["ideal", "Shelf.ideal", "ready"])
    def test_a_factory_or_what_it_would_return(self, factories, what):
        sampler = open_sampler(f"{factories}:{what}", qubits=2, seed=1)
        assert sampler.details["backend"] == f"{factories}:{what}"
        assert sampler.details["source"] == f"{factories}:{what}"
        assert str(sampler.details["device"]).startswith("AerSimulator aer_simulator")
        assert flipped(sampler) == {"10": 10}

    def test_a_class_is_a_factory(self):
        assert flipped(open_sampler("qiskit_aer:AerSimulator", qubits=2, seed=1)) == {"10": 10}

    def test_open_place_takes_the_same_names(self, factories):
        assert flipped(open_place(f"{factories}:ideal", qubits=2, seed=1)) == {"10": 10}
        assert open_place("aer", qubits=2, seed=1).details == open_sampler("aer", qubits=2).details

    @pytest.mark.parametrize(
        ("what", "words"),
        [
            ("number", "wanted a factory without arguments, got int"),
            ("nothing", "wanted a Qiskit BackendV2, or a BaseSamplerV2 with a target"),
            ("nothing", "from the factory, got None"),
            ("sampler_without_target", "got BackendSamplerV2 without a target"),
            ("demanding", "wanted a factory without arguments, got one with a missing a required"),
            ("failing", "from the factory, got RuntimeError: no key for the cloud"),
            ("absent", "wanted absent in module"),
            ("Shelf.absent", "wanted Shelf.absent in module"),
        ],
    )
    def test_what_is_no_factory_of_a_place(self, factories, what, words):
        text = refusal(f"{factories}:{what}")
        assert text.startswith(f"backend {factories}:{what}: ")
        assert words in text

    @pytest.mark.parametrize("name", [":", "a:", ":b", "a b:c", "a..b:c", "a:b:c", "a:b.", "1:2"])
    def test_what_is_no_path(self, name):
        assert refusal(name) == f"backend: wanted package.module:factory, got {name!r}"

    def test_a_module_that_is_not_there(self):
        text = refusal("nowhere_at_all.places:mine")
        assert "wanted a module nowhere_at_all.places that can be imported" in text
        assert "ModuleNotFoundError: No module named 'nowhere_at_all'" in text

    @pytest.mark.parametrize(
        ("source", "words"),
        [
            ("import nothing_like_it", "ModuleNotFoundError: No module named 'nothing_like_it'"),
            ("def f(:", "SyntaxError: "),
            ("raise OSError('two\\nlines')", "OSError: two lines"),
        ],
    )
    def test_a_module_that_fails(self, tmp_path, monkeypatch, source, words):
        (tmp_path / "broken_places.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)
        assert words in refusal("broken_places:mine")

    def test_modules_of_the_current_directory(self, tmp_path):
        # as an installed command: python -P leaves the current directory off the module path
        (tmp_path / "my_places.py").write_text(
            "def mine():\n    from my_helpers import make\n    return make()\n"
        )
        (tmp_path / "my_helpers.py").write_text(
            "def make():\n    from qiskit_aer import AerSimulator\n    return AerSimulator()\n"
        )
        code = textwrap.dedent("""
            import sys
            from qbrain.backends.registry import open_sampler
            before = list(sys.path)
            print(open_sampler("my_places:mine", qubits=2).details["backend"])
            assert sys.path == before
        """)
        done = subprocess.run(
            [sys.executable, "-P", "-c", code], capture_output=True, text=True, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == "my_places:mine"

    def test_installed_packages_come_before_the_current_directory(self, tmp_path):
        (tmp_path / "qiskit_aer.py").write_text("raise RuntimeError('shadow')")
        code = "from qbrain.backends.plugs import load_plug; load_plug('qiskit_aer:AerSimulator')"
        done = subprocess.run(
            [sys.executable, "-P", "-c", code], capture_output=True, text=True, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr


class TestPublishedNames:
    def test_opened_by_name(self, tmp_path, monkeypatch, factories):
        publish(tmp_path, monkeypatch, "strange-cloud", strange=f"{factories}:ideal")
        assert published() == {"strange": "strange-cloud 1.2"}
        assert backend_names()[-1] == "strange"
        sampler = open_sampler("strange", qubits=2, seed=3)
        assert sampler.details["backend"] == "strange"
        assert sampler.details["source"] == "strange-cloud 1.2"
        assert flipped(sampler) == {"10": 10}

    def test_listed_with_their_distribution(self, tmp_path, monkeypatch):
        # listing imports nothing, so it does not trip over what cannot be imported
        publish(tmp_path, monkeypatch, "strange-cloud", strange="nowhere_at_all:mine")
        (info,) = [info for info in list_backends() if info.name == "strange"]
        assert info.kind == "plug-in of strange-cloud 1.2"
        assert info.qubits is None

    def test_near_names_are_offered(self, tmp_path, monkeypatch):
        publish(tmp_path, monkeypatch, "strange-cloud", strange="nowhere_at_all:mine")
        assert "strange" in refusal("strangr").split("got")[0]

    def test_names_of_our_own_stay_ours(self, tmp_path, monkeypatch):
        publish(tmp_path, monkeypatch, "strange-cloud", aer="nowhere_at_all:mine")
        assert flipped(open_sampler("aer", qubits=2, seed=1)) == {"10": 10}
        assert backend_names().count("aer") == 1
        assert [info.kind for info in list_backends() if info.name == "aer"] == ["ideal simulator"]

    def test_one_name_of_two_distributions(self, tmp_path, monkeypatch):
        for number, distribution in enumerate(("cloud-one", "cloud-two")):
            folder = tmp_path / str(number)
            folder.mkdir()
            publish(folder, monkeypatch, distribution, strange=f"module_{number}:mine")
        text = refusal("strange")
        assert "wanted one distribution that publishes it, got cloud-one 1.2, cloud-two 1.2" in text

    def test_what_does_not_load(self, tmp_path, monkeypatch, factories):
        publish(
            tmp_path,
            monkeypatch,
            "strange-cloud",
            gone="nowhere_at_all:mine",
            bare=f"{factories}:nothing",
        )
        assert "wanted nowhere_at_all:mine of strange-cloud 1.2 to load" in refusal("gone")
        assert "from the factory, got None" in refusal("bare")

    def test_a_name_that_nobody_publishes(self):
        with pytest.raises(BackendError, match="wanted one distribution that publishes it, got no"):
            load_plug("nobody")


@pytest.mark.parametrize("wrong", [None, 3, object(), StatevectorSampler(), AerSimulator])
def test_open_place_refuses_other_things(wrong):
    with pytest.raises(BackendError) as caught:
        open_place(wrong, qubits=2)
    text = one(str(caught.value))
    assert text.startswith("backend: wanted a name, a Qiskit BackendV2, or a BaseSamplerV2 with a")
    assert text.endswith(f"got {type(wrong).__name__}")


@pytest.mark.parametrize("placements", [0, -1, 1.5, "2", True])
def test_bad_numbers_of_placements(placements):
    with pytest.raises(BackendError, match="placements: wanted an integer >= 1"):
        open_place(AerSimulator(), qubits=2, placements=placements)


@pytest.mark.parametrize("seed", [-1, 1.5, "a", True])
def test_bad_seeds(seed):
    with pytest.raises(BackendError, match="seed: wanted"):
        open_place(AerSimulator(), qubits=2, seed=seed)
