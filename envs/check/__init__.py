"""The environment contract, executable."""
