"""Laws that turn an estimate into the next control value, estimators, the hybrid loop."""
