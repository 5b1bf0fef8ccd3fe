"""Runs on a service at fault: every fault at every request, and what became of the run."""
