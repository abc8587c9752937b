"""Results in other forms: one module a family of formats."""
