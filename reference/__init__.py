"""Exact answers by paths that share no code with `qbrain.circuits`."""
