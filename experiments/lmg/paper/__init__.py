"""The figures and the claims of Torres and Romera, arXiv:2602.16003, recomputed."""
