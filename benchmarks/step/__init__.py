"""A step's time, beside the peers'."""
