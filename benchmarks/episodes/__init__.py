"""Episodes a minute, beside the peer's."""
