"""The output file: a durable log of results that every later run resumes from."""
