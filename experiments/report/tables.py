"""Rows of figures as a table on stdout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["cell", "print_rows"]

_TITLES = {
    "two_qubit_gates": "2q gates",
    "rmse_excitation": "RMSE E",
    "max_error_excitation": "max error",
    "within_two_bars": "in 2 bars",
    "hellinger_fidelity": "Hellinger",
    "kept_fraction": "kept",
    "rms_distance_to_first": "to first",
}

_FOLDED = 24  # characters that a folder's name has at least


def cell(value: Any) -> str:
    """A figure in four digits, a list joined by semicolons, a dash where there is none."""
    if value is None or value == []:
        return "–"
    if isinstance(value, list):
        return "; ".join(map(cell, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def print_rows(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str], *, group: Sequence[str] = ()
) -> None:
    """The named columns of ``rows``; columns of ``group`` are left blank where a row repeats them.

    Wider than a narrow terminal, which wraps whole lines: folding would tear numbers apart.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(_title(name), no_wrap=name != "run", overflow="fold")
    before: list[Any] = []
    for row in rows:
        head = [row[name] for name in group]
        same = bool(group) and head == before
        before = head
        table.add_row(*("" if same and name in group else cell(row[name]) for name in names))
    # a folder's name may be folded, numbers may not
    least = sum(
        _FOLDED
        if name == "run"
        else 2 + max(len(_title(name)), *(len(cell(r[name])) for r in rows))
        for name in names
    )
    Console(width=max(200, Console().width, least)).print(table)


def _title(name: str) -> str:
    return _TITLES.get(name, name.replace("_", " "))
