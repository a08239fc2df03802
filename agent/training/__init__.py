"""Demonstrations from the experts, and the embedded model that is trained on them."""
