"""What all papers share: the table of commands, the gallery, the words in templates."""

import subprocess
import sys
from pathlib import Path

import jinja2
import pytest

from qbrain.experiments.errors import ConfigError
from qbrain.experiments.papers.claims import HOLDS, IN_PART, NOT, verdict
from qbrain.experiments.papers.commands import PAPERS, load_paper, make_figures
from qbrain.experiments.papers.texts import fill

ROOM = Path(__file__).parents[2] / "experiments"


@pytest.mark.parametrize("name", PAPERS)
def test_the_table_says_what_the_paper_is(name):
    paper, command = load_paper(name), PAPERS[name]
    assert paper.name == name
    named = command.pieces.split(", ")
    for key in paper.figures:
        if isinstance(key, str):
            assert key in named
        else:
            spans = [text.split(" to ") for text in named if text[0].isdigit()]
            assert any(int(span[0]) <= key <= int(span[-1]) for span in spans)
    # claims and checks are about figures there are
    about = set().union(*(figures for figures, _ in paper.claims))
    assert about <= set(paper.figures)
    assert {figure for figure, _ in paper.checks} <= {None, *paper.figures}


def test_help_needs_no_paper():
    code = (
        "import sys; from qbrain.experiments.papers import commands; "
        "sys.exit(bool({'matplotlib', 'xarray', 'qiskit'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_figures_from_python(tmp_path):
    result = make_figures("lmg-beyond", tmp_path / "studies", ["two-neurons"])
    assert [row["study"] for row in result["studies"]] == ["two-neurons"]
    with pytest.raises(ConfigError, match=r"only: wanted one of stimulus, .*, got telepathy"):
        make_figures("lmg-beyond", tmp_path / "studies", ["telepathy"])
    with pytest.raises(ConfigError, match=r"figures: wanted one of lmg, .*, got telepathy"):
        make_figures("telepathy")


def test_a_template_without_a_value_is_refused():
    package = "qbrain.experiments.lmg.paper"
    words = fill(package, "claim_feedback_control", same=3e-9)
    assert list(words) == ["claim", "definition", "finding"]
    assert "stays within 3e-09 of the curve" in words["finding"]
    assert not any("\n" in text or "  " in text for text in words.values())
    with pytest.raises(jinja2.UndefinedError):
        fill(package, "claim_feedback_control")
    with pytest.raises(jinja2.TemplateNotFound):
        fill(package, "claim_of_nothing")


@pytest.mark.parametrize("folder", sorted(ROOM.glob("*/*/text")), ids=lambda p: p.parent.name)
def test_every_template_is_somebodys(folder):
    source = "".join(path.read_text(encoding="utf-8") for path in folder.parent.glob("*.py"))
    for template in folder.glob("*.md.jinja"):
        name = template.name.removesuffix(".md.jinja")
        number = name.removeprefix("figure")
        assert f'"{name}"' in source or f"paper_figure(\n        {number}," in source, name


@pytest.mark.parametrize(
    ("holds", "in_part", "found"),
    [(True, True, HOLDS), (True, False, HOLDS), (False, True, IN_PART), (False, False, NOT)],
)
def test_the_verdict_of_a_claim(holds, in_part, found):
    assert verdict(holds, in_part=in_part) == found
