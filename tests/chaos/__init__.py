"""Faults: processes are killed at random while documents are taken in, and afterwards everything must add up."""
