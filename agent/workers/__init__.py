"""Many environments at once: worker processes, and who hands them their episodes."""
