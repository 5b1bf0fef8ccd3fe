"""What proves where the numbers of a run on a device come from.

The service's URL, the instance (its CRN, never a token), the device and its calibration, the id of
every job and the seconds it was billed, and the versions of the client and of this package: in
``run.toml`` what is known when the run begins, in the tickets of its jobs what comes after, and all
of it in ``result.json``, in the attributes of ``result.nc`` and in the report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qbrain.backends.ibm_ticket import Ticket

from .folder import RunDirectory
from .sent import kept_facts, kept_tickets

__all__ = ["attributes_of", "provenance_of", "services_of"]

_PACKAGES = ("qbrain", "qiskit", "qiskit-ibm-runtime", "qiskit-aer")
_CALIBRATION = ("calibration", "calibration_id", "calibration_sha256")


def services_of(folder: RunDirectory, steps: int) -> list[str]:
    """URLs of the services that the run's device and the results of its jobs came from.

    Empty where that was not recorded of everything, as in runs of version 0.1 or where the ticket
    of one of the ``steps`` is gone, and in runs on no device.
    """
    facts = kept_facts(folder)
    return [] if facts is None else _services(facts.details, kept_tickets(folder), steps)


def _services(
    device: Mapping[str, Any], kept: Sequence[tuple[int, int, Ticket]], steps: int
) -> list[str]:
    own = [str(device.get("service", "")), *(ticket.service for _, _, ticket in kept)]
    whole = {number for number, _, _ in kept}.issuperset(range(steps))
    # one that is not known proves nothing about the others
    return list(dict.fromkeys(own)) if whole and all(own) else []


def provenance_of(folder: RunDirectory, where: str, steps: int) -> dict[str, Any] | None:
    """The record of a finished run on a device; None of others.

    ``where``: the run's backend in words; ``steps``: how many jobs it had, parts not counted.
    """
    facts = kept_facts(folder)
    if facts is None:
        return None
    kept = kept_tickets(folder)
    tickets = [ticket for _, _, ticket in kept]
    device = facts.details
    instances = [str(device.get("instance", "")), *(ticket.instance for ticket in tickets)]
    bills = [ticket.billed for ticket in tickets]
    known = [seconds for seconds in bills if seconds is not None]
    versions = folder.record().get("versions", {})
    return {
        "where": where,
        "services": _services(device, kept, steps),
        "instances": list(dict.fromkeys(each for each in instances if each)),
        "device": facts.name,
        **{key: device[key] for key in _CALIBRATION if key in device},
        "jobs": [
            {
                "step": number,
                "part": part,
                "job": ticket.job,
                "billed_seconds": ticket.billed,
                "given_up": list(ticket.former),
            }
            for number, part, ticket in kept
        ],
        # what jobs that were given up were billed is in it
        "billed_seconds": (
            sum(known) + sum(ticket.lost for ticket in tickets)
            if len(known) == len(bills)
            else None
        ),
        "versions": {name: versions[name] for name in _PACKAGES if name in versions},
    }


def attributes_of(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The same as attributes of a netCDF file: texts, and the seconds billed as a number."""
    billed = provenance["billed_seconds"]
    found = {
        "where": provenance["where"],
        "service": ", ".join(provenance["services"]) or "not recorded",
        "service_instance": ", ".join(provenance["instances"]) or "not recorded",
        "device": provenance["device"],
        "job_ids": " ".join(str(row["job"]) for row in provenance["jobs"]),
        "billed_seconds": "not known" if billed is None else billed,
        "versions": ", ".join(f"{name} {each}" for name, each in provenance["versions"].items()),
    }
    return found | {key: provenance[key] for key in _CALIBRATION if key in provenance}
