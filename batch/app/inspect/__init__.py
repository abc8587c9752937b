"""What can be said of a job and its output without running it."""
