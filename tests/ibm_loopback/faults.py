"""What can go wrong between the service and whoever asks it, apart from what the service decides.

A :class:`Fault` strikes the next requests that match it. Its kinds are those that users of IBM
Quantum have reported: errors with IBM's body or with a gateway's page, answers that never come,
come late, come cut or byte by byte, and answers whose content is not what it should be.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["FOREVER", "KINDS", "ApiError", "Change", "Fault", "Raw", "error_body", "html_page"]

FOREVER = 1_000_000_000
KINDS = (
    "status",
    "html",
    "null",
    "empty",
    "plain",
    "truncated",
    "cut",
    "drop",
    "delay",
    "hang",
    "trickle",
    "change",
)
# status and body of an answer in, status and body out
Change = Callable[[int, Any], tuple[int, Any]]


@dataclass(frozen=True)
class Raw:
    """A body as it is to go out, for answers that are not JSON."""

    data: bytes
    content_type: str = "application/json"


@dataclass
class Fault:
    """What is to go wrong with the next requests that match.

    Attributes:
        kind: one of

            ``status``
                an error in IBM's form;
            ``html``
                a gateway's page with this status (200 is what a portal in between answers);
            ``null``, ``empty``, ``plain``
                JSON's null, no body, the right body under ``text/plain``;
            ``truncated``
                half of the text, whole by its headers;
            ``cut``, ``drop``, ``hang``
                half of the answer and then nothing, nothing, nothing without hanging up;
            ``delay``, ``trickle``
                the answer late, or a byte at a time over so many seconds;
            ``change``
                the answer as ``change`` makes it.
        count: how many requests it strikes.
        skip: how many matching requests it lets pass first.
        method: ``GET``, ``POST``...; any if empty.
        path: regular expression searched for in the path; any if empty.
        after: let the request take effect first, so that the client does not learn of it. Kinds
            that work on the answer (``null`` to ``cut``, ``trickle`` and ``change``) always do.
        status: of kinds ``status`` and ``html``.
        retry_after: header of that name: seconds, or a date in HTTP's form.
        seconds: of kinds ``delay`` and ``trickle``.
        change: of kind ``change``.
    """

    kind: str
    count: int = 1
    skip: int = 0
    method: str = ""
    path: str = ""
    after: bool = False
    status: int = 500
    retry_after: int | str | None = None
    seconds: float = 0.0
    change: Change | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: wanted one of {', '.join(KINDS)}, got {self.kind!r}")
        if (self.kind == "change") != (self.change is not None):
            raise ValueError("change: wanted with kind change, and with no other")

    @property
    def takes_effect(self) -> bool:
        """Whether the service does what it was asked."""
        return self.after or self.kind not in ("status", "html", "drop", "hang")

    def strikes(self, method: str, path: str) -> bool:
        """Whether it strikes this request; counts."""
        if self.count <= 0 or (self.method and self.method != method):
            return False
        if not re.search(self.path, path):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.count -= 1
        return True

    def record(self) -> dict[str, Any]:
        """Its fields as JSON has them."""
        row = {name: value for name, value in vars(self).items() if name != "change"}
        if self.change is not None:
            row["change"] = getattr(self.change, "__name__", repr(self.change))
        return row


class ApiError(Exception):
    """An answer in the form of IBM's errors."""

    def __init__(self, status: int, code: int, message: str, solution: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body = {
            "errors": [
                {
                    "code": code,
                    "message": message,
                    "solution": solution,
                    "more_info": "https://cloud.ibm.com/apidocs/quantum-computing#error-handling",
                }
            ],
            "trace": secrets.token_hex(8),
        }


_WORDS = {
    400: (1208, "Request validation of body failed."),
    401: (1201, "Invalid credentials."),
    402: (1000, "Payment required."),
    403: (1200, "You are not authorized to perform this action."),
    404: (1291, "Not found."),
    408: (1000, "Request timeout."),
    409: (1000, "Conflict."),
    413: (1000, "Payload too large."),
    422: (1208, "Request validation of body failed."),
    425: (1000, "Too early."),
    429: (1202, "Too many requests received."),
    503: (1999, "Planned outage. The service is undergoing maintenance."),
}


def error_body(status: int) -> dict[str, Any]:
    """IBM's body for a status; codes 1000 and 1999 are stand-ins."""
    code, message = _WORDS.get(status, (1000, "API Internal error."))
    return ApiError(status, code, message).body


def html_page(status: int) -> Raw:
    """The page of a gateway, over many lines as such pages are."""
    title = {200: "Sign in", 403: "Attention Required! | Cloudflare"}.get(status, "Bad gateway")
    lines = (
        "<!DOCTYPE html>",
        "<html>",
        f"<head><title>{status} {title}</title></head>",
        "<body>",
        f"<center><h1>{status} {title}</h1></center>",
        "<hr><center>nginx</center>",
        "<!-- a padding to disable MSIE and Chrome friendly error page -->",
        "</body>",
        "</html>",
    )
    return Raw("\r\n".join(lines).encode(), "text/html")
