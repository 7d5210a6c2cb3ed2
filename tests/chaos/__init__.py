"""Chaos tests: processes are killed at random during ingestion, and afterwards all stores must agree."""
