"""What the parts of the recipe bring: one thing is changed, and all else is trained as long."""
