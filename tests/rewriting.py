"""Journals that say something else, under checksums that fit: what no damage looks like."""

from qbrain.experiments.engine.folder import RunDirectory

__all__ = ["rewrite_journal"]


def rewrite_journal(path, steps):
    """Put these steps into the journal of a run in place of its own."""
    folder = RunDirectory.open(path)
    (path / "steps.jsonl").unlink(missing_ok=True)
    for step in steps:
        folder.append_step({k: v for k, v in step.items() if k != "sha256"})
