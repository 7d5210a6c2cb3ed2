"""Lists what a source has now, compares it with what the knowledge base has of it, and applies the difference."""
