"""Who decides: the model, and the controls that it is measured against."""
