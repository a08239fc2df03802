"""The experts of the Fetch tasks."""
