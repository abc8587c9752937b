"""Bytes in, values out: what the endpoints send and expect, without I/O and without a clock."""
