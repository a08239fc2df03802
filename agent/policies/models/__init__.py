"""Policies behind which a model stands: built in, in transformers, or on a server."""
