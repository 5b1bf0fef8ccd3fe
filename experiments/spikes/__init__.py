"""Spike recordings: files, windows, splits, synthetic data."""
