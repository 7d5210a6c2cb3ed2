"""Background tasks of the API process."""
