"""Untrusted files are read in child processes that may die."""
