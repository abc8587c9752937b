"""The schema of a job file: names, types and ranges of its keys."""
