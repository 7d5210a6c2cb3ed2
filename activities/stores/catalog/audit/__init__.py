"""The audit trail in the catalogue: how events are written, and how they are read."""
