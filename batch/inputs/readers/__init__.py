"""Readers: one module a format. Each yields rows, and what stands in place of a row."""
