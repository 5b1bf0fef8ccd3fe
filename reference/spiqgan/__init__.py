"""Exact answers for the spike generator: its model in JAX, classical controls, spike statistics."""
