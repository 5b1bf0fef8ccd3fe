"""First light: a dozen small circuits of known answer, and what a device makes of them today."""
