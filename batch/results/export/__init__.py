"""Export of results: one module for each family of formats."""
