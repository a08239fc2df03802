"""Training from packed documents: reading, batching and the loop."""
