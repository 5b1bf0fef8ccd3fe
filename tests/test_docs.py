"""The code in the pages runs, and their commands are commands."""

import re
import shlex
from pathlib import Path

import pytest

from qbrain.experiments.first_light.config import CheckConfig
from qbrain.experiments.spikes.config import RecordingConfig
from qbrain.experiments.systems import SYSTEMS

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^    .*\n)+", re.MULTILINE)


def blocks(page, language):
    return [body for kind, body in BLOCK.findall(page.read_text("utf-8")) if kind == language]


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=lambda p: p.name)
def test_the_python_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for number, body in enumerate(blocks(page, "python")):
        exec(compile(body, f"{page.name}, block {number}", "exec"), names)


def commands(page):
    text = page.read_text("utf-8")
    parts = blocks(page, "sh") + [
        re.sub(r"^    ", "", p, flags=re.M) for p in INDENTED.findall(text)
    ]
    for part in parts:
        for line in part.replace("\\\n", " ").splitlines():
            words = shlex.split(line.split("#")[0])
            if words[:1] == ["qbrain"]:
                yield words[1:]


COMMANDS = {
    "backends", "cancel", "check", "collect", "compare", "estimate", "figures", "jobs", "resume",
    "run", "spikes", "sweep",
}  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_the_commands_of_a_page_are_commands(page):
    for words in commands(page):
        assert words[0] in COMMANDS
        if words[:2] == ["spikes", "inspect"] and "FILE" not in words:
            options = dict(zip(words[3::2], words[4::2], strict=True))
            options.pop("--out", None)
            names = {k.removeprefix("--").replace("-", "_"): v for k, v in options.items()}
            RecordingConfig.from_mapping({"data": words[2], **names})
        if words[0] == "check":
            options = [word for word in words[1:] if word != "--history"]
            given = dict(zip(options[::2], options[1::2], strict=True))
            given.pop("--out", None)
            names = {k.removeprefix("--").replace("-", "_"): v for k, v in given.items()}
            CheckConfig.from_mapping(names)
        if words[0] not in ("run", "estimate") or "…" in words:
            continue
        options = words[2:]
        given = dict(zip(options[::2], options[1::2], strict=True))
        given.pop("--out", None)
        values = {name.removeprefix("--").replace("-", "_"): v for name, v in given.items()}
        if "weights" in values:  # a file that this machine does not have
            values["weights"] = __file__
        SYSTEMS[words[1]].config.from_mapping(values)


# what a run has beside that which decides its cost
BESIDE = {"--out", "--seed", "--max-qpu-seconds"}


def options_of(words):
    return {k: v for k, v in zip(words[2::2], words[3::2], strict=True) if k not in BESIDE}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_the_cost_that_a_page_tells_is_that_of_its_run(page):
    every = list(commands(page))
    runs = [(w[1], options_of(w)) for w in every if w[0] == "run" and "…" not in w]
    for words in every:
        if words[0] == "estimate" and "…" not in words:
            assert (words[1], options_of(words)) in runs
