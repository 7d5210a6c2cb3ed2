"""The forms in which audit events are exported."""
