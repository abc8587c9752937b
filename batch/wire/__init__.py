"""The wire format: decodes and encodes what endpoints send and expect, without I/O and without a clock."""
