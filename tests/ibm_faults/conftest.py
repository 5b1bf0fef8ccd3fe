"""One client for all tests here: it takes seconds to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ibm_faults.harness import Runner


@pytest.fixture(scope="session")
def runner() -> Iterator[Runner]:
    with Runner() as runner:
        yield runner
