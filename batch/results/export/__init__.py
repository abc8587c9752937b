"""Export of results: one module a format."""
