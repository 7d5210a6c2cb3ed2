"""The tamper-evident log over the API."""
