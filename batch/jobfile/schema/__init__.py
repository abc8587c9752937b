"""The job file as it is written: names, types and ranges of its keys."""
