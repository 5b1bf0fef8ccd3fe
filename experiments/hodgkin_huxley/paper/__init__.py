"""The figures, Table I and the claims of Cheng et al., arXiv:1807.10698, recomputed."""
