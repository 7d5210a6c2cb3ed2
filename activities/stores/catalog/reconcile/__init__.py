"""Queries with which Reconcile finds and repairs discrepancies."""
