"""An expert behind every dialect: its actions, written as a model would, through a real server."""
