"""From a query to ranked passages of live documents."""
