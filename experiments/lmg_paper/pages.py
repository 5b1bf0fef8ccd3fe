"""The figures' pages and the tables of claims and checks, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from qbrain.experiments.lmg_paper.checks import Check
from qbrain.experiments.lmg_paper.model import BACKEND, PAPER, PaperFigure, Parameter
from qbrain.experiments.lmg_paper.verdicts import Claim
from qbrain.experiments.tables import cell

__all__ = ["checks_page", "claims_page", "figure_page"]


def figure_page(figure: PaperFigure, checks: Sequence[Check], claims: Sequence[Claim]) -> str:
    """One figure: a paragraph, its parameters, what the unstated ones do, its checks and claims."""
    name = f"figure{figure.number}"
    parts = [
        f"# Figure {figure.number}: {figure.title}",
        f"![Figure {figure.number}]({name}.svg)",
        figure.paragraph,
        f"Data: `{name}.nc`. Backend: {BACKEND}. Paper: {PAPER}.",
        "## Parameters",
        _table(
            ("parameter", "value", "chosen by", "why"),
            ((p.name, _value(p), p.source, p.why or "stated") for p in figure.parameters),
        ),
    ]
    if figure.variations:
        parts += [
            "## What the unstated parameters do",
            _table(
                ("parameter", "ours", "other", "measured", "with ours", "with other"),
                (
                    (v.parameter, v.ours, v.other, v.quantity, v.with_ours, v.with_other)
                    for v in figure.variations
                ),
            ),
        ]
    parts += ["## Measured", _table(("quantity", "value"), figure.measures.items())]
    if checks:
        parts += ["## Reference figures", _checks(checks)]
    if claims:
        parts += ["## Claims", _verdicts(claims)]
    return _joined(parts)


def claims_page(claims: Sequence[Claim]) -> str:
    """The verdicts, then each claim with its definition and its numbers."""
    parts = [
        "# Claims of the paper, measured",
        f"Paper: {PAPER}. Backend: {BACKEND}. Each verdict follows from the numbers by the rule "
        "in the definition.",
        _verdicts(claims),
    ]
    for claim in claims:
        figures = "figure" + "s" * (len(claim.figures) > 1) + " "
        figures += ", ".join(map(str, claim.figures))
        parts += [
            f"## {claim.name}: {claim.verdict}",
            f"The paper ({figures}): {claim.claim}.",
            f"Measured: {claim.definition}",
            f"Finding: {claim.finding}",
        ]
        # rows of one kind make one table
        for names in dict.fromkeys(tuple(row) for row in claim.numbers):
            rows = ([row[n] for n in names] for row in claim.numbers if tuple(row) == names)
            parts.append(_table(names, rows))
    return _joined(parts)


def checks_page(checks: Sequence[Check]) -> str:
    """The reference figures beside what was found and what the paper says."""
    parts = [
        "# Reference figures, recomputed",
        f"Paper: {PAPER}. Backend: {BACKEND}; where a line names the noise of a device, simulated "
        "with that snapshot's noise. The reference figures were computed independently; a dash "
        "where the paper states nothing. Errors under noise agree if they are no larger.",
        "One layer at γ = 1 leaves more after parity than its reference. Readings here are as "
        "asymmetric as the snapshot says; with the mean of both errors it leaves 0.008 to 0.009. "
        "What makes up the rest is not known.",
        _checks(checks),
    ]
    return _joined(parts)


def _checks(checks: Sequence[Check]) -> str:
    return _table(
        ("figure", "quantity", "found", "reference", "the paper", "agrees"),
        (
            (c.figure, c.quantity, c.found, c.reference, c.paper, "yes" if c.agrees else "no")
            for c in checks
        ),
    )


def _verdicts(claims: Sequence[Claim]) -> str:
    return _table(
        ("claim", "verdict", "finding"), ((c.name, f"**{c.verdict}**", c.finding) for c in claims)
    )


def _value(parameter: Parameter) -> str:
    value = parameter.value
    return ", ".join(map(_cell, value)) if isinstance(value, list) else _cell(value)


def _table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [" | ".join(names), " | ".join("---" for _ in names)]
    # a bar inside a cell would end it
    lines += [" | ".join(_cell(x) for x in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _cell(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else cell(value)
    return text.replace("|", "\\|")


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(parts) + "\n"
