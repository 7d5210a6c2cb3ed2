"""Reads untrusted files in child processes that may crash, hang or run out of memory."""
