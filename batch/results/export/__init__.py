"""Results in other forms: one module a format."""
