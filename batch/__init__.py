"""promptjobs: the batch runner for prompts that people leave alone overnight."""

__version__ = "0.1.0"
