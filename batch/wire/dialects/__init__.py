"""The dialects of endpoints: one module each, with model names, paths and request bodies."""
