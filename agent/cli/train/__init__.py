"""Parts of `eyehand train` that are long enough for a file of their own."""
