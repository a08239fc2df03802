"""The expert of the simulated phone."""
