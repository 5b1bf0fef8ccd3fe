"""The command ``qbrain``, and ``python -m qbrain``."""

__all__ = ["main"]


def main() -> None:
    """Entry point. Stops are watched for before anything is imported that takes time."""
    from qbrain.experiments.engine.stopping import open_missing_streams, watch_signals

    open_missing_streams()
    watch_signals()
    from qbrain.experiments import cli

    cli.main()


if __name__ == "__main__":
    main()
