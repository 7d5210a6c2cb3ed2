"""Health, metrics and Reconcile for operators."""
