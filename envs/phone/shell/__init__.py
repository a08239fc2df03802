"""The phone's shell: command lines are read as its `sh` would, and answered in Python."""
