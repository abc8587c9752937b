"""The version of promptjobs."""

__version__ = "0.1.0"
