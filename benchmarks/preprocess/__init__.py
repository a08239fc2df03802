"""What a screen costs between the browser's PNG and the network, beside transformers."""
