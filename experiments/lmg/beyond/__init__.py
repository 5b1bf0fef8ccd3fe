"""What the LMG paper leaves open, an experiment each."""
