"""What Temporal stores is shown to auditors: the codec endpoint of the Temporal UI and CLI."""
