"""Webhooks in the catalogue: endpoints, events, deliveries."""
