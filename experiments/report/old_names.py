"""Keys of version 0.1 that JSON objects keep beside their new names for one version."""

from __future__ import annotations

__all__ = ["OLD_NAMES"]

#: not shown in tables on the terminal, where the new name stands
OLD_NAMES = frozenset(
    {
        "band_coverage", "expected_fidelity", "kept_fraction", "max_error_excitation",
        "max_error_sz", "max_error_voltage", "printed_error", "rmse_excitation",
        "rmse_excitation_raw", "rmse_sz", "rmse_sz_raw", "rmse_voltage", "within_bars",
        "within_two_bars", "wrong_readings",
    }
)  # fmt: skip
