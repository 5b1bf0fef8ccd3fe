"""The command ``qbrain``, and ``python -m qbrain``."""

import sys

__all__ = ["main"]


def main() -> None:
    """Entry point. Stops are watched for before anything is imported that takes time."""
    from qbrain.experiments.engine.stopping import open_missing_streams, watch_signals

    open_missing_streams()
    watch_signals()
    try:
        from qbrain.experiments import cli
    except OSError as error:  # too few open files, say
        sys.exit(f"qbrain: cannot start: {error}")
    cli.main()


if __name__ == "__main__":
    main()
