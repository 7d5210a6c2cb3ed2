"""From uploaded bytes to searchable rows: one module per activity."""
