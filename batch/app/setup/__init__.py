"""What a run needs before it starts: the job, its keys, prices and proxies."""
