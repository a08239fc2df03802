"""A Ray cluster: actors that run environments, and actors that decide for them."""
