"""Readers of tables and records: every row can be quoted alone."""
