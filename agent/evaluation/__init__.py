"""Many episodes: what is asked for, who runs them, where they are kept."""
