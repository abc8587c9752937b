"""One run of a job, from the lock on its output to its summary."""
