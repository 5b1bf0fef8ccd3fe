"""An experiment at every combination of some settings."""
