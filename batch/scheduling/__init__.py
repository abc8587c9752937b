"""Scheduling decisions: pure functions and small state machines. The time is always an argument."""
