"""Tasks of the API process."""
