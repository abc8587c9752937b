"""Resolve the job file as written into the job: defaults, files and combinations."""
