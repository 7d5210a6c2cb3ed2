"""Schedules: when they fire, what each kind starts, and their runs."""
