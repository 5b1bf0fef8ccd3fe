"""The quantum generator of spikes as an experiment."""
