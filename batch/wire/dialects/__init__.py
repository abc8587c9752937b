"""The dialects of endpoints: one module each, with names, paths and bodies of requests."""
