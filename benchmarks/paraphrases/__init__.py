"""What an instruction that is said otherwise costs: the same episodes, asked in other words."""
