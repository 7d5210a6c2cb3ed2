"""Logs of a process."""
