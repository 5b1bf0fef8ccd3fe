"""Entangled leaky integrate-and-fire neurons as an experiment."""
