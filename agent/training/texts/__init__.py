"""Texts that no environment gives: copying, and instructions said otherwise."""
