"""The version, in a module of its own that imports nothing: records carry it."""

__version__ = "0.1.0"
