"""The command line in this process."""

import io
from contextlib import redirect_stderr, redirect_stdout

from qbrain.experiments.cli import run_command

__all__ = ["qbrain"]


def qbrain(*arguments):
    """Exit code, stdout and stderr: what main() does, less the start of an interpreter."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run_command([str(x) for x in arguments])
    return code, out.getvalue(), err.getvalue()
