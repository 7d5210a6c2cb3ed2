"""Keeps the tamper-evident log of audit events."""
