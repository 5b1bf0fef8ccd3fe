"""Collective neurons in a bath as an experiment."""
