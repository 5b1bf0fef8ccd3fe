"""Tables of spike times as text: CSV as programs write it, and what simulators print.

The separator is a semicolon, tab, comma, bar or white space, whichever makes the header name a
neuron and a time; lines that begin with #, % or // are comments. A decimal comma is taken where
the separator is no comma or the field is in quotes.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .columns import Roles, find_roles, found_of_columns
from .reading import Account, Reading, check_bytes, readable, shown
from .recording import Found

__all__ = ["is_table", "read_table"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_SEPARATORS = (";", "\t", ",", "|", " ")
_COMMENTS = ("#", "%", "//")
_CHUNK = 100_000  # rows turned into numbers at a time
_HEADER_WITHIN = 200  # lines
_LONGEST_LINE = 1_000_000  # characters
_WORDS = {";": "semicolons", "\t": "tabs", ",": "commas", "|": "bars", " ": "white space"}


class _Labels:
    """Text of a column as codes, so that a name is kept once."""

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}
        self.parts: list[IntArray] = []

    def add(self, texts: list[str]) -> None:
        known = self.codes
        self.parts.append(np.array([known.setdefault(t, len(known)) for t in texts], np.int64))

    @property
    def column(self) -> tuple[IntArray, list[str]]:
        return np.concatenate(self.parts), list(self.codes)


def _opened(file: Path) -> TextIO:
    with file.open("rb") as raw:
        head = raw.read(4)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return file.open(newline="", encoding="utf-16")
    # what is no UTF-8 is a comment or a header with a letter such as µ
    return file.open(newline="", encoding="utf-8-sig", errors="surrogateescape")


def _lines(text: TextIO, notes: list[str] | None = None) -> Iterator[tuple[int, str]]:
    """Number and text of lines that are neither blank nor comments.

    A comment before them all is noted.
    """
    number, told = 0, notes is None
    while line := text.readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE:
            raise ConfigError(
                f"data: wanted lines of at most {_LONGEST_LINE} characters, got a longer line "
                f"{number}"
            )
        # Excel's own line about the separator says no more than the header does
        if not line.strip() or (number == 1 and line.lower().startswith("sep=")):
            continue
        if not line.lstrip().startswith(_COMMENTS):
            told = True
            yield number, line
        elif not told and notes is not None:
            notes.append(f"its first comment: {shown(line.strip().lstrip('#%/ '), 100)}")
            told = True


def _split(line: str, separator: str) -> list[str]:
    if separator == " ":
        return line.split()
    if '"' not in line:
        return [field.strip() for field in line.split(separator)]
    fields = next(csv.reader([line.strip("\r\n")], delimiter=separator, skipinitialspace=True), [])
    return [field.strip() for field in fields]


def _header(line: str) -> tuple[str, Roles] | None:
    """The separator and the columns that make this line a header of spikes."""
    for separator in _SEPARATORS:
        try:
            roles = find_roles(_split(line, separator))
        except csv.Error:
            continue
        if roles is not None:
            return separator, roles
    return None


def is_table(file: Path, *, bare: bool = False) -> bool:
    """Whether the first line that is no comment is a header with a neuron and a time.

    Args:
        file: to look into.
        bare: whether NEST's two columns without a header will do.
    """
    try:
        with _opened(file) as text:
            line = next((line for _, line in islice(_lines(text), 1)), "")
            return _header(line) is not None or (bare and _is_nest(line))
    except (OSError, ValueError):  # junk; other readers may know it
        return False


def read_table(file: Path, reading: Reading, *, bare: bool = False) -> Found:
    """Spikes of a text table.

    Args:
        file: with a header, whatever its ending.
        reading: the options.
        bare: whether two columns without a header are NEST's senders and times in ms.

    Raises:
        ConfigError: no header that names neuron and time, a line that is none of spikes, or as
            of :func:`~.columns.found_of_columns`.
    """
    reading.refuse("a table of spike times has one array", "variable")
    with readable(file, file.suffix.lower() or "table"):
        # three columns as numbers, and as text while a chunk is read
        check_bytes(2.0 * file.stat().st_size, "a table")
        with _opened(file) as text:
            account = Account()
            lines = _lines(text, account.notes)
            first = next(lines, None)
            found = None if first is None else _header(first[1])
            form = "table of spike times"
            if found is not None:
                separator, roles = found
                unit, origin = roles.unit, ""
                _check_twice(roles, file.name)
                if roles.time is not None:
                    origin = f"column {shown(roles.names[roles.time], 30)}"
            elif bare and first is not None and _is_nest(first[1]):
                lines = _with(first, lines)
                separator, roles = " ", Roles(["sender", "time_ms"])
                unit, origin, form = "ms", "NEST", "NEST's senders and times"
            else:
                got = "none" if first is None else shown(first[1])
                raise ConfigError(
                    "data: wanted a header with neuron (or unit, cell, …), time and perhaps trial "
                    f"in {file.name}, got {got}"
                )
            columns, times = _columns(lines, separator, roles, file.name, account)
    account.notes.append(f"columns {roles.words}, separated by {_WORDS[separator]}")
    return found_of_columns(
        columns, times, reading, name=file.name, form=form, unit=unit, unit_from=origin,
        account=account,
    )  # fmt: skip


def _check_twice(roles: Roles, name: str) -> None:
    for k in (roles.trial, roles.neuron, roles.time):
        if k is not None and roles.names.count(roles.names[k]) > 1:
            raise ConfigError(
                f"data: wanted one column {shown(roles.names[k], 30)} in {name}, got "
                f"{roles.names.count(roles.names[k])}"
            )


def _with(first: tuple[int, str], rest: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield first
    yield from rest


def _is_nest(line: str) -> bool:
    fields = line.split()
    try:
        return len(fields) == 2 and float(fields[0]).is_integer() and float(fields[1]) >= 0
    except ValueError:
        return False


def _columns(
    lines: Iterator[tuple[int, str]], separator: str, roles: Roles, name: str, account: Account
) -> tuple[dict[str, tuple[IntArray, list[str]]], FloatArray]:
    neuron, trial, times = _Labels(), _Labels(), []
    skipped = 0
    assert roles.neuron is not None
    assert roles.time is not None
    while chunk := list(islice(lines, _CHUNK)):
        rows = [(number, _split(line, separator)) for number, line in chunk]
        kept = []
        for number, row in rows:
            while len(row) > len(roles.names) and not row[-1]:
                row.pop()
            if len(row) != len(roles.names):
                raise ConfigError(
                    f"data: wanted {len(roles.names)} fields, as the header of {name} has, got "
                    f"{len(row)} in line {number}"
                )
            used = [row[k] for k in (roles.neuron, roles.trial, roles.time) if k is not None]
            if not _missing(row[roles.time]) and any(map(_missing, used)):
                skipped += 1
            elif not all(map(_missing, used)):
                kept.append((number, row))
            else:
                skipped += 1
        times.append(_numbers([row[roles.time] for _, row in kept], kept))
        neuron.add([row[roles.neuron] for _, row in kept])
        trial.add(["0" if roles.trial is None else row[roles.trial] for _, row in kept])
    if not times:
        raise ConfigError(f"data: wanted spikes in {name}, got none")
    if skipped:
        account.cuts.append(f"{skipped} lines without a neuron or trial were left out")
    columns = {"neuron": neuron.column}
    if roles.trial is not None:
        columns["trial"] = trial.column
    return columns, np.concatenate(times)


def _missing(text: str) -> bool:
    return text.lower() in ("", "nan", "na", "null", "none")


def _numbers(texts: list[str], rows: list[tuple[int, list[str]]]) -> FloatArray:
    """Times of a chunk; the first line that is none is named."""
    # with commas as separators, only a field in quotes can have a comma
    texts = [text if "." in text else text.replace(",", ".") for text in texts]
    try:
        if "_" in "".join(texts):  # which Python and NumPy take for a number
            raise ValueError
        values = np.array(texts, dtype=np.float64)
        good = np.isfinite(values) & (values >= 0)
    except ValueError:
        good = np.array([_is_time(text) for text in texts])
    if not good.all():
        number, row = rows[int(np.flatnonzero(~good)[0])]
        raise ConfigError(
            "data: wanted a time >= 0 beside the neuron's name, "
            f"got {shown(','.join(row))} in line {number}"
        )
    return values


def _is_time(text: str) -> bool:
    try:
        return "_" not in text and 0 <= float(text) < np.inf
    except ValueError:
        return False
