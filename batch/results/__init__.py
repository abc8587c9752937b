"""The output file: a durable log of results, from which every later run resumes."""
