"""Checks that a hostile schema or answer could make endless, run in a process that can be killed."""
