"""Exact answers for collective neurons in a bath."""

from .master_equation import (
    NegativeRate,
    OpenSystemError,
    choi_minimum,
    dicke_state,
    dicke_to_qubits,
    propagator,
    simulate_open_system,
    steady_populations,
)

__all__ = [
    "NegativeRate",
    "OpenSystemError",
    "choi_minimum",
    "dicke_state",
    "dicke_to_qubits",
    "propagator",
    "simulate_open_system",
    "steady_populations",
]
