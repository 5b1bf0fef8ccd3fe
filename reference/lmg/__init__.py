"""Exact answers for the LMG quantum brain; the closed loop is in :mod:`.feedback`."""

from .feedback import (
    LMG,
    IntegrationError,
    ModelError,
    Orbit,
    SynapseLike,
    block_entropy,
    diagonal_entropy,
    fidelity,
    initial_excitations,
    linear_entropy,
    orbit_frequencies,
    piecewise_states,
    product_formula_states,
    simulate,
    spectral_width,
    squeezing_parameter,
)

__all__ = [
    "LMG",
    "IntegrationError",
    "ModelError",
    "Orbit",
    "SynapseLike",
    "block_entropy",
    "diagonal_entropy",
    "fidelity",
    "initial_excitations",
    "linear_entropy",
    "orbit_frequencies",
    "piecewise_states",
    "product_formula_states",
    "simulate",
    "spectral_width",
    "squeezing_parameter",
]
