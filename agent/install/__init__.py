"""Installing what the doctor found missing: Debian's packages, and Chromium."""
