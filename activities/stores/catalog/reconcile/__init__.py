"""Queries by which Reconcile finds and repairs what disagrees."""
