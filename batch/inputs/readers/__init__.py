"""Readers: one module per format. Each yields rows, invalid rows, notices, and errors of the inputs."""
