"""Routes of re-indexes."""
