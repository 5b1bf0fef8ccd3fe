"""The quantized Hodgkin-Huxley neuron as an experiment."""
