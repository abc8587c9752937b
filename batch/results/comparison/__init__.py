"""Two results of one request compared: what has changed, in which fields, and in which words."""
