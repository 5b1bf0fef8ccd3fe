"""The LMG quantum brain as an experiment."""
