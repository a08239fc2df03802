"""BrowserGym in an interpreter of its own."""
