"""Re-indexing: a new index generation built beside the live one, verified, switched to, and the old one retired."""
