"""The one way in which a system is run, resumed and estimated."""
