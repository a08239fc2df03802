"""Benchmarks of the runtime itself, without a model: `eyehand bench NAME`."""
