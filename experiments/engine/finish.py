"""What a finished run leaves in its folder: the one place that writes it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from qiskit import QuantumCircuit

from ..report.figure import inline_svg, save_figure
from ..report.page import render_page, validation_table
from .budget import budget
from .experiment import Bench, Experiment, Fit, Outcome
from .folder import RunDirectory
from .progress import say
from .readings import Reading, checked

__all__ = ["circuit_facts", "draw_circuit", "render_outcome", "result_of", "write_run"]

_LONGEST = 400  # gates of a circuit that is drawn
_COUNTED = re.compile(r"circuit-\d+(-\d+)*")


def circuit_facts(readings: Sequence[Sequence[Reading]], bench: Bench | None) -> dict[str, Any]:
    """What the JSON object of every system says of its circuits.

    Gates and depth are the largest of a point's own circuit, on the first placement and unfolded.
    """
    every = [reading for job in readings for reading in job]
    plain = [r for r in every if (r.role.kind, r.role.placement, r.role.scale) == ("point", 0, 1.0)]
    found: dict[str, Any] = {
        "qubits": 0 if bench is None else int(bench.target.num_qubits),
        "circuits": len(every),
        "validated": checked(every),
        "validation": every[0].heading.check["method"] if every else None,
        "two_qubit_gates": max((r.gates for r in plain), default=0),
        "depth": max((r.heading.depth for r in plain), default=0),
    }
    details = {} if bench is None else bench.details
    return found | {k: details[k] for k in ("physical_qubits", "calibration") if k in details}


def result_of(
    system: str, experiment: Experiment[Any, Any], outcome: Outcome, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """The JSON object of a run, without what depends on where and how fast it ran."""
    config = experiment.config
    return {
        "system": system,
        "backend": config.backend,
        "seed": config.seed,
        **facts,
        **outcome.result,
        "fit": outcome.fit.record(),
        "budget": [
            {"error": name, "rms": size}
            for name, size in budget(outcome.budget, outcome.fit.rmse, noise=experiment.met_noise)
        ],
        "verdict": {"style": outcome.verdict.style, "sentence": outcome.verdict.sentence},
    }


def write_run(
    folder: RunDirectory,
    outcome: Outcome,
    result: Mapping[str, Any],
    readings: Sequence[Sequence[Reading]],
    circuits: Sequence[QuantumCircuit],
    *,
    draw: bool,
) -> None:
    """Write result.nc, circuits.qpy, the pictures where ``draw``, and last of all result.json."""
    say("writing result.nc")
    folder.write_dataset("result.nc", outcome.data, outcome.encoding, outcome.large)
    if circuits:
        folder.write_circuits("circuits.qpy", _named(circuits))
    if draw:
        say("drawing")
        picture = outcome.picture()
        folder.write("figure.png", lambda path: save_figure(picture, path))
        page = render_outcome(outcome, result, folder.record(), readings, circuits, picture)
        folder.write("report.html", page.encode())
    folder.write_result(result)


def _named(circuits: Sequence[QuantumCircuit]) -> list[QuantumCircuit]:
    """The circuits; those that nobody has named by their place in the file.

    Qiskit numbers them as they are made in a process, and a resumed run makes fewer.
    """
    return [
        circuit.copy(name=f"circuit-{place}") if _COUNTED.fullmatch(circuit.name) else circuit
        for place, circuit in enumerate(circuits)
    ]


def render_outcome(
    outcome: Outcome,
    result: Mapping[str, Any],
    record: Mapping[str, Any],
    readings: Sequence[Sequence[Reading]],
    circuits: Sequence[QuantumCircuit],
    picture: Any = None,
) -> str:
    """The run's page as text, self-contained; every system has the same skeleton.

    The outcome's values may bring a ``picture`` (an svg element) to show in place of the run's own.
    """
    own = outcome.values()
    values: dict[str, Any] = {
        "title": outcome.title,
        "style": outcome.verdict.style,
        "sentence": outcome.verdict.sentence,
        "result": result,
        "record": record,
        "fit": _fit_rows(outcome.fit),
        "budget": [(row["error"], row["rms"]) for row in result.get("budget", ())],
        "circuit": draw_circuit(circuits),
        "validation": validation_table(
            [reading.heading.check for job in readings for reading in job]
        ),
    }
    if "picture" not in own:
        picture = outcome.picture() if picture is None else picture
        # what takes longest, the layout, has been found for the file; the page has its own title
        picture.set_layout_engine("none")
        picture.suptitle("")
        values["picture"] = inline_svg(picture)
    return render_page(outcome.template, **{**values, **own})


def _fit_rows(fit: Fit) -> list[tuple[str, str]]:
    rows = [
        ("RMSE", fit.rmse),
        ("RMSE, raw", fit.rmse_raw),
        ("largest error", fit.max_error),
        ("RMSE that shots alone give", fit.shot_error),
    ]
    found = [(text, f"{value:.5f}") for text, value in rows if value is not None]
    if fit.coverage is not None:
        found.append(("exact value inside the 95 % band", f"{100 * fit.coverage:.0f} % of points"))
    return found


def draw_circuit(circuits: Sequence[QuantumCircuit]) -> str:
    """A circuit of the run as text: drawn where it is short, counted where it is not."""
    if not circuits:
        return ""
    circuit = circuits[min(1, len(circuits) - 1)]
    if circuit.size() <= _LONGEST:
        return str(circuit.draw("text", fold=150, idle_wires=False))
    counts = ", ".join(f"{name} {count}" for name, count in circuit.count_ops().items())
    return f"{circuit.num_qubits} qubits, depth {circuit.depth()}: {counts}"
