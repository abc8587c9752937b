"""What a run needs before it begins: the job, its keys, prices and proxies."""
