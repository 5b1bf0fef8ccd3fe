"""Figures of a paper: data, pictures, claims and reference figures."""
