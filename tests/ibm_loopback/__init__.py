"""IBM Quantum's REST interface on the loopback address, for tests and for trying things by hand."""
