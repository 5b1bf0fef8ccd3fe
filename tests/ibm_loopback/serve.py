"""Serve IBM Quantum's interface on 127.0.0.1 until interrupted: a device to try things on.

Standard output is what to export in the shell in which qbrain is to run.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ibm_loopback.device import device_names
from ibm_loopback.server import LoopbackIBM


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=8617, help="0 for any free one")
    parser.add_argument(
        "--device", nargs="+", default=["ibm_fez"], choices=device_names(), metavar="ibm_NAME"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plan", default="premium", help="'open' refuses sessions")
    parser.add_argument("--queue-seconds", type=float, default=0.0)
    parser.add_argument("--run-seconds", type=float, default=0.0)
    parser.add_argument("--token-seconds", type=int, default=3600)
    parser.add_argument("--idle-noise", action="store_true", help="waiting qubits relax")
    parser.add_argument("--directory", help="keep jobs here from one start to the next")
    options = vars(parser.parse_args(arguments))
    done = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: done.set())
    with LoopbackIBM(options.pop("device"), **options) as server:
        for name, value in server.environment().items():
            print(f"export {name}={shlex.quote(value)}", flush=True)
        print(
            f"serving {', '.join(server.devices)} on port {server.port}; faults: POST /control; "
            "Ctrl-C ends it",
            file=sys.stderr,
            flush=True,
        )
        done.wait()


if __name__ == "__main__":
    main()
