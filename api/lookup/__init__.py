"""Routes of the lookup by names and prefixes."""
