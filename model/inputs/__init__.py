"""Text, pictures and videos to what the network reads."""
