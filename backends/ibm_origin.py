"""Where a device's numbers come from: the service that answers, and whether it is IBM's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

__all__ = ["calibration_digest", "host_of", "is_ibm", "plain_url", "strangers"]


def plain_url(url: str) -> str:
    """A service's URL without what may be secret in it: names, passwords, queries."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if host else ""


def host_of(url: str) -> str:
    """The name or address of the machine that a URL leads to, empty where it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_ibm(url: str) -> bool:
    """Whether a URL leads to IBM: a host of ibm.com, whose name its certificate has proven."""
    host = host_of(url)
    return urlsplit(url).scheme == "https" and (host == "ibm.com" or host.endswith(".ibm.com"))


def strangers(urls: Iterable[str]) -> list[str]:
    """The hosts among some URLs that are not IBM's, each once."""
    return list(dict.fromkeys(host_of(url) or "an unnamed host" for url in urls if not is_ibm(url)))


def calibration_digest(properties: Any) -> str:
    """SHA-256 of a calibration as the client gives it, as JSON with sorted keys."""
    text = json.dumps(properties.to_dict(), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
