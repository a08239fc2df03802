"""What is missing on this machine, how to get it, and getting it."""
