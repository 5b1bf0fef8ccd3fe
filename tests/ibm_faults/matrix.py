"""The failure matrix as a table: ``python -m tests.ibm_faults.matrix``.

Each line is a run of ``qbrain`` that met a fault, was healed and resumed. At the end stands what
was tried and what was wrong; the exit code is 1 if anything was.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ibm_faults.cells import GROUPS, all_cells
from ibm_faults.harness import Cell, Report, Runner

KINDS = (
    "traceback",
    "endless",
    "jobs twice",
    "results lost",
    "wrong numbers accepted",
    "session left open",
)


def chosen(options: argparse.Namespace) -> Iterator[Cell]:
    """Cells that the options leave."""
    cells = list(GROUPS[options.group]() if options.group else all_cells())
    if options.only:
        cells = [cell for cell in cells if re.search(options.only, cell.name)]
    part, parts = (int(number) for number in options.part.split("/"))
    yield from cells[part - 1 :: parts]


def summary(reports: list[Report]) -> str:
    """Counts of what was tried and what was wrong."""
    met = [report for report in reports if report.met]
    found: Counter[str] = Counter()
    for report in met:
        for what in {re.sub(r"^resume: ", "", what) for what in report.wrong}:
            found[what if what in KINDS else re.sub(r"^exit .*", "exit code", what)[:40]] += 1
    rows = [
        ("tried", len(reports)),
        ("met no fault", len(reports) - len(met)),
        ("ended rightly", sum(not report.wrong for report in met)),
        ("ended wrongly", sum(bool(report.wrong) for report in met)),
        *((f"  {name}", found[name]) for name in KINDS),
        *((f"  {name}", count) for name, count in sorted(found.items()) if name not in KINDS),
    ]
    return "\n".join(f"{name:42s} {count:6d}" for name, count in rows)


def main(arguments: list[str] | None = None) -> int:
    """Try the cells and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--group", choices=sorted(GROUPS))
    parser.add_argument("--only", help="cells in whose name this regular expression is found")
    parser.add_argument(
        "--part", default="1/1", metavar="I/N", help="every N-th cell from the I-th"
    )
    parser.add_argument("--seconds", type=float, help="begin no cell after so many seconds")
    parser.add_argument("--list", action="store_true", help="print the names and run nothing")
    parser.add_argument("--wrong", action="store_true", help="print only what is wrong")
    options = parser.parse_args(arguments)
    cells = list(chosen(options))
    if options.list:
        print("\n".join(cell.name for cell in cells))
        return 0
    start, reports = time.monotonic(), []
    with Runner() as runner:
        for cell in cells:
            if options.seconds is not None and time.monotonic() - start > options.seconds:
                print(f"time is up; {len(cells) - len(reports)} cells not tried")
                break
            report = runner.try_cell(cell)
            reports.append(report)
            if report.wrong or not options.wrong:
                print(report.line(), flush=True)
    print(summary(reports))
    return int(any(report.wrong and report.met for report in reports))


if __name__ == "__main__":
    sys.exit(main())
