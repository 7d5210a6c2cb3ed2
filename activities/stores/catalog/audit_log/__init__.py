"""The tamper-evident log of audit events in the catalogue."""
