"""MiniWoB++: 125 small web tasks, from the PyPI package's own pages."""
