"""The figures of the paper on the open quantum nervous system, recomputed and put right."""
