"""Webhooks: which addresses may be reached, signatures, and attempts at a delivery."""
