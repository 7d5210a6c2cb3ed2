"""Other libraries on the same file with the same embedding model."""
