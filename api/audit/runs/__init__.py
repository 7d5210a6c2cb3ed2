"""Runs for auditors: live and archived ones, their histories, replays, and views of Temporal's UI."""
