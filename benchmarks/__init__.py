"""What measures the project beside its peers, and the trials that take hours; not installed."""
