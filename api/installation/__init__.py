"""What an installation consists of, as `holdfast doctor` sees it: versions, clocks, room, and its settings."""
