"""What the draft on entangled integrate-and-fire neurons leaves blank, measured beside controls."""
