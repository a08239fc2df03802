"""What came of an evaluation: its rows, and everything that is computed from them."""
