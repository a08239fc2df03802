"""Training documents of web pages that a user names."""
