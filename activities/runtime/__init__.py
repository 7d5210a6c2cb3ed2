"""What every activity shares with Temporal."""
