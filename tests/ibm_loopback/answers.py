"""Answers that are not what they should be: content, not transport.

Each entry of :data:`RESULTS`, :data:`UNSEEN_RESULTS`, :data:`JOBS`, :data:`SUBMISSIONS`,
:data:`LISTS`, :data:`METRICS`, :data:`DEVICES` and :data:`SESSIONS` takes status and body of a
right answer and gives those of a wrong one, for :meth:`LoopbackIBM.alter` and
:meth:`LoopbackIBM.answers`. Bodies come as the server keeps them: text for results, objects for
the rest.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from ibm_quantum_schemas.common import CompressedTensorModel

from .faults import Change, Raw

__all__ = [
    "CHANGES",
    "DEVICES",
    "HARMLESS_RESULTS",
    "JOBS",
    "LISTS",
    "METRICS",
    "RESULTS",
    "SESSIONS",
    "SUBMISSIONS",
    "UNSEEN_RESULTS",
    "edited",
    "edited_result",
    "replaced",
]


# a body of None goes out as no body at all
NULL = Raw(b"null")


def replaced(body: Any, code: int = 200) -> Change:
    """Another answer altogether."""

    def change(_: int, __: Any) -> tuple[int, Any]:
        return code, body

    return change


def edited(edit: Callable[[dict[str, Any]], Any]) -> Change:
    """An object changed in place, or the dict that ``edit`` returns; errors pass as they are."""

    def change(code: int, body: Any) -> tuple[int, Any]:
        if code != 200:
            return code, body
        found = copy.deepcopy(body)
        other = edit(found)
        return code, other if isinstance(other, dict) else found

    return change


def edited_result(edit: Callable[[dict[str, Any]], Any]) -> Change:
    """A result's JSON, decoded, changed in place and encoded again."""

    def change(code: int, body: Any) -> tuple[int, Any]:
        if code != 200 or not isinstance(body, str) or not body.startswith("{"):
            return code, body
        found = json.loads(body)
        edit(found)
        # NaN as Python writes it: what a careless service sends
        return code, json.dumps(found)

    return change


# ---- results


def _each_register(edit: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Every register's array, (..., shots, bits) of booleans, made another."""

    def change(result: dict[str, Any]) -> None:
        for item in result["data"]:
            for name, tensor in item["results"].items():
                array = CompressedTensorModel(**tensor).to_numpy()
                model = CompressedTensorModel.from_numpy(np.ascontiguousarray(edit(array)))
                item["results"][name] = model.model_dump(mode="json")

    return edited_result(change)


def _renamed(result: dict[str, Any]) -> None:
    for item in result["data"]:
        item["results"] = {f"{name}_": value for name, value in item["results"].items()}


def _without_registers(result: dict[str, Any]) -> None:
    result["data"][-1]["results"] = {}


def _reversed(result: dict[str, Any]) -> None:
    """The circuits the other way round, and each with its own metadata, as a service would."""
    result["data"].reverse()
    result["passthrough_data"]["post_processor"]["circuits_metadata"].reverse()


def _of_another_job(result: dict[str, Any]) -> None:
    """Of the same form, with the tag and the steps of another one wherever they are told."""
    post = result["passthrough_data"]["post_processor"]
    for row in post["circuits_metadata"]:
        row["step"] = int(row.get("step", 0)) + 1
    text = json.dumps(post)
    for tag in post["options"]["environment"]["job_tags"] or []:
        text = text.replace(tag, "of-another-job")
    result["passthrough_data"]["post_processor"] = json.loads(text)


def _another_job(code: int, body: Any) -> tuple[int, Any]:
    """The result of another job, with every bit the other way."""
    code, body = _each_register(np.logical_not)(code, body)
    return edited_result(_of_another_job)(code, body)


def _nan_times(result: dict[str, Any]) -> None:
    for span in result["metadata"]["chunk_timing"]:
        span["start"] = span["stop"] = float("nan")


def _no_times(result: dict[str, Any]) -> None:
    result["metadata"]["chunk_timing"] = []


def _set(*path: str, to: Any) -> Callable[[dict[str, Any]], None]:
    def edit(body: dict[str, Any]) -> None:
        for name in path[:-1]:
            body = body[name]
        body[path[-1]] = to

    return edit


def _drop(*path: str) -> Callable[[dict[str, Any]], None]:
    def edit(body: dict[str, Any]) -> None:
        for name in path[:-1]:
            body = body[name]
        del body[path[-1]]

    return edit


def _half_text(code: int, body: Any) -> tuple[int, Any]:
    return (code, body[: len(body) // 2]) if code == 200 and isinstance(body, str) else (code, body)


RESULTS: dict[str, Change] = {
    "half the shots": _each_register(lambda a: a[..., : a.shape[-2] // 2, :]),
    "one shot more": _each_register(lambda a: np.concatenate([a, a[..., :1, :]], axis=-2)),
    "no shots": _each_register(lambda a: a[..., :0, :]),
    "narrower registers": _each_register(lambda a: a[..., :-1]),
    "wider registers": _each_register(lambda a: np.concatenate([a, a[..., :1]], axis=-1)),
    "transposed": _each_register(lambda a: np.swapaxes(a, -1, -2)),
    "numbers for bits": _each_register(lambda a: a.astype(np.float64) + 0.25),
    "not a number for bits": _each_register(lambda a: np.full(a.shape, np.nan)),
    "registers renamed": edited_result(_renamed),
    "a circuit without registers": edited_result(_without_registers),
    "circuits in another order": edited_result(_reversed),
    "one circuit fewer": edited_result(lambda r: r["data"].pop()),
    "one circuit more": edited_result(lambda r: r["data"].append(r["data"][0])),
    "no circuits": edited_result(lambda r: r["data"].clear()),
    "of another job": _another_job,
    "time stamps not a number": edited_result(_nan_times),
    "no time stamps": edited_result(_no_times),
    "another schema": edited_result(_set("schema_version", to="v9.0")),
    "no schema": edited_result(_drop("schema_version")),
    "no metadata": edited_result(_drop("metadata")),
    "no passthrough": edited_result(_set("passthrough_data", to=None)),
    "new fields": edited_result(_set("carbon_footprint", to={"grams": 3})),
    "half the text": _half_text,
    "a tensor cut": edited_result(
        lambda r: [
            tensor.update(data=tensor["data"][: len(tensor["data"]) // 2 // 4 * 4])
            for item in r["data"]
            for tensor in item["results"].values()
        ]
    ),
    "null": replaced("null"),
    "an empty object": replaced("{}"),
    "a list": replaced("[]"),
    "a word": replaced('"done"'),
    "no text": replaced(""),
    "bytes that are no text": replaced(Raw(b"\xff\xfe\x00\x80" * 40)),
}
# whole and well-formed: no reader can see from the answer alone that it is wrong
UNSEEN_RESULTS: dict[str, Change] = {
    "bits 0 and 1 exchanged": _each_register(
        lambda a: a[..., [1, 0, *range(2, a.shape[-1])]] if a.shape[-1] > 1 else a
    ),
    "bits reversed": _each_register(lambda a: a[..., ::-1]),
    "bits inverted": _each_register(np.logical_not),
}
# of these the numbers are there, whole and of the right job, for every reader
HARMLESS_RESULTS = frozenset({"no time stamps", "new fields"})


# ---- the job itself


def _state(status: Any) -> Change:
    def edit(body: dict[str, Any]) -> None:
        body["state"], body["status"] = {"status": status}, status

    return edited(edit)


JOBS: dict[str, Change] = {
    "an unknown state": _state("Validating"),
    "a state of null": _state(None),
    "a state of a number": _state(3),
    "no state": edited(_drop("state")),
    "new fields": edited(lambda b: b.update(priority=3, lineage={"parents": []})),
    "no fields": replaced({}),
    "null": replaced(NULL),
    "a list": replaced([]),
    "another id": edited(_set("id", to="d0000000000000000000")),
    "another device": edited(_set("backend", to="ibm_elsewhere")),
    "no creation time": edited(_drop("created")),
    "ran too long": edited(
        lambda b: b.update(
            state={
                "status": "Cancelled",
                "reason": "Job execution time exceeded the limit.",
                "reason_code": 1305,
            },
            status="Cancelled - Ran too long",
        )
    ),
}

SUBMISSIONS: dict[str, Change] = {
    "null": replaced(NULL),
    "an empty object": replaced({}),
    "a list": replaced([]),
    "an id of null": edited(_set("id", to=None)),
    "an id of a number": edited(_set("id", to=7)),
    "no device": edited(_drop("backend")),
    "another device": edited(_set("backend", to="ibm_elsewhere")),
    "new fields": edited(lambda b: b.update(position=4)),
}

LISTS: dict[str, Change] = {
    "null": replaced(NULL),
    "an empty object": replaced({}),
    "jobs of null": edited(_set("jobs", to=None)),
    "empty although there are jobs": edited(lambda b: b.update(jobs=[], count=0)),
    "a count that is wrong": edited(_set("count", to=400)),
    "no count": edited(_drop("count")),
    "strangers": edited(
        lambda b: b["jobs"].extend(
            [{**row, "id": f"x{row['id'][1:]}", "tags": ["a-stranger"]} for row in b["jobs"]]
        )
    ),
    "states unknown": edited(
        lambda b: [row.update(state={"status": "Archived"}, status="Archived") for row in b["jobs"]]
    ),
}

METRICS: dict[str, Change] = {
    "null": replaced(NULL),
    "an empty object": replaced({}),
    "usage of null": edited(_set("usage", to=None)),
    "usage pending": edited(_set("usage", "status", to="pending")),
    "usage not a number": edited(
        lambda b: b["usage"].update(
            seconds=float("nan"), quantum_seconds=float("nan"), qpu_charge_time_seconds=float("nan")
        )
    ),
    "usage below nought": edited(_set("usage", "qpu_charge_time_seconds", to=-3.0)),
    "usage in words": edited(_set("usage", "qpu_charge_time_seconds", to="some")),
}


# ---- devices


def _bare_qubit(body: dict[str, Any]) -> None:
    body["qubits"][40] = []


def _short(body: dict[str, Any]) -> None:
    body["qubits"] = body["qubits"][:-1]


def _nan_errors(body: dict[str, Any]) -> None:
    for entry in body["qubits"][40]:
        if entry["name"] in ("readout_error", "T1", "T2"):
            entry["value"] = float("nan")


def _worst_readout(body: dict[str, Any]) -> None:
    for entries in body["qubits"]:
        for entry in entries:
            if entry["name"] in ("readout_error", "prob_meas0_prep1", "prob_meas1_prep0"):
                entry["value"] = 0.5


DEVICES: dict[str, dict[str, Change]] = {
    "properties": {
        "a qubit without": edited(_bare_qubit),
        "a qubit fewer": edited(_short),
        "a qubit of null": edited(lambda b: b["qubits"].__setitem__(40, None)),
        "errors not a number": edited(_nan_errors),
        "readout no better than a coin": edited(_worst_readout),
        "no gates": edited(lambda b: b["gates"].clear()),
        "no date": edited(_drop("last_update_date")),
        "a date in words": edited(_set("last_update_date", to="yesterday")),
        "null": replaced(NULL),
        "an empty object": replaced({}),
        "new fields": edited(_set("mood", to="good")),
    },
    "configuration": {
        "null": replaced(NULL),
        "an empty object": replaced({}),
        "no gates": edited(_drop("gates")),
        "no qubits": edited(_drop("n_qubits")),
        "no limits": edited(lambda b: (b.pop("max_shots", None), b.pop("max_experiments", None))),
        "new fields": edited(_set("mood", to="good")),
    },
    "status": {
        "null": replaced(NULL),
        "an empty object": replaced({}),
        "a new word": edited(_set("status", to="recalibrating")),
        "maintenance": edited(lambda b: b.update(state=False, status="maintenance")),
        "a queue below nought": edited(_set("length_queue", to=-5)),
        "a queue of null": edited(_set("length_queue", to=None)),
    },
    "backends": {
        "null": replaced(NULL),
        "an empty object": replaced({}),
        "none": edited(lambda b: b["devices"].clear()),
        "rows of names": edited(lambda b: {"devices": [row["name"] for row in b["devices"]]}),
        "no states": edited(lambda b: [row.pop("status") for row in b["devices"]]),
        "new fields": edited(lambda b: [row.update(mood="good") for row in b["devices"]]),
    },
    "usage": {
        "null": replaced(NULL),
        "an empty object": replaced({}),
        "a limit of null": edited(_set("usage_limit_seconds", to=None)),
        "used up": edited(
            lambda b: b.update(usage_consumed_seconds=36_000, usage_limit_reached=True)
        ),
        "consumed in words": edited(_set("usage_consumed_seconds", to="all")),
    },
}

SESSIONS: dict[str, Change] = {
    "null": replaced(NULL),
    "an empty object": replaced({}),
    "an id of null": edited(_set("id", to=None)),
    "closed already": edited(lambda b: b.update(state="closed", accepting_jobs=False)),
}

# by name, for the control endpoint
CHANGES: dict[str, Change] = {
    **{f"result: {name}": change for name, change in {**RESULTS, **UNSEEN_RESULTS}.items()},
    **{f"job: {name}": change for name, change in JOBS.items()},
    **{f"submission: {name}": change for name, change in SUBMISSIONS.items()},
    **{f"list: {name}": change for name, change in LISTS.items()},
    **{f"metrics: {name}": change for name, change in METRICS.items()},
    **{f"session: {name}": change for name, change in SESSIONS.items()},
    **{
        f"{route}: {name}": change
        for route, changes in DEVICES.items()
        for name, change in changes.items()
    },
}
