"""Starts, steers and schedules workflows from outside."""
