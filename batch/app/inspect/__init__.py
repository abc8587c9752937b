"""Inspect a job and its output without running it."""
