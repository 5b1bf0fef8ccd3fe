"""Counts of real devices, and what of them a snapshot's noise predicts."""
