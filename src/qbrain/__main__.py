"""``python -m qbrain``: the command line."""

from qbrain.experiments.cli import main

if __name__ == "__main__":
    main()
