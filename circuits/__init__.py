"""Circuit builders: plain numbers in, `QuantumCircuit` out. Nothing here runs a circuit."""
