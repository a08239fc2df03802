"""Trials over hours: kills, memory, clusters, batches."""
