"""Routes of sources, which knowledge bases follow, and of their syncs."""
