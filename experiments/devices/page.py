"""The page of a device check, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..papers.pages import table

__all__ = ["check_page"]


def check_page(record: Mapping[str, Any]) -> str:
    """Verdicts, fitted numbers, prediction errors, mitigations and all classes."""
    when = f" on {' to '.join(record['measured'])}" if record["measured"] else ""
    parts = [
        f"# Counts of {record['device']} and what its snapshot predicts",
        f"Measured{when}; predictions are simulated from `{record['snapshot']}` (calibration of "
        f"{record['calibration']}) on its best qubit chains, since the file does not tell which "
        "physical qubits were used. "
        "*Snapshot*: errors of gates and readout. *With waiting*: the same, circuits scheduled, "
        "qubits relaxing while they wait. *Model*: with waiting, and the numbers below fitted.",
        "![Parity leakage and total variation distance](device-check.png)",
        "## Verdicts",
        "\n".join(f"- {sentence}" for sentence in record["verdicts"]),
        "## Fitted numbers",
        f"Fitted to {len(record['split']['fit'])} classes, "
        f"{len(record['split']['held_out'])} held out ({record['split']['rule']}; seed "
        f"{record['seed']}). Intervals (95 %) come from drawing depths anew.",
        table(
            ("number", "value", "interval", "meaning"),
            (
                (name, row["value"], _interval(row["interval"]), row["means"])
                for name, row in record["fitted"].items()
            ),
        ),
        "## Error of prediction",
        "Total variation distance to the counts, mean and largest over the classes.",
        table(
            ("classes", "qubits", "number", "ideal", "snapshot", "with waiting", "model"),
            (
                (
                    row["used"],
                    row["neurons"],
                    row["classes"],
                    *(
                        f"{row[f'tvd_{form}_mean']:.3f} (≤ {row[f'tvd_{form}_max']:.3f})"
                        for form in ("ideal", "snapshot", "waiting", "model")
                    ),
                )
                for row in record["prediction"]
            ),
        ),
    ]
    if record.get("candidates"):
        parts += [
            "## Which numbers are worth fitting",
            table(
                ("free", "values", "fitted classes", "held out", "largest held out"),
                (
                    (
                        " + ".join(row["free"]),
                        ", ".join(f"{value:.4g}" for value in row["values"].values()),
                        f"{row['tvd_fit_mean']:.4f}",
                        f"{row['tvd_held_out_mean']:.4f}",
                        f"{row['tvd_held_out_max']:.4f}",
                    )
                    for row in record["candidates"]
                ),
            ),
        ]
    if record["mitigations"]:
        parts += [
            "## Mitigation of counts",
            "By how much the mean total variation distance to the ideal distribution falls. Gains "
            "on the snapshot within 0.05 of the device's interval are told to be the same.",
            table(
                ("mitigation", "classes", "device", "interval", "snapshot", "model", "verdict"),
                (
                    (
                        row["name"],
                        row["classes"],
                        _percent(row["gain"]),
                        " to ".join(map(_percent, row["gain_interval"])),
                        _percent(row["snapshot"]),
                        _percent(row["model"]),
                        row["verdict"],
                    )
                    for row in record["mitigations"]
                ),
            ),
        ]
    parts += [
        "## Classes",
        "Leakage: probability of the parity that the circuit does not have. Distances are from the "
        "counts to each prediction; TVD: total variation distance, H: Hellinger distance.",
        table(
            (
                "class",
                "used",
                "leakage, device",
                "snapshot",
                "model",
                "TVD ideal",
                "TVD snapshot",
                "TVD model",
                "interval",
                "H snapshot",
                "H model",
            ),
            (
                (
                    row["class"],
                    row["used"],
                    *(
                        f"{row[name]:.4f}" if name in row else "–"
                        for name in ("leakage_real", "leakage_snapshot", "leakage_model")
                    ),
                    f"{row['tvd_ideal']:.4f}",
                    f"{row['tvd_snapshot']:.4f}",
                    f"{row['tvd_model']:.4f}",
                    _interval(row["tvd_model_interval"]),
                    f"{row['hellinger_snapshot']:.4f}",
                    f"{row['hellinger_model']:.4f}",
                )
                for row in record["classes"]
            ),
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _interval(bounds: list[float]) -> str:
    return f"{bounds[0]:.4g} to {bounds[1]:.4g}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
