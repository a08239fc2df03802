"""The record of an episode: written as it happens, readable after a crash."""
