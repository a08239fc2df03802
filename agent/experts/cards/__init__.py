"""Experts of the card games."""
