"""What a grammar of calls holds, and what it costs and saves."""
