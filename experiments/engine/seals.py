"""Checksums of what a run goes on from: damage is found before it becomes other numbers.

Every line of a journal and every record ends in a SHA-256 of what stands before it; a TOML file
begins with that of the rest. The sum of a line also covers a salt, such as the digest of the run's
configuration, so that a line of another run does not pass for one of this.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["digest_of_file", "digest_of_json", "seal", "seal_toml", "unseal", "unseal_toml"]

_NAME = "sha256"
_TAIL = re.compile(rb',\s*"sha256":\s*"([0-9a-f]{64})"\s*\}\s*\Z')
_HEAD = re.compile(rb"# sha256 of what follows: ([0-9a-f]{64})\r?\n")


def seal(record: Mapping[str, Any], salt: str = "", indent: int | None = None) -> bytes:
    """A JSON object with its checksum as the last member, and a line's end.

    Raises ValueError for numbers that JSON does not have.
    """
    separators = (",", ":") if indent is None else None
    text = json.dumps(dict(record), separators=separators, indent=indent, allow_nan=False)
    body = text.encode()[:-1].rstrip()
    before, after = (",", "}\n") if indent is None else (",\n" + indent * " ", "\n}\n")
    return body + f'{before}"{_NAME}":"{_sum(body, salt)}"{after}'.encode()


def unseal(raw: bytes, salt: str = "", *, wanted: bool = True) -> dict[str, Any]:
    """What :func:`seal` wrote, without the checksum.

    ``wanted``: whether there must be one; records of earlier versions have none.

    Raises ValueError for anything else.
    """
    found = _TAIL.search(raw)
    if found is not None:
        if _sum(raw[: found.start()], salt) != found[1].decode():
            raise ValueError("its checksum does not fit")
    elif wanted:
        raise ValueError("its checksum is missing")
    record = json.loads(raw)
    if not isinstance(record, dict):
        raise ValueError("wanted a JSON object")
    record.pop(_NAME, None)
    return record


def _sum(body: bytes, salt: str) -> str:
    return hashlib.sha256(salt.encode() + b"\n" + body).hexdigest()


def seal_toml(text: str) -> bytes:
    """The text under a comment with its checksum."""
    body = text.encode()
    return f"# sha256 of what follows: {hashlib.sha256(body).hexdigest()}\n".encode() + body


def unseal_toml(raw: bytes) -> tuple[str, bool]:
    """The text, and whether a checksum stood above it.

    Raises ValueError if there is one that does not fit, or the text is not UTF-8.
    """
    found = _HEAD.match(raw)
    if found is None:
        return raw.decode(), False
    body = raw[found.end() :]
    if hashlib.sha256(body).hexdigest() != found[1].decode():
        raise ValueError("its checksum does not fit: it was damaged or edited")
    return body.decode(), True


def digest_of_json(value: Any) -> str:
    """SHA-256 of a value as JSON with sorted names."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def digest_of_file(file: Path) -> str:
    """SHA-256 of a file's bytes. Raises OSError."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, _NAME).hexdigest()
