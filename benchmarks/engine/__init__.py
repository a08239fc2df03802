"""What a step of the model costs, beside transformers."""
