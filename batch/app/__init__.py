"""Wires the parts for one job: resolves names, keys, paths and processes."""
