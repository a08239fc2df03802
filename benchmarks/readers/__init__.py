"""What the makers' own packages read and write, beside ours."""
