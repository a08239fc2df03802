"""Any Gymnasium environment that renders frames."""
