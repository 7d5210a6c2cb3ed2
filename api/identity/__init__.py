"""Route of the caller's own identity."""
