"""Tests see no account, no ledger and no settings of whoever runs them."""

import os
import sys
import tempfile
from pathlib import Path

_home = tempfile.TemporaryDirectory(prefix="qbrain-tests-", ignore_cleanup_errors=True)
for name in [name for name in os.environ if name.startswith("QISKIT_IBM_")]:
    del os.environ[name]
# else every worker would look for the machine's fonts anew
os.environ.setdefault("MPLCONFIGDIR", str(Path.home() / ".cache" / "matplotlib"))
# before the client is imported, which reads HOME once
os.environ["HOME"] = _home.name
# a command that takes its time says so, which is a line more on a busy machine
os.environ["QBRAIN_QUIET"] = "1"
os.environ["QBRAIN_LEDGER"] = os.path.join(_home.name, "jobs.sqlite")

# the loopback server is a package beside the rooms' tests, whatever the import mode
sys.path.insert(0, str(Path(__file__).parent))
from ibm_loopback.fixtures import (  # noqa: F401
    ibm,
    loopback,
    only_loopback,
    own_ledger,
    start_ibm,
)
