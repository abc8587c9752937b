"""From the file as written to the job that is meant: defaults, files and combinations."""
