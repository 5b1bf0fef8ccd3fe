"""Quantum neurons under classical feedback: exact, on simulators, on device noise, on devices."""
