"""Wiring the parts for one job: names, keys, paths and processes are resolved here."""
