"""From a conversation to its next tokens."""
