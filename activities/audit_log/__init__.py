"""The tamper-evident log of the audit trail: tree, signed checkpoints, entries, proofs and their verification.

Pure functions on values; ``activities.stores.catalog.audit_log`` stores the log, ``api.background.audit_log`` keeps it.
"""
