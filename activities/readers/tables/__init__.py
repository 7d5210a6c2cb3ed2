"""Readers of tables and records; every row can be quoted on its own."""
