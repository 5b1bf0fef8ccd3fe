"""Which source of spikes is nearest to held-out data, and what the data lets one tell apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .measures import ERRORS, Distances

__all__ = ["BETTER", "TITLES", "UNKNOWN", "WORSE", "comparisons", "contest", "verdict"]

BETTER, WORSE, UNKNOWN = "better", "worse", "not told apart"

TITLES = {
    "rate_error": "firing rates",
    "covariance_rmse": "covariances",
    "kl_count_bin": "spikes in a bin",
    "kl_count_window": "spikes in a window",
    "lag1_error": "lag-1 autocorrelation",
}


def contest(
    found: Mapping[str, Distances], main: str, rivals: Sequence[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The generator against each rival and against the noise floor, by every error.

    Two sources are told apart where the interval of the difference of their errors, by the same
    draws of the held-out trials, leaves out 0, and the larger error is itself told apart from the
    noise floor: below the floor a difference is one of this recording, not of the sources. The
    intervals hold together at 95 %, corrected for all comparisons made (Bonferroni).

    Args:
        found: of every source, with `training` as the floor.
        main: the source that the run is about.
        rivals: sources that take part besides it.

    Returns:
        `wins`, a row an error: `best` (the source of least error) and its `value`, the
        `generator`'s, `better` and `worse` (rivals told apart from the generator, that have the
        lesser or the greater error), `floor`, `at_floor` (whether the generator is not told apart
        from it, or below it), `verdict` in words. And `against`, a row an error and rival:
        `difference` of errors, rival minus generator, `low`, `high` (corrected), and whether the
        rival is `better`, `worse` or `not told apart`.
    """
    wins, against = [], []
    metrics = [metric for metric in ERRORS if metric in found[main].metrics]
    total = comparisons(len(metrics), len(rivals))
    for metric in metrics:
        above = {name: _above_floor(found, name, metric, total) for name in (main, *rivals)}
        rows = [_row(found, main, rival, metric, total) for rival in rivals]
        for row in rows:
            larger = main if row["verdict"] == BETTER else row["source"]
            if not above[larger]:
                row["verdict"] = UNKNOWN
        floor = _row(found, main, "training", metric, total)
        values = {name: found[name].metrics[metric] for name in (main, *rivals)}
        best = min(values, key=lambda name: values[name])
        by_verdict = {
            verdict: [row["source"] for row in rows if row["verdict"] == verdict]
            for verdict in (BETTER, WORSE, UNKNOWN)
        }
        wins.append(
            {
                "statistic": metric,
                "best": best,
                "value": values[best],
                "generator": values[main],
                "better": by_verdict[BETTER],
                "worse": by_verdict[WORSE],
                "floor": found["training"].metrics[metric],
                "at_floor": floor["verdict"] != BETTER,
                "verdict": _words(best == main, best, by_verdict),
            }
        )
        against += [*rows, {**floor, "source": "training"}]
    return wins, against


def comparisons(metrics: int, rivals: int) -> int:
    """How many intervals a contest holds against 0: each rival and the floor with the generator.

    And each rival with the floor, by every error.
    """
    return metrics * (2 * rivals + 1)


def _above_floor(found: Mapping[str, Distances], name: str, metric: str, total: int) -> bool:
    return found[name].separation(found["training"], metric, total)[1] > 0


def _row(
    found: Mapping[str, Distances], main: str, rival: str, metric: str, total: int
) -> dict[str, Any]:
    value, low, high = found[rival].separation(found[main], metric, total)
    verdict = WORSE if low > 0 else BETTER if high < 0 else UNKNOWN
    return {
        "statistic": metric,
        "source": rival,
        "difference": value,
        "low": low,
        "high": high,
        "verdict": verdict,
    }


def _words(won: bool, best: str, by_verdict: Mapping[str, Sequence[str]]) -> str:
    better, worse, unknown = (by_verdict[name] for name in (BETTER, WORSE, UNKNOWN))
    parts = ["the generator has the least error" if won else f"{best} has the least error"]
    if better:
        parts.append(f"better than the generator: {', '.join(better)}")
    if worse:
        parts.append(f"worse than the generator: {', '.join(worse)}")
    if unknown:
        parts.append(f"not told apart from the generator: {', '.join(unknown)}")
    return "; ".join(parts)


def verdict(result: Mapping[str, Any]) -> tuple[str, str]:
    """(class, sentences): what the metrics mean, plainly.

    `good`: no classical control is told apart as better by any error; `fair`: by some; `poor`: by
    all.
    """
    wins, classical = result["wins"], set(result["classical_sources"])
    lost = [row for row in wins if classical & set(row["better"])]
    won = [row for row in wins if classical and classical <= set(row["worse"])]
    floor = [row for row in wins if row["at_floor"]]
    who = "the generator"
    if result["backend"] != "exact":
        who += f", its circuits run on {result['backend']}"
    if not classical:
        parts = [f"No classical control was run against {who}."]
    elif lost:
        parts = [
            f"By {len(lost)} of {len(wins)} errors a classical control is nearer to held-out "
            f"spikes than {who}: {_titles(lost)}."
        ]
    else:
        parts = [
            f"By none of {len(wins)} errors is a classical control told apart from {who} as "
            "nearer to held-out spikes."
        ]
    if won:
        parts.append(f"It is better than every classical control by: {_titles(won)}.")
    if floor:
        parts.append(f"It is not told apart from the noise floor of the data by: {_titles(floor)}.")
    else:
        parts.append("It is above the noise floor of the data by every error.")
    parts.append(
        "Two are told apart where the 95 % interval of their difference, corrected for all "
        f"{result['comparisons']} comparisons of this run (Bonferroni), leaves out 0 and the "
        "larger error is above the floor; the intervals are of resampled trials, not of other "
        "trainings."
    )
    style = "good" if not lost else "poor" if len(lost) == len(wins) else "fair"
    return style, " ".join(parts)


def _titles(rows: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(TITLES[row["statistic"]] for row in rows)
