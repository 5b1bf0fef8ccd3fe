"""Results of small runs, made by version 0.1 before its engine was replaced."""
