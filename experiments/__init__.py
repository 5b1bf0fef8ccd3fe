"""The experiments: the rooms joined, run directories, reports, the command line."""
