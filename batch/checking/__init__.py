"""Validation of answers in a process that can be killed: a hostile schema or answer could make it endless."""
