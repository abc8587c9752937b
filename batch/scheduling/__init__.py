"""Decisions: pure functions and small state machines. The time is an argument, never asked for."""
