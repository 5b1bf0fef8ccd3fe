"""The pages of a paper's figures and the tables of claims and checks, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..report.tables import cell
from .claims import Check, Claim
from .figures import BACKEND, Key, PaperFigure, Parameter, Piece, Study, key_name

__all__ = ["checks_page", "claims_page", "figure_page", "piece_page", "study_page", "table"]


def piece_page(piece: Piece, checks: Sequence[Check], claims: Sequence[Claim]) -> str:
    """Write the page of a figure, with its checks and claims, or of a study, which has none."""
    if isinstance(piece, Study):
        return study_page(piece)
    return figure_page(piece, checks, claims)


def study_page(study: Study) -> str:
    """Write one study: its question, what was found, its picture and its numbers."""
    rows = "\n".join(f"| {name} | {value:.4g} |" for name, value in study.measures.items())
    return _joined(
        [
            f"# {study.title}",
            f"*{study.question}*",
            study.finding,
            f"![{study.title}]({study.file}.png)",
            f"| measure | value |\n|---|---|\n{rows}",
            f"Computed by: {BACKEND}.",
        ]
    )


def figure_page(figure: PaperFigure, checks: Sequence[Check], claims: Sequence[Claim]) -> str:
    """Write one figure: a paragraph, parameters, what unstated ones do, its checks and claims."""
    picture = figure.heading.partition(":")[0]
    parts = [
        f"# {figure.heading}",
        f"![{picture}]({figure.file}.svg)",
        figure.paragraph,
        f"Data: `{figure.file}.nc`. Backend: {BACKEND}. Paper: {figure.paper}.",
        "## Parameters",
        table(
            ("parameter", "value", "chosen by", "why"),
            ((p.name, _value(p), p.source, p.why or "stated") for p in figure.parameters),
        ),
    ]
    if figure.comparisons:
        parts += [
            "## Ours, as printed, the paper's",
            table(
                ("quantity", "ours", "printed formulas", "the paper"),
                ((c.quantity, c.ours, c.printed, c.paper) for c in figure.comparisons),
            ),
        ]
    if figure.variations:
        parts += [
            "## What the unstated parameters do",
            table(
                ("parameter", "ours", "other", "measured", "with ours", "with other"),
                (
                    (v.parameter, v.ours, v.other, v.quantity, v.with_ours, v.with_other)
                    for v in figure.variations
                ),
            ),
        ]
    if figure.measures:
        parts += ["## Measured", table(("quantity", "value"), figure.measures.items())]
    if checks:
        parts += ["## Reference figures", _checks(checks)]
    if claims:
        parts += ["## Claims", _verdicts(claims)]
    return _joined(parts)


def claims_page(paper: str, claims: Sequence[Claim]) -> str:
    """List the verdicts, then each claim with its definition and its numbers."""
    parts = [
        "# Claims of the paper, measured",
        f"Paper: {paper}. Backend: {BACKEND}. Each verdict follows from the numbers by the rule "
        "in the definition.",
        _verdicts(claims),
    ]
    for claim in claims:
        parts += [
            f"## {claim.name}: {claim.verdict}",
            f"The paper ({_figures(claim.figures)}): {claim.claim}.",
            f"Measured: {claim.definition}",
            f"Finding: {claim.finding}",
        ]
        # rows of one kind make one table
        for names in dict.fromkeys(tuple(row) for row in claim.numbers):
            rows = ([row[n] for n in names] for row in claim.numbers if tuple(row) == names)
            parts.append(table(names, rows))
        if claim.limits:
            parts += [
                "The paper states no limit; with others than the chosen one the verdict is:",
                table(tuple(claim.limits[0]), (tuple(row.values()) for row in claim.limits)),
            ]
    return _joined(parts)


def checks_page(paper: str, checks: Sequence[Check], about: Sequence[str]) -> str:
    """List the reference figures beside what was found and what the paper says.

    ``about``: what follows the paper's and the backend's names, and further paragraphs.
    """
    first, *others = about
    lead = f"Paper: {paper}. Backend: {BACKEND}{first}"
    return _joined(["# Reference figures, recomputed", lead, *others, _checks(checks)])


def table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Format a Markdown table."""
    lines = [" | ".join(names), " | ".join("---" for _ in names)]
    # a bar inside a cell would end it
    lines += [" | ".join(_cell(x) for x in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _figures(keys: Sequence[Key]) -> str:
    numbers = [str(key) for key in keys if isinstance(key, int)]
    plural = "s" * (len(numbers) > 1)
    parts = [f"figure{plural} {', '.join(numbers)}"] if numbers else []
    return "; ".join(parts + [key_name(key) for key in keys if isinstance(key, str)])


def _checks(checks: Sequence[Check]) -> str:
    return table(
        ("figure", "quantity", "found", "reference", "tolerance", "the paper", "agrees"),
        (
            (
                *(c.figure, c.quantity, c.found, c.reference, c.allowed, c.paper),
                "yes" if c.agrees else "no",
            )
            for c in checks
        ),
    )


def _verdicts(claims: Sequence[Claim]) -> str:
    return table(
        ("claim", "verdict", "by other limits", "finding"),
        ((c.name, f"**{c.verdict}**", _by_other_limits(c), c.finding) for c in claims),
    )


def _by_other_limits(claim: Claim) -> str:
    """The limits by which a claim's verdict would be another; 'the same' where none is."""
    if not claim.limits:
        return "–"
    name = next(iter(claim.limits[0]))
    other = [row for row in claim.limits if row["verdict"] != claim.verdict]
    changed = "; ".join(f"{_cell(row[name])}: {row['verdict']}" for row in other)
    ours = next(row[name] for row in claim.limits if row["chosen"])
    return f"{name}, ours {_cell(ours)}: {changed or 'the same'}"


def _value(parameter: Parameter) -> str:
    value = parameter.value
    return ", ".join(map(_cell, value)) if isinstance(value, list) else _cell(value)


def _cell(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else cell(value)
    return text.replace("|", "\\|")


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(parts) + "\n"
