"""Half-broken input by the million."""
