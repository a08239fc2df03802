"""Suites that a user declares in a file."""
